"""The media-processing skill with real files and a real ffmpeg, run as a worker runs it."""

import asyncio
import re
import struct
import subprocess
import zlib
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest
from media.ffmpeg import find
from media.probe import Stream, probe

from agents.src.clock import Clock
from agents.src.errors import ProgramFailed, ProgramRefused
from agents.src.services.processes import processes_of
from agents.src.services.script import ScriptEngine
from agents.src.tasks import Brief, Draft, EventType, InputFile, Result, Workspace, unanswered

SKILL = Path(__file__).parents[2] / "agents" / "skills" / "media-processing"


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run([find(), "-v", "error", "-nostdin", *arguments], check=True)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with short files of many kinds, made here."""
    folder = tmp_path_factory.mktemp("media")
    clip = folder / "clip.mov"
    sources = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=2", "-f", "lavfi", "-i", "sine=duration=2"]
    title = "title=a\n  Stream #0:7: Video: fake, 9x9"
    ffmpeg(*sources, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-metadata", title, clip)
    ffmpeg("-i", clip, "-c", "copy", "-an", folder / "silent.mp4")
    ffmpeg("-i", clip, "-frames:v", "1", "-update", "1", folder / "photo.png")
    ffmpeg("-i", clip, "-frames:v", "1", "-update", "1", folder / "photo.jpg")
    cover = ["-map", "0:a", "-map", "1:v", "-c", "copy", "-disposition:v", "attached_pic"]
    ffmpeg("-i", clip, "-i", folder / "photo.jpg", *cover, folder / "song.m4a")
    ffmpeg("-i", clip, "-ac", "6", "-vn", folder / "surround.flac")
    ffmpeg("-stream_loop", "60", "-i", clip, "-c", "copy", folder / "long.mp4")
    (folder / "notes.mp4").write_text("not a film")
    return folder


class Stage:
    """Runs the skill in a workspace of its own."""

    def __init__(self, folder: Path, media: Path) -> None:
        self.workspace = Workspace(f"{Clock().new_id()}:1", folder / "workspace")
        self.workspace.input.mkdir(parents=True)
        self.workspace.output.mkdir()
        self.media = media
        self.drafts: list[Draft] = []

    def hand_over(self, *names: str) -> tuple[InputFile, ...]:
        for name in names:
            if (self.media / name).exists():
                (self.workspace.input / name).hardlink_to(self.media / name)
        return tuple(InputFile(id=name, name=name) for name in names)

    def brief(self, task: str, files: tuple[str, ...], args: dict[str, Any]) -> Brief:
        about: dict[str, Any] = {"skill": "media-processing", "engine": "script", "instruction": "", "timeout": 60}
        return Brief(**about, prompt=task, args=args, files=self.hand_over(*files), program="main.py")

    def run(self, task: str, *files: str, environment: dict[str, str] | None = None, **args: Any) -> Result:
        async def all_of_it() -> Result:
            engine = ScriptEngine(lambda _: SKILL, environment)
            async for item in engine.run(self.brief(task, files, args), self.workspace, unanswered):
                if isinstance(item, Result):
                    return item
                self.drafts.append(item)
            raise AssertionError

        return asyncio.run(all_of_it())

    def refuse(self, task: str, *files: str, **args: Any) -> str:
        with pytest.raises(ProgramRefused) as refusal:
            self.run(task, *files, **args)
        assert list(self.workspace.output.iterdir()) == []
        return refusal.value.detail

    def written(self) -> Path:
        (output,) = self.workspace.output.iterdir()
        return output


@pytest.fixture
def stage(tmp_path: Path, media: Path) -> Stage:
    return Stage(tmp_path, media)


def stream(data: Any, type_: str) -> dict[str, Any]:
    return next(cast(dict[str, Any], stream) for stream in data["streams"] if stream["type"] == type_)


def test_probe(stage: Stage) -> None:
    result = stage.run("what is in clip.mov?", "clip.mov")
    assert result.data["duration"] == pytest.approx(2, abs=0.05)
    assert [stream["type"] for stream in result.data["streams"]] == ["video", "audio"]  # and no stream from the title
    assert stream(result.data, "video").items() >= {"codec": "h264", "width": 320, "height": 240, "fps": 25.0}.items()
    assert stream(result.data, "audio").items() >= {"codec": "aac", "sample_rate": 44100, "channels": 1}.items()
    assert result.text.startswith("clip.mov (2.0 s, h264 320×240 at 25 fps, aac 44.1 kHz, 1 channel, ")
    assert list(stage.workspace.output.iterdir()) == []


def test_it_says_what_it_understood_and_how_far_it_is(stage: Stage) -> None:
    stage.run("Resize the clip to 50%, please", "clip.mov")
    assert stage.drafts[0] == Draft(EventType.TEXT, {"text": "Understood: resize clip.mov to 50%."})
    assert {draft.type for draft in stage.drafts[1:]} == {EventType.PROGRESS}
    fractions = [draft.data["fraction"] for draft in stage.drafts[1:]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(0 <= fraction <= 1 for fraction in fractions)


@pytest.mark.parametrize(
    ("format_", "codecs"),
    [
        ("mp4", {"h264", "aac"}),
        ("mkv", {"h264", "aac"}),
        ("webm", {"vp9", "opus"}),
        ("avi", {"mpeg4", "mp3"}),
        ("gif", {"gif"}),
        ("mp3", {"mp3"}),
        ("m4a", {"aac"}),
        ("aac", {"aac"}),
        ("wav", {"pcm_s16le"}),
        ("flac", {"flac"}),
        ("ogg", {"vorbis"}),
        ("opus", {"opus"}),
    ],
)
def test_convert(stage: Stage, format_: str, codecs: set[str]) -> None:
    result = stage.run("", "clip.mov", operation="convert", format=format_)
    assert stage.written().name == f"clip.{format_}"
    assert {stream["codec"] for stream in result.data["streams"]} == codecs
    assert 1.9 <= result.data["duration"] <= 2.5


@pytest.mark.parametrize("format_", ["jpg", "png", "webp"])
def test_pictures(stage: Stage, format_: str) -> None:
    result = stage.run(f"convert it to {format_}", "photo.png")
    assert result.data["duration"] is None
    assert (stream(result.data, "video")["width"], stream(result.data, "video")["height"]) == (320, 240)


def test_what_fits_is_copied_without_loss(stage: Stage) -> None:
    def frames(file: Path) -> bytes:
        command: list[str | Path] = [find(), "-v", "error", "-i", file, "-c", "copy", "-map", "0:v", "-f", "framemd5", "-"]
        return b"".join(line for line in subprocess.check_output(command).splitlines() if not line.startswith(b"#"))

    stage.run("convert clip.mov to MP4", "clip.mov")
    assert frames(stage.written()) == frames(stage.media / "clip.mov") != b""


@pytest.mark.parametrize(
    ("task", "seconds"),
    [
        ("trim clip.mov from 0:00.5 to 0:01.5", 1.0),
        ("first 0.8 seconds of clip.mov", 0.8),
        ("the last 0.4 s of clip.mov", 0.4),
        ("remove the first 1.5 seconds of clip.mov", 0.5),
        ("trim clip.mov from 0:01 to 1:00", 1.0),
    ],
)
def test_trim(stage: Stage, task: str, seconds: float) -> None:
    result = stage.run(task, "clip.mov")
    assert stage.written().name == "clip-trimmed.mov"
    assert result.data["duration"] == pytest.approx(seconds, abs=0.1)


def test_trim_to_another_format(stage: Stage) -> None:
    result = stage.run("first 1 second of clip.mov as gif", "clip.mov")
    assert stage.written().name == "clip-trimmed.gif"
    assert result.data["format"] == "gif"


def test_thumbnail(stage: Stage) -> None:
    result = stage.run("", "clip.mov", operation="thumbnail", at=1, width=100, output="poster.png")
    assert stage.written().read_bytes().startswith(b"\x89PNG")
    assert (stream(result.data, "video")["width"], stream(result.data, "video")["height"]) == (100, 76)
    assert stage.written().name == "poster.png"


def test_the_moment_of_a_thumbnail_is_met(stage: Stage, tmp_path: Path) -> None:
    """The test picture counts its seconds, so that one moment differs from another."""
    stage.run("thumbnail of clip.mov at 1.2s as png", "clip.mov")
    expected = tmp_path / "expected.png"
    ffmpeg("-i", stage.media / "clip.mov", "-vf", "select=eq(n\\,30)", "-frames:v", "1", "-update", "1", expected)

    def pixels(picture: Path) -> bytes:
        return subprocess.check_output([find(), "-v", "error", "-i", picture, "-f", "rawvideo", "-"])

    assert pixels(stage.written()) == pixels(expected)


@pytest.mark.parametrize(
    "args",
    [
        {"operation": "thumbnail", "at": 1.99},
        {"operation": "trim", "start": 1.99},
        {"operation": "trim", "start": -0.001, "format": "gif"},
    ],
)
def test_the_very_end_still_has_a_picture(stage: Stage, args: dict[str, Any]) -> None:
    assert stream(stage.run("", "clip.mov", **args).data, "video")["width"] == 320


def test_extract_audio(stage: Stage) -> None:
    result = stage.run("extract the audio of clip.mov as mp3", "clip.mov")
    assert stage.written().name == "clip.mp3"
    assert [stream["codec"] for stream in result.data["streams"]] == ["mp3"]
    assert re.fullmatch(r"Wrote clip\.mp3 \(2\.\d s, mp3 44\.1 kHz, 1 channel, [\d.]+ kB\)\.", result.text)


@pytest.mark.parametrize(
    ("task", "size", "name"),
    [
        ("resize clip.mov to 160x90", (160, 90), "clip-160x90.mov"),
        ("resize clip.mov to 161x91", (160, 90), "clip-161x91.mov"),
        ("resize clip.mov to 50%", (160, 120), "clip-50pct.mov"),
        ("resize clip.mov to 120p", (160, 120), "clip-120p.mov"),
        ("make clip.mov 100 pixels wide as gif", (100, 76), "clip-100w.gif"),
        ("resize photo.jpg to 1%", (2, 2), "photo-1pct.jpg"),
    ],
)
def test_resize(stage: Stage, task: str, size: tuple[int, int], name: str) -> None:
    result = stage.run(task, "clip.mov", "photo.jpg")
    assert stage.written().name == name
    assert (stream(result.data, "video")["width"], stream(result.data, "video")["height"]) == size


def test_names_with_spaces_and_letters_of_all_sorts(stage: Stage) -> None:
    name = "Überflug (1) – 100%.mov"
    (stage.workspace.input / name).hardlink_to(stage.media / "clip.mov")
    stage.run(f"extract the audio of {name}", name)
    assert stage.written().name == "Überflug-1-100.mp3"


def test_what_a_file_holds(media: Path) -> None:
    assert [stream.type for stream in probe(media / "song.m4a").streams] == ["audio"]  # its cover is not a film
    assert probe(media / "surround.flac").first("audio") == Stream("audio", "flac", None, sample_rate=44100, channels=6)
    assert probe(media / "photo.jpg").is_still
    assert not probe(media / "clip.mov").is_still


@pytest.mark.parametrize(
    ("task", "file", "reason"),
    [
        ("extract the audio", "silent.mp4", "silent.mp4 has no sound."),
        ("convert song.m4a to mp4", "song.m4a", "song.m4a has no picture."),
        ("thumbnail of song.m4a", "song.m4a", "song.m4a has no picture"),
        ("resize song.m4a to 50%", "song.m4a", "song.m4a has no picture"),
        ("convert clip.mov to jpg", "clip.mov", "clip.mov has many pictures: ask for a thumbnail of it."),
        ("convert photo.png to mp4", "photo.png", "photo.png is a single picture"),
        ("first 1 s of photo.png", "photo.png", "photo.png is a single picture"),
        ("thumbnail of clip.mov at 3s", "clip.mov", "so there is nothing at 0:03."),
        ("trim clip.mov from 1m", "clip.mov", "clip.mov ends at 0:02"),
        ("probe notes.mp4", "notes.mp4", "notes.mp4 is not a video, sound or picture in a format that is read here."),
        ("rotate clip.mov", "clip.mov", "This could not be read."),
    ],
)
def test_what_cannot_be_done_is_refused(stage: Stage, task: str, file: str, reason: str) -> None:
    assert reason in stage.refuse(task, file)


def test_a_picture_that_claims_to_be_huge_is_refused(stage: Stage) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    (stage.workspace.input / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))
    assert "huge.png is not a video" in stage.refuse("convert it to jpg", "huge.png")


def test_without_a_file_nothing_is_made_up(stage: Stage) -> None:
    assert "No file was handed over" in stage.refuse("convert clip.mov to mp4")


# A crafted file reads nothing but itself


CRAFTED = {
    "concat.mp4": "ffconcat version 1.0\nfile {other}\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{other}\n#EXT-X-ENDLIST\n",
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" '
    'profiles="urn:mpeg:dash:profile:isoff-live:2011"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>{other}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "image.svg": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="320" height="240">'
    '<image xlink:href="{other}" width="320" height="240"/></svg>',
    "subtitles.mp4": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_file_is_refused(stage: Stage, name: str) -> None:
    other = stage.hand_over("clip.mov") and stage.workspace.input / "clip.mov"
    (stage.workspace.input / name).write_text(CRAFTED[name].format(other=other))
    assert f"{name} is not a video" in stage.refuse("", name, operation="convert", input=name, format="mkv")


def test_ffmpeg_alone_would_have_followed(stage: Stage) -> None:
    """The test above has a reason: the same ffmpeg, called plainly, reads the other file."""
    stage.hand_over("clip.mov")
    playlist = stage.workspace.input / "concat.mp4"
    playlist.write_text("ffconcat version 1.0\nfile clip.mov\n")
    ffmpeg("-i", playlist, "-c", "copy", stage.workspace.output / "stolen.mkv")
    assert probe(stage.workspace.output / "stolen.mkv").duration == pytest.approx(2, abs=0.1)


def test_a_name_is_not_a_pattern(stage: Stage) -> None:
    """`%d` in the name of a picture means a whole row of files to ffmpeg."""
    for name in ("photo1.png", "photo%d.png"):
        (stage.workspace.input / name).hardlink_to(stage.media / "photo.png")
    stage.run("", "photo1.png", "photo%d.png", operation="convert", input="photo%d.png", format="jpg")
    assert stage.written().name == "photo-d.jpg"


# When it goes wrong


def test_a_failed_run_leaves_no_half_file(stage: Stage, tmp_path: Path) -> None:
    """With an ffmpeg that looks as the real one does, and breaks off when it should write."""
    broken = tmp_path / "bin" / "ffmpeg"
    broken.parent.mkdir()
    broken.write_text(
        '#!/bin/sh\ncase "$*" in *-progress*)\n'
        'for last; do :; done; echo half > "${last#file:}"; echo "disk full" >&2; exit 9;; esac\n'
        f'exec {find()} "$@"\n'
    )
    broken.chmod(0o700)
    with pytest.raises(ProgramFailed) as failure:
        stage.run("convert clip.mov to webm", "clip.mov", environment={"PATH": f"{broken.parent}:/usr/bin:/bin"})
    assert failure.value.detail.endswith("Its last lines:\ndisk full\nffmpeg ended with exit code 9.")
    assert list(stage.workspace.output.iterdir()) == []


def test_closing_ends_ffmpeg(stage: Stage) -> None:
    async def close_early() -> int:
        brief = stage.brief("convert long.mp4 to webm", ("long.mp4",), {})
        async with aclosing(ScriptEngine(lambda _: SKILL).run(brief, stage.workspace, unanswered)) as generator:
            async for item in generator:
                if isinstance(item, Draft) and item.type is EventType.PROGRESS:
                    return len(processes_of(stage.workspace.run_id))
        raise AssertionError

    assert asyncio.run(close_early()) == 2  # the program and ffmpeg
    assert processes_of(stage.workspace.run_id) == set()
    assert list(stage.workspace.output.iterdir()) == []
