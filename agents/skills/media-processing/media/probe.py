"""What a file holds, as ffmpeg sees it. It is read from ffmpeg's own description, since not every ffmpeg comes with ffprobe."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from media.ffmpeg import look_at
from media.names import Refusal

# Every line of metadata has a colon before its text, so a title cannot pretend to be a stream.
INPUT = re.compile(r"^Input #0, (?P<format>\S+), from ", re.MULTILINE)
DURATION = re.compile(r"^  Duration: (?P<time>N/A|[\d:.]+),(?:.* bitrate: (?P<rate>\d+) kb/s)?", re.MULTILINE)
STREAM = re.compile(r"^ {2,4}Stream #0:\d+[^:\s]*: (?P<type>Video|Audio|Subtitle|Data): (?P<about>.*)$", re.MULTILINE)
COVER = "(attached pic)"
CHANNELS = {"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "hexagonal": 6, "octagonal": 8}


@dataclass(frozen=True)
class Stream:
    """One stream. `fps` in frames a second, `bit_rate` in bits a second, `sample_rate` in Hz; None where it is not known."""

    type: str
    codec: str
    bit_rate: int | None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    sample_rate: int | None = None
    channels: int | None = None


@dataclass(frozen=True)
class Facts:
    """About a file: `duration` in seconds (None for a still picture), `bit_rate` in bits a second, `size` in bytes."""

    name: str
    size: int
    format: str
    duration: float | None
    bit_rate: int | None
    streams: list[Stream]

    def first(self, type_: str) -> Stream | None:
        return next((stream for stream in self.streams if stream.type == type_), None)

    @property
    def is_still(self) -> bool:
        return self.duration is None and self.first("video") is not None

    def as_data(self) -> dict[str, Any]:
        """For JSON; each stream with what its type has."""
        of_type = {"video": ("width", "height", "fps"), "audio": ("sample_rate", "channels")}
        streams = [
            {
                key: value
                for key, value in asdict(stream).items()
                if key in ("type", "codec", "bit_rate", *of_type.get(stream.type, ()))
            }
            for stream in self.streams
        ]
        return {**asdict(self), "streams": streams}

    def __str__(self) -> str:
        parts = [f"{self.duration:.1f} s"] if self.duration is not None else []
        if video := self.first("video"):
            fps = f" at {video.fps:g} fps" if video.fps and not self.is_still else ""
            parts.append(f"{video.codec} {video.width}×{video.height}{fps}")
        if audio := self.first("audio"):
            plural = "" if audio.channels == 1 else "s"
            parts.append(f"{audio.codec} {(audio.sample_rate or 0) / 1000:g} kHz, {audio.channels} channel{plural}")
        return f"{self.name} ({', '.join([*parts, readable(self.size)])})"


def probe(file: Path) -> Facts:
    """Raises Refusal for what is not a sound, a picture or a video in a format that is read here."""
    said = look_at(file)
    header = INPUT.search(said)
    streams = [_stream(match["type"].lower(), match["about"]) for match in STREAM.finditer(said) if COVER not in match["about"]]
    if not header or not any(stream.width or stream.sample_rate for stream in streams):
        raise Refusal(f"{file.name} is not a video, sound or picture in a format that is read here.")
    about = DURATION.search(said)
    still = header["format"].endswith("_pipe")
    return Facts(
        name=file.name,
        size=file.stat().st_size,
        format=header["format"].removesuffix("_pipe"),
        duration=None if still or not about else _seconds(about["time"]),
        bit_rate=int(about["rate"]) * 1000 if about and about["rate"] else None,
        streams=streams,
    )


def _stream(type_: str, about: str) -> Stream:
    size = re.search(r", (\d+)x(\d+)", about)
    fps = re.search(r", ([\d.]+)(k?) fps", about)
    audio = re.search(r", (\d+) Hz, ([^,]+)", about)
    rate = re.search(r", (\d+) kb/s", about)
    return Stream(
        type=type_,
        codec=re.split(r"[\s,]", about, maxsplit=1)[0],
        bit_rate=int(rate[1]) * 1000 if rate else None,
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        fps=float(fps[1]) * (1000 if fps[2] else 1) if fps else None,
        sample_rate=int(audio[1]) if audio else None,
        channels=_channels(audio[2]) if audio else None,
    )


def _channels(layout: str) -> int | None:
    """`stereo` → 2, `5.1(side)` → 6, `3 channels` → 3."""
    if match := re.match(r"(\d+) channels", layout):
        return int(match[1])
    if match := re.match(r"(\d)\.(\d)(?:\.(\d))?", layout):
        return sum(int(part or 0) for part in match.groups())
    return CHANNELS.get(layout.split("(")[0].strip())


def _seconds(time: str) -> float | None:
    if time == "N/A":
        return None
    hours, minutes, seconds = time.split(":")
    return round(int(hours) * 3600 + int(minutes) * 60 + float(seconds), 2)


def readable(size: int) -> str:
    """`31 kB`."""
    for unit, factor in {"GB": 10**9, "MB": 10**6, "kB": 1000}.items():
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"
