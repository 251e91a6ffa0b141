"""The formats that can be written, by the ending of their names."""

from dataclasses import dataclass

H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-pix_fmt", "yuv420p")
VP9 = ("-c:v", "libvpx-vp9", "-crf", "33", "-b:v", "0", "-deadline", "good", "-cpu-used", "5", "-row-mt", "1")
AAC = ("-c:a", "aac", "-b:a", "160k")
FROM_START = ("-movflags", "+faststart")  # a browser can play it before it has all of it
H264_KINDS, AAC_KINDS = ("h264", "hevc", "av1"), ("aac", "mp3")


@dataclass(frozen=True)
class Format:
    """How ffmpeg writes it, and the codecs that it can take over as they are."""

    kind: str
    """`video`, `audio` or `image`."""
    options: tuple[str, ...]
    keeps: tuple[str, ...] = ()


FORMATS = {
    "mp4": Format("video", (*H264, *AAC, *FROM_START), H264_KINDS + AAC_KINDS),
    "mov": Format("video", (*H264, *AAC, *FROM_START), H264_KINDS + AAC_KINDS),
    "mkv": Format("video", (*H264, *AAC), (*H264_KINDS, *AAC_KINDS, "vp8", "vp9", "opus", "vorbis", "flac")),
    "webm": Format("video", (*VP9, "-c:a", "libopus", "-b:a", "128k"), ("vp8", "vp9", "av1", "opus", "vorbis")),
    "avi": Format("video", ("-c:v", "mpeg4", "-q:v", "4", "-c:a", "libmp3lame", "-q:a", "3")),
    "gif": Format("video", ("-an",)),
    "mp3": Format("audio", ("-c:a", "libmp3lame", "-q:a", "2"), ("mp3",)),
    "m4a": Format("audio", ("-c:a", "aac", "-b:a", "192k", *FROM_START), ("aac",)),
    "aac": Format("audio", ("-c:a", "aac", "-b:a", "192k")),
    "wav": Format(
        "audio",
        (
            "-c:a",
            "pcm_s16le",
        ),
    ),
    "flac": Format("audio", ("-c:a", "flac"), ("flac",)),
    "ogg": Format("audio", ("-c:a", "libvorbis", "-q:a", "5"), ("vorbis",)),
    "opus": Format("audio", ("-c:a", "libopus", "-b:a", "128k"), ("opus",)),
    "jpg": Format("image", ("-frames:v", "1", "-update", "1", "-q:v", "3")),
    "png": Format("image", ("-frames:v", "1", "-update", "1")),
    "webp": Format("image", ("-frames:v", "1", "-c:v", "libwebp", "-quality", "85")),
}
ALSO_CALLED = {"jpeg": "jpg", "mpeg4": "mp4", "mpeg-4": "mp4", "matroska": "mkv", "quicktime": "mov", "m4v": "mp4"}
SPEECH = {name: name for name in FORMATS} | ALSO_CALLED
"""What a format may be called, and its name."""


def of_kind(kind: str) -> list[str]:
    return [name for name, format_ in FORMATS.items() if format_.kind == kind]
