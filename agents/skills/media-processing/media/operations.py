"""How ffmpeg does what is asked for: decided from the request and what the file holds, before anything is written."""

import re
from dataclasses import dataclass, field
from pathlib import PurePath

from media.formats import FORMATS, SPEECH
from media.names import Refusal
from media.probe import Facts
from media.request import Request
from media.values import spoken

EVEN = "scale=trunc(iw/2)*2:trunc(ih/2)*2"  # H.264 has no odd sides
PALETTE = "split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse"
GIF_RATE, GIF_WIDTH = 12, 640


@dataclass(frozen=True)
class Plan:
    """The arguments before and after the input, the name of the output, and how many seconds it will have (None: not known)."""

    name: str
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    seconds: float | None = None


def plan(request: Request, facts: Facts) -> Plan:
    """Raises Refusal where the file does not have what is asked for."""
    format_ = request.format or _own_format(facts)
    _check_content(request, facts, format_)
    before, seconds = _part_of_time(request, facts, format_)
    after = [*_streams(format_), *_encoding(request, facts, format_)]
    return Plan(_output_name(request, format_), before, after, None if FORMATS[format_].kind == "image" else seconds)


def _own_format(facts: Facts) -> str:
    """The format that the input's name says, else the usual one for what it holds."""
    ending = PurePath(facts.name).suffix[1:].lower()
    if facts.is_still:
        return SPEECH[ending] if ending in SPEECH and FORMATS[SPEECH[ending]].kind == "image" else "png"
    kind = "video" if facts.first("video") else "audio"
    if ending in SPEECH and FORMATS[SPEECH[ending]].kind == kind:
        return SPEECH[ending]
    return "mp4" if kind == "video" else "m4a"


def _check_content(request: Request, facts: Facts, format_: str) -> None:
    kind = FORMATS[format_].kind
    if kind == "audio" and not facts.first("audio"):
        raise Refusal(f"{facts.name} has no sound.")
    if not facts.first("video") and (kind != "audio" or request.operation == "resize"):
        raise Refusal(f"{facts.name} has no picture.")
    if kind == "image" and not facts.is_still and request.operation != "thumbnail":
        raise Refusal(f"{facts.name} has many pictures: ask for a thumbnail of it.")
    if kind == "video" and facts.is_still:
        raise Refusal(f"{facts.name} is a single picture, so it cannot become {format_}.")
    if request.operation == "trim" and facts.is_still:
        raise Refusal(f"{facts.name} is a single picture: there is nothing to trim.")


def _part_of_time(request: Request, facts: Facts, format_: str) -> tuple[list[str], float | None]:
    """The arguments that choose it, and its length in seconds."""
    start = _start(request, facts, format_)
    length = request.duration if request.end is None else request.end - start
    arguments = ["-ss", f"{start:.3f}"] if start else []
    if length is not None:
        arguments += ["-t", f"{length:.3f}"]
    left = None if facts.duration is None else facts.duration - start
    return arguments, left if length is None else min(length, left or length)


def _start(request: Request, facts: Facts, format_: str) -> float:
    """In seconds from the beginning; where there are pictures, no later than the last."""
    start = (request.at if request.operation == "thumbnail" else request.start) or 0.0
    if facts.duration is None:
        return max(start, 0.0)
    if start >= facts.duration:
        raise Refusal(f"{facts.name} ends at {spoken(facts.duration)}, so there is nothing at {spoken(start)}.")
    video = facts.first("video")
    last = 1.5 / video.fps if video and video.fps and FORMATS[format_].kind != "audio" else 0.0
    return max(min(start if start >= 0 else facts.duration + start, facts.duration - last), 0.0)


def _streams(format_: str) -> list[str]:
    """The first picture that is not a cover, the first sound; no subtitles, no data."""
    chosen = {"audio": ["-map", "0:a:0"], "image": ["-map", "0:V:0"]}
    return [*chosen.get(FORMATS[format_].kind, ["-map", "0:V:0", "-map", "0:a:0?"]), "-sn", "-dn"]


def _encoding(request: Request, facts: Facts, format_: str) -> list[str]:
    if request.operation == "convert" and _fits_as_it_is(facts, format_):
        return ["-c", "copy"]
    scale = _scale(request)
    if format_ == "gif":
        filters = [f"fps={GIF_RATE}", scale or f"scale='min({GIF_WIDTH},iw)':-2:flags=lanczos", PALETTE]
    elif FORMATS[format_].kind == "video":
        filters = [scale or EVEN]
    else:
        filters = [scale] if scale else []
    return [*(["-vf", ",".join(filters)] if filters else []), *FORMATS[format_].options]


def _fits_as_it_is(facts: Facts, format_: str) -> bool:
    """Whether the streams need only another container: nothing is lost then, and it takes no time."""
    wanted = ("audio",) if FORMATS[format_].kind == "audio" else ("video", "audio")
    streams = [stream for stream in map(facts.first, wanted) if stream]
    return all(stream.codec in FORMATS[format_].keeps for stream in streams)


def _scale(request: Request) -> str | None:
    """To even sides; one side alone keeps the proportions."""
    if request.percent is not None:
        factor = request.percent / 200
        return f"scale=max(trunc(iw*{factor:g})*2\\,2):max(trunc(ih*{factor:g})*2\\,2)"
    if request.width is None and request.height is None:
        return None
    width, height = (side - side % 2 if side else -2 for side in (request.width, request.height))
    return f"scale={width}:{height}"


def _output_name(request: Request, format_: str) -> str:
    """Safe in every folder, and not the input's own."""
    if request.output:
        return request.output
    stem = re.sub(r"[^\w.-]+", "-", PurePath(request.input).stem).strip("-.")[:100] or "output"
    additions = {"trim": "-trimmed", "resize": f"-{_size(request)}"}
    return f"{stem}{additions.get(request.operation, '')}.{format_}"


def _size(request: Request) -> str:
    if request.percent is not None:
        return f"{request.percent:g}pct"
    if request.width and request.height:
        return f"{request.width}x{request.height}"
    return f"{request.width}w" if request.width else f"{request.height}p"
