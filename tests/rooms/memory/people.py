"""What people do to a memory.md in an editor: on lines of text, without the program that is under test."""

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from agents.src.memory import Document
from agents.src.memory.rewrite import conflicts_in

MARKER = re.compile(r" ?<!-- m:[^>]* -->")


parsed = lru_cache(256)(Document.parse)


def texts_in(text: str | None) -> list[str]:
    """What the file's entries say, repeats once."""
    return list(dict.fromkeys(item.text for item in parsed(text or "").items))


def prose_in(text: str | None) -> list[str]:
    """Lines that people wrote around entries."""
    return [line for line in (text or "").replace("\r", "").split("\n") if line.startswith(("Prose", "## Part"))]


def with_lines(text: str | None, change: Callable[[list[str]], None]) -> str:
    """The text after a change of its lines, in its own style of newlines."""
    plain = (text or "").replace("\r\n", "\n")
    lines = plain.split("\n")
    change(lines)
    changed = "\n".join(lines)
    return changed.replace("\n", "\r\n") if text and "\r\n" in text else changed


def as_item(text: str, marker: str = "") -> list[str]:
    first, *rest = text.split("\n")
    return [f"- {first}{marker}", *(f"  {line}" for line in rest)]


def extent(lines: list[str], start: int) -> int:
    """Where the item that begins there ends."""
    end = start + 1
    while end < len(lines) and lines[end].startswith("  "):
        end += 1
    return end


def between(lines: list[str], pick: int) -> int:
    """A place that is in the middle of no item."""
    places = [at for at in range(len(lines) + 1) if at == len(lines) or not lines[at].startswith("  ")]
    return places[pick % len(places)]


def typed(text: str | None, new: str, pick: int) -> str:
    def change(lines: list[str]) -> None:
        at = between(lines, pick)
        lines[at:at] = as_item(new)

    return with_lines(text, change)


def noted(text: str | None, line: str, pick: int) -> str:
    """With a line of prose, or a heading, somewhere."""

    def change(lines: list[str]) -> None:
        at = between(lines, pick)
        lines[at:at] = [line]

    return with_lines(text, change)


def reworded(text: str, pick: int, new: str) -> str:
    """An item says something else, and keeps its marker."""
    start = start_of(text, pick)

    def change(lines: list[str]) -> None:
        marker = MARKER.search(lines[start])
        lines[start : extent(lines, start)] = as_item(new, marker[0] if marker else "")

    return with_lines(text, change)


def without(text: str, pick: int) -> str:
    start = start_of(text, pick)

    def change(lines: list[str]) -> None:
        del lines[start : extent(lines, start)]

    return with_lines(text, change)


def shifted(text: str, pick: int, where: int) -> str:
    start = start_of(text, pick)

    def change(lines: list[str]) -> None:
        end = extent(lines, start)
        item = lines[start:end]
        del lines[start:end]
        at = between(lines, where)
        lines[at:at] = item

    return with_lines(text, change)


def stripped(text: str, pick: int) -> str:
    start = start_of(text, pick)

    def change(lines: list[str]) -> None:
        lines[start] = MARKER.sub("", lines[start])

    return with_lines(text, change)


def copied(text: str, pick: int, new: str | None, where: int) -> str:
    """An item a second time, marker and all; saying something else, where `new` is given."""
    start = start_of(text, pick)

    def change(lines: list[str]) -> None:
        marker = MARKER.search(lines[start])
        item = lines[start : extent(lines, start)] if new is None else as_item(new, marker[0] if marker else "")
        at = between(lines, where)
        lines[at:at] = item

    return with_lines(text, change)


def start_of(text: str, pick: int) -> int:
    items = parsed(text).items
    return items[pick % len(items)].line - 1


def said_at(text: str, pick: int) -> str:
    items = parsed(text).items
    return items[pick % len(items)].text


def marker_at(text: str, pick: int) -> str:
    found = MARKER.search(text.replace("\r\n", "\n").split("\n")[start_of(text, pick)])
    return found[0] if found else ""


def sharing_markers(text: str | None) -> list[str]:
    """What lines say whose marker another line has too."""
    items = parsed(text or "").items
    bearers = Counter(item.id for item in items if item.id)
    return [item.text for item in items if bearers[item.id or ""] > 1]


def in_conflict(text: str | None) -> set[str]:
    """What lines say of which one is a sibling of another."""
    texts = {item.id: item.text for item in parsed(text or "").items if item.id}
    return {texts[which] for pair in conflicts_in(texts) for which in pair}
