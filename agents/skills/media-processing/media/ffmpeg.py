"""Runs ffmpeg: the one of the PATH, else the one that the imageio-ffmpeg package brings along.

The file is somebody else's, so ffmpeg is kept from doing what a crafted one could ask for. It sees only that one file, as its
standard input: no name, no folder to look around in. Formats that refer to other files or addresses (playlists, manifests) are
not read at all, nor is any protocol but that of plain files.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

READABLE = [
    "mov", "matroska", "avi", "asf", "flv", "mpegts", "mpeg", "ogg", "mp3", "wav", "flac", "aac", "aiff", "amr", "gif", "apng",
    "png_pipe", "jpeg_pipe", "webp_pipe", "webp_anim", "bmp_pipe", "tiff_pipe",
]  # fmt: skip
LARGEST_PICTURE = 1 << 27  # pixels; a picture may claim any size, and memory is taken for it
INPUT = [
    "-protocol_whitelist", "file",
    "-format_whitelist", ",".join(READABLE),
    "-max_pixels", str(LARGEST_PICTURE),
    "-i", "file:/dev/stdin",
]  # fmt: skip


class FfmpegFailed(Exception):
    """ffmpeg ended with an error; its own words are on stderr."""


def find() -> str:
    if installed := shutil.which("ffmpeg"):
        return installed
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def look_at(file: Path) -> str:
    """What ffmpeg says about a file, for people."""
    with file.open("rb") as stream:
        done = subprocess.run([find(), "-hide_banner", "-nostdin", *INPUT], stdin=stream, capture_output=True, check=False)
    return done.stderr.decode(errors="replace")


def write(file: Path, before: Sequence[str], after: Sequence[str], output: Path, progress: Callable[[float], None]) -> None:
    """Makes `output` of `file`, whole or not at all; `progress` is told the seconds written so far. Raises FfmpegFailed."""
    with TemporaryDirectory() as folder:
        unfinished = Path(folder, output.name)
        _run(file, [*before, *INPUT, *after, f"file:{unfinished}"], progress)
        if not unfinished.exists() or not unfinished.stat().st_size:
            raise FfmpegFailed("ffmpeg found nothing to write.")
        shutil.move(unfinished, output)


def _run(file: Path, arguments: Sequence[str], progress: Callable[[float], None]) -> None:
    quiet = ["-hide_banner", "-nostdin", "-loglevel", "error", "-nostats", "-progress", "pipe:1"]
    command = [find(), *quiet, *arguments]
    with file.open("rb") as stream, subprocess.Popen(command, stdin=stream, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            key, _, value = line.strip().partition("=")
            if key == "out_time_us" and value.lstrip("-").isdigit():
                progress(max(int(value), 0) / 1e6)
    if process.returncode:
        raise FfmpegFailed(f"ffmpeg ended with exit code {process.returncode}.")
