"""The text of an info.md: taken apart for a build, and checked before it is written."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.src.errors import InvalidSkill
from agents.src.services.markdown import read_text, shown
from agents.src.services.skill_md import FRONT
from agents.src.services.yaml_lines import UnreadableYaml, read_yaml
from agents.src.skills import Built, Fault, Info, misplaced


def read_there(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, OSError):
        raise InvalidSkill(f"{shown(path)} cannot be read; make it a readable text file in UTF-8") from None


def take_apart(path: Path, there: str, defaults: Mapping[str, Any]) -> Info:
    """Raises InvalidSkill with what is wrong in the frontmatter, so that keys cannot be told apart."""
    plain = _plain(there)
    split = FRONT.match(plain)
    faults = read_text(path, plain, path.parent, deep=False)
    try:
        reading = read_yaml(split[2]) if split else None
    except UnreadableYaml:
        reading = None
    if split is None or reading is None or not isinstance(reading.value, dict | None) or reading.wrong:
        wrong = (
            told(faults, path) if isinstance(faults, list) else (f"{shown(path)} has no frontmatter between two lines of ---",)
        )
        raise InvalidSkill("\n".join(wrong))
    values = reading.value or {}
    lines = {key: reading.lines[key,] - 1 for key in values}
    return Info(split[1], split[2], split[3], split[4], values, lines, defaults)


def check_built(path: Path, built: Built, info: Info | None, beside: Path) -> None:
    """Raises InvalidSkill where the info.md would not be a skill, or other keys would not stay what they are."""
    found = read_text(path, built.text, beside)
    if isinstance(found, list):
        raise InvalidSkill("\n".join(told(found, path)))
    if astray := misplaced(info.values if info else {}, _values(built.text), built):
        raise InvalidSkill(f"{shown(path)}: {', '.join(astray)} cannot be set; begin a line of its own with each key")


def _values(text: str) -> dict[str, object]:
    split = FRONT.match(text)
    return dict(read_yaml(split[2]).value or {}) if split else {}


def program_of(text: str) -> object:
    try:
        return _values(text).get("run")
    except UnreadableYaml:
        return None


def _plain(text: str) -> str:
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n") if _crlf(text) else text


def as_in(there: str, text: str) -> str:
    """With the byte order mark and the line ends of the file whose place it takes."""
    return ("\ufeff" if there.startswith("\ufeff") else "") + (text.replace("\n", "\r\n") if _crlf(there) else text)


def _crlf(text: str) -> bool:
    return "\n" in text and text.count("\n") == text.count("\r\n")


def told(faults: Iterable[Fault], path: Path) -> tuple[str, ...]:
    return tuple(str(replace(fault, file=shown(path))) for fault in faults)
