"""Cuts a memory.md into blocks: entries, headings, marks, and whatever else. `docs/memory-md.md` is the specification.

What any other line is must not change when an entry comes, goes or changes. So code and comments never end at a line of an
entry that carries a marker, and an indented line belongs to whatever list item it stands under.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from agents.src.memory.wording import GENERATION, MARKER, SPACE, normalised_section, tidy, title

LISTED = re.compile(r"[ \t]*(?:[-*+]|[0-9]{1,9}[.)])(?:[ \t]|$)")
BULLET = re.compile(r"[ \t]*[-*+](?:[ \t]+|$)")
ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
BREAK = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})")
FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
MARK = re.compile(rf"<!--[ \t]*sync:({GENERATION})[ \t]*-->[ \t]*")
FRONTMATTER = "---"
BYTE_ORDER_MARK = "\ufeff"
FARTHEST = 3
"""The column (from 0) up to which a block can begin; farther to the right it is indented code."""
INSIDE = 2
"""The column from which a line can belong to a list item."""
TAB = 4


class Kind(Enum):
    """What a block is."""

    ENTRY = auto()
    HEADING = auto()
    MARK = auto()
    BLANK = auto()
    PLAIN = auto()
    """A line that would be a heading, were the next one of `---` or `===`."""
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Marker:
    """Where an entry's marker stands: in which of its lines, from where to where; and what it says."""

    line: int
    start: int
    end: int
    id: str
    words: str


@dataclass(frozen=True, slots=True)
class Block:
    """`lines` with their ends. `value`: an entry's text, a heading's text, a mark's generation.

    `column`: of a list item's bullet or number; indented lines below belong to it.
    """

    kind: Kind
    lines: tuple[str, ...]
    value: str = ""
    level: int = 0
    column: int | None = None
    marker: Marker | None = None

    @property
    def raw(self) -> str:
        return "".join(self.lines)

    @property
    def end(self) -> str:
        """What ends its last line; empty where the file ends first."""
        return self.lines[-1][len(body(self.lines[-1])) :]

    @property
    def has_words(self) -> bool:
        """Whether a person wrote something here."""
        return self.kind not in (Kind.BLANK, Kind.MARK)


def cut(text: str) -> Iterator[Block]:
    """Blocks that together are the text, byte for byte."""
    source = _Source(text)
    at = 0
    while at < len(source.lines):
        block = source.block(at)
        yield block
        at += len(block.lines)


def body(line: str) -> str:
    """A line without its end. Nothing but "\\n" and "\\r\\n" ends one."""
    return line.removesuffix("\n").removesuffix("\r")


def column(line: str) -> int:
    """How far a line is indented; a tab reaches to the next multiple of four."""
    return len(line[: len(line) - len(line.lstrip(SPACE))].expandtabs(TAB))


def belongs(line: str, owner: int) -> bool:
    """Whether a line is part of the list item above it, whose bullet stands in the column `owner`."""
    indent = column(line)
    return indent >= INSIDE and not (indent <= owner and LISTED.match(line))


def lead(line: str) -> str:
    """What stands before an entry's text and is as wide as its other lines are indented, such as `- `."""
    found = BULLET.match(line)
    whole = found[0] if found else ""
    stem = whole.rstrip(SPACE)
    usual = len(whole.expandtabs(TAB)) - len(stem) <= TAB and whole != line
    return whole if usual else f"{stem} "


def dedented(line: str, width: int) -> str:
    if line.startswith(" " * width):
        return line[width:]
    return " " * (column(line) - width) + line.lstrip(SPACE)


class _Source:
    """A text, by lines. What looks for a block's end gives the number of the line behind it, or 0: there is no such block.

    It is asked for blocks from the top down, and remembers where it has looked in vain: a thousand fences that nothing closes
    would each look through all that follows.
    """

    def __init__(self, text: str) -> None:
        *lines, last = text.split("\n")
        self.lines = [f"{line}\n" for line in lines] + ([last] if last else [])
        self.bodies = [body(line) for line in self.lines]
        self._unclosed: dict[tuple[int, str], tuple[int, int]] = {}
        """By the column and the sign of a fence: how many signs long none ends, before which line."""
        self._uncommented = 0
        """The line before which no comment of several lines ends."""

    def block(self, at: int) -> Block:
        line = self.bodies[at]
        if not line.strip(SPACE):
            return Block(Kind.BLANK, (self.lines[at],))
        if found := MARK.fullmatch(line):
            return Block(Kind.MARK, (self.lines[at],), found[1])
        if end := self._frontmatter(at) or self._code(at) or self._comment(at):
            return Block(Kind.OTHER, tuple(self.lines[at:end]))
        if column(line) > FARTHEST or line.lstrip(SPACE).startswith(">") or FENCE.match(line) or BREAK.fullmatch(line):
            return Block(Kind.OTHER, (self.lines[at],))
        if LISTED.match(line):
            return self._list_item(at)
        return self._heading(at) or Block(Kind.PLAIN, (self.lines[at],))

    def _frontmatter(self, at: int) -> int:
        if at == 0 and self.bodies[0].rstrip(SPACE) == FRONTMATTER:
            for number in range(1, len(self.lines)):
                if self.bodies[number].rstrip(SPACE) == FRONTMATTER:
                    return number + 1
        return 0

    def _code(self, at: int) -> int:
        """Fenced code. It ends in the column in which it began, so that no indented line of an entry can end it."""
        opening = FENCE.match(self.bodies[at])
        if not opening:
            return 0
        indent, fence = opening.start(1), opening[1]
        length, until = self._unclosed.get((indent, fence[0]), (0, 0))
        if at < until and len(fence) >= length:
            return 0
        closing = re.compile(rf" {{{indent}}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*")
        for number in range(at + 1, len(self.lines)):
            line = self.bodies[number]
            if closing.fullmatch(line):
                return number + 1
            if indent >= INSIDE > column(line) and line.strip(SPACE) and not MARK.fullmatch(line):
                break
        else:
            number = len(self.lines)
        self._unclosed[indent, fence[0]] = len(fence), number
        return 0

    def _comment(self, at: int) -> int:
        """A comment. One of several lines ends at the margin, before another begins, and never with an entry's marker."""
        line = self.bodies[at]
        if column(line) > FARTHEST or not line.lstrip(SPACE).startswith("<!--"):
            return 0
        if "-->" in line:
            return at + 1
        if at < self._uncommented:
            return 0
        for number in range(at + 1, len(self.lines)):
            line = self.bodies[number]
            if column(line) >= INSIDE or ATX.match(line) or MARK.fullmatch(line) or MARKER.search(line):
                continue
            before, ending, _ = line.partition("-->")
            if "<!--" not in before and ending:
                return number + 1
            if "<!--" in before and not LISTED.match(line):
                break
        else:
            number = len(self.lines)
        self._uncommented = number
        return 0

    def _list_item(self, at: int) -> Block:
        owner = column(self.bodies[at])
        end = at + 1
        for number in range(at + 1, len(self.lines)):
            if not self.bodies[number].strip(SPACE):
                continue
            if not belongs(self.bodies[number], owner):
                break
            end = number + 1
        lines, bodies = tuple(self.lines[at:end]), self.bodies[at:end]
        text = _text(bodies) if BULLET.match(bodies[0]) else ""
        if not text:
            return Block(Kind.OTHER, lines, column=owner)
        return Block(Kind.ENTRY, lines, text, column=owner, marker=_marker(bodies))

    def _heading(self, at: int) -> Block | None:
        line = self.bodies[at]
        if found := ATX.match(line):
            return Block(Kind.HEADING, (self.lines[at],), normalised_section(title(line[found.end() :])), len(found[1]))
        below = UNDERLINE.fullmatch(self.bodies[at + 1]) if at + 1 < len(self.lines) else None
        if not below:
            return None
        level = 1 if below[1].startswith("=") else 2
        return Block(Kind.HEADING, tuple(self.lines[at : at + 2]), normalised_section(line), level)


def heading_line(section: str) -> str:
    """The line of a heading of level 2 that makes this section."""
    return f"## {section}" if normalised_section(title(section)) == section else f"## {section} ##"


def _text(bodies: list[str]) -> str:
    found = BULLET.match(bodies[0])
    first = bodies[0][found.end() :] if found else bodies[0]
    width = len(lead(bodies[0]).expandtabs(TAB)) if len(bodies) > 1 else 0
    return tidy([first, *(dedented(line, width) for line in bodies[1:])])


def _marker(bodies: list[str]) -> Marker | None:
    """The last one in the first line that has any: a formatter may have moved it down from the first."""
    for number, line in enumerate(bodies):
        found = None
        for found in MARKER.finditer(line):  # noqa: B007
            pass
        if found:
            return Marker(number, found.start(), found.end(), found[1], found[2].strip(SPACE))
    return None
