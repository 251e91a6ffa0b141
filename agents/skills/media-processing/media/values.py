"""Single values: checked, and in the units that the program reckons with."""

import re
from collections.abc import Callable
from typing import Any

from media.formats import FORMATS, SPEECH
from media.names import Refusal

LARGEST_SIDE = 7680  # pixels
LARGEST_PERCENT = 400
UNITS = re.compile(
    r"(?:(\d+(?:\.\d+)?) ?h(?:ours?|rs?)?)? ?(?:(\d+(?:\.\d+)?) ?m(?:in(?:ute)?s?)?)? ?"
    r"(?:(\d+(?:\.\d+)?) ?s(?:ec(?:ond)?s?)?)? ?(?:(\d+(?:\.\d+)?) ?ms)?"
)


def _format(value: object, _: str) -> str:
    name = str(value).lower().lstrip(".")
    if name not in SPEECH:
        raise Refusal(f"{value} is not a format that can be written; these are: {', '.join(FORMATS)}.")
    return SPEECH[name]


def _output(value: object, _: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^\W_][\w .()-]{0,120}\.\w{2,5}", value):
        raise Refusal("The name of the output must be a plain file name, such as holiday.mp4.")
    return value


def _seconds(value: object, name: str) -> float:
    seconds = value if isinstance(value, int | float) and not isinstance(value, bool) else parse_time(str(value))
    if seconds is None or not (0 <= seconds < 1e6 or (name == "start" and -1e6 < seconds < 0)):
        raise Refusal(f"{name} must be a time such as 12.5, 0:25 or 1m30s, not {value}.")
    return float(seconds)


def _side(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= LARGEST_SIDE:
        raise Refusal(f"{name} must be 2 to {LARGEST_SIDE} pixels, not {value}.")
    return value


def _percent(value: object, _: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 1 <= value <= LARGEST_PERCENT:
        raise Refusal(f"percent must be 1 to {LARGEST_PERCENT}, not {value}.")
    return float(value)


READ: dict[str, Callable[[Any, str], Any]] = {
    "format": _format,
    "output": _output,
    **dict.fromkeys(["start", "end", "duration", "at"], _seconds),
    **dict.fromkeys(["width", "height"], _side),
    "percent": _percent,
}


def parse_time(text: str) -> float | None:
    """`12.5`, `0:25`, `1:02:03.5`, `90 s`, `1m30s`, `2 minutes` → seconds, `-…` below zero; None for anything else."""
    text = text.strip().lower()
    if text.startswith("-"):
        seconds = parse_time(text[1:])
        return None if seconds is None else -seconds
    if match := re.fullmatch(r"(?:(\d+):)?(\d{1,3}):([0-5]\d(?:\.\d+)?)", text):
        return int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(match[3])
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    match = UNITS.fullmatch(text)
    if not match or not any(match.groups()):
        return None
    hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def spoken(seconds: float) -> str:
    """`0:25`, `1:02:03.5`."""
    minutes, rest = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{rest:06.3f}".rstrip("0").rstrip(".")
    return f"{hours}:{minutes:02}:{tail}" if hours else f"{minutes}:{tail}"
