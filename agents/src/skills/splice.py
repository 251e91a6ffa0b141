"""The verb: other values into an info.md's frontmatter, and every other byte of it kept."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PLAIN = re.compile(r"[A-Za-z](?:[^:#]|:(?=\S)|(?<=\S)#)*(?<! )")
WIDTH = 118


@dataclass(frozen=True, slots=True)
class Info:
    """An info.md as it stands, with line feeds only: its four parts together are all of it.

    `lines` says on which line of `front` (from 0) each key begins, `defaults` what the last build took from SKILL.md's metadata.
    """

    opening: str = "---\n"
    front: str = ""
    closing: str = "---\n"
    body: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


def key_text(key: str, value: str) -> str:
    """One key with a text, as YAML that reads back as the same."""
    line = f"{key}: {value}"
    if len(line) > WIDTH and value.isprintable() and value == " ".join(value.split()):
        folded = textwrap.wrap(value, WIDTH, break_long_words=False, break_on_hyphens=False)
        return "\n".join([f"{key}: >-", *(f"  {part}" for part in folded)])
    plain = value.isprintable() and PLAIN.fullmatch(value) and value.lower() not in ("true", "false", "null")
    return line if plain else f"{key}: {quoted(value)}"


def quoted(value: str) -> str:
    """JSON's string is one of YAML's, once what YAML takes for a line break or refuses is escaped."""
    letters = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in letters)


def splice(info: Info, texts: Mapping[str, str], gone: Iterable[str]) -> str:
    """The frontmatter with these keys put into their places, or at its end, and those gone; all else as it is."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", info.front)
    starts = sorted(info.lines.values())
    for key in sorted(info.lines, key=lambda key: -info.lines[key]):
        if key in texts or key in gone:
            begin, end = _span(lines, starts, info.lines[key])
            lines[begin:end] = [f"{texts[key]}\n"] if key in texts else []
    added = [f"{text}\n" for key, text in texts.items() if key not in info.lines]
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines, *added])


def _span(lines: list[str], starts: list[int], begin: int) -> tuple[int, int]:
    """From a key to the next, without empty lines and remarks above that."""
    end = next((start for start in starts if start > begin), len(lines))
    while end > begin + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return begin, end


def same(one: Any, other: Any) -> bool:
    """As JSON, where true is not 1."""
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str)
