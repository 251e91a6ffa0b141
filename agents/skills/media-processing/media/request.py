"""What is asked for: read from structured arguments or from a sentence, complete and checked, or refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from media.formats import FORMATS, SPEECH, of_kind
from media.names import Refusal, the_file
from media.values import READ, spoken

TAKES = {
    "probe": [],
    "convert": ["format", "output"],
    "trim": ["start", "end", "duration", "format", "output"],
    "thumbnail": ["at", "width", "height", "format", "output"],
    "extract-audio": ["format", "output"],
    "resize": ["width", "height", "percent", "format", "output"],
}
"""The operations, and what each takes beside `input`."""

WRITES = {"thumbnail": ["image"], "extract-audio": ["audio"], "resize": ["video", "image"]}
"""The kinds of format that an operation can write, where it cannot write all."""

EXAMPLES = """\
what is in clip.mov?
convert clip.mov to MP4
trim clip.mp4 from 0:10 to 0:25
first 5 seconds of clip.mp4 as gif
thumbnail of clip.mp4 at 3s
extract the audio of talk.mp4 as mp3
resize clip.mp4 to 640x360 (or to 50%, or to 720p)"""


@dataclass(frozen=True)
class Request:
    """One operation on one file. Times in seconds; a `start` below zero counts from the end."""

    operation: str
    input: str
    format: str | None = None
    output: str | None = None
    start: float | None = None
    end: float | None = None
    duration: float | None = None
    at: float | None = None
    width: int | None = None
    height: int | None = None
    percent: float | None = None

    def __str__(self) -> str:
        parts = [self.operation, self.input, *self._part_of_time(), *self._size(), *self._target()]
        return " ".join(parts)

    def _part_of_time(self) -> list[str]:
        if self.start is not None and self.start < 0:
            return [f"to the last {spoken(-self.start)}"]
        words = {"from": self.start, "to": self.end, "for": self.duration, "at": self.at}
        return [f"{word} {spoken(value)}" for word, value in words.items() if value is not None]

    def _size(self) -> list[str]:
        if self.percent is not None:
            return [f"to {self.percent:g}%"]
        words = {"wide": self.width, "high": self.height}
        sides = [f"{value} pixels {word}" for word, value in words.items() if value is not None]
        return [f"{'to ' if self.operation == 'resize' else ''}{' and '.join(sides)}"] if sides else []

    def _target(self) -> list[str]:
        return [f"as {self.output or self.format}"] if self.output or self.format else []


def read_args(args: Mapping[str, Any], names: Sequence[str]) -> Request:
    """A Request from structured arguments and the names of the files that were handed over. Raises Refusal."""
    operation = args.get("operation")
    if operation not in TAKES:
        raise Refusal(f"The operation must be one of {', '.join(TAKES)}.")
    allowed = ["operation", "input", *TAKES[operation]]
    if unknown := [name for name in args if name not in allowed]:
        raise Refusal(f"{operation} takes {', '.join(allowed[1:])}, not {', '.join(unknown)}.")
    values = {name: READ[name](args[name], name) for name in TAKES[operation] if args.get(name) is not None}
    return checked(Request(operation, the_file(args.get("input"), names), **values))


def checked(request: Request) -> Request:
    """The request with its format filled in, once all of it makes sense together. Raises Refusal."""
    request = _with_format(request)
    if check := CHECKS.get(request.operation):
        check(request)
    kinds = WRITES.get(request.operation)
    if kinds and request.format and FORMATS[request.format].kind not in kinds:
        allowed = ", ".join(name for kind in kinds for name in of_kind(kind))
        raise Refusal(f"{request.operation} cannot write {request.format}; it can write {allowed}.")
    return request


def _with_format(request: Request) -> Request:
    if request.output:
        named = PurePath(request.output).suffix[1:].lower()
        if named not in SPEECH:
            raise Refusal(f"The name {request.output} must end with one of {', '.join(FORMATS)}.")
        if request.format and request.format != SPEECH[named]:
            raise Refusal(f"The name {request.output} does not go with the format {request.format}.")
        return replace(request, format=SPEECH[named])
    defaults = {"thumbnail": "jpg", "extract-audio": "mp3"}
    return replace(request, format=request.format or defaults.get(request.operation))


def _check_convert(request: Request) -> None:
    if request.format is None:
        raise Refusal(f"Say what to convert to: {', '.join(FORMATS)}.")


def _check_trim(request: Request) -> None:
    if (request.start, request.end, request.duration) == (None, None, None):
        raise Refusal("Say what to keep: a start, an end or a duration.")
    if request.end is not None and request.duration is not None:
        raise Refusal("Give an end or a duration, not both.")
    start = request.start or 0.0
    if request.end is not None and (start < 0 or request.end <= start):
        raise Refusal(f"The end ({spoken(request.end)}) must come after the start ({spoken(start)}).")
    if request.duration == 0:
        raise Refusal("The duration must be more than 0.")


def _check_resize(request: Request) -> None:
    sides = (request.width, request.height) != (None, None)
    if sides == (request.percent is not None):
        raise Refusal("Say the new size: a width, a height or both, or a percentage.")


CHECKS: dict[str, Callable[[Request], None]] = {"convert": _check_convert, "trim": _check_trim, "resize": _check_resize}
