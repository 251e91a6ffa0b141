"""Lays a memory.md out anew: what does not change keeps its bytes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.src.memory.blocks import BYTE_ORDER_MARK, FRONTMATTER, TAB, UNDERLINE, Block, Kind, belongs, body, heading_line, lead
from agents.src.memory.placing import START, Addition, Places
from agents.src.memory.wording import SPACE, mark, marker, one_line

TITLE = "# Memory"
SEPARATOR = "<!-- -->"
"""Keeps lines apart that would become one thing, where something between them was taken out or put in."""


def entry_lines(before: str, text: str, comment: str, newline: str) -> str:
    """An entry as it is written: `before` is its bullet with the spaces around it, `comment` its marker."""
    first, *others = text.split("\n")
    indent = " " * len(before.expandtabs(TAB))
    return newline.join([f"{before}{first} {comment}", *(f"{indent}{line}" if line else "" for line in others), ""])


def rewritten(block: Block, entry: str | None, text: str | None, words: str | None, newline: str) -> str:
    """An entry with another id, text, or words in its marker; None: as it is. Raises ValueError for a text without an id."""
    old = block.marker
    entry = entry or (old.id if old else None)
    if entry is None:
        if text in (None, block.value):
            return block.raw
        raise ValueError(f"the entry {block.value[:40]!r} needs an id to be given another text")
    if words is None:
        words = old.words if old and old.id == entry else ""
    if text is not None and text != block.value:
        written = entry_lines(lead(body(block.lines[0])), text, marker(entry, words), newline)
        return written.removesuffix(newline) + block.end
    if old and (old.id, one_line(old.words)) == (entry, one_line(words)):
        return block.raw
    return _marked(block, marker(entry, words))


def _marked(block: Block, comment: str) -> str:
    """An entry with another marker, every other byte as it was."""
    old, lines = block.marker, list(block.lines)
    if old:
        line = lines[old.line]
        lines[old.line] = line[: old.start] + comment + line[old.end :]
    else:
        words = body(lines[0]).rstrip(SPACE)
        lines[0] = f"{words} {comment}{lines[0][len(words) :]}"
    return "".join(lines)


def newline_of(lines: Iterable[str]) -> str:
    """The first end of a line that there is."""
    ended = next((line for line in lines if line.endswith("\n")), "\n")
    return ended[len(body(ended)) :]


@dataclass(slots=True)
class Layout:
    """`changed`: number of a block → its new text, None where it is left out. `ids`: number of a block → its entry's id."""

    blocks: Sequence[Block]
    changed: Mapping[int, str | None]
    ids: Mapping[int, str]
    places: Places

    def text(self, generation: str) -> str:
        """All of it but a byte order mark, with one mark of this generation, which stands last."""
        page = _Page(newline_of(line for block in self.blocks for line in block.lines))
        last = max((number for number, block in enumerate(self.blocks) if block.has_words), default=START)
        mark_at = max((number for number, block in enumerate(self.blocks) if block.kind is Kind.MARK), default=START)
        self._add(page, START, last)
        for number, block in enumerate(self.blocks):
            if block.kind is Kind.MARK:
                page.keep(block, f"{mark(generation)}{block.end}" if number == mark_at > last else None)
            else:
                page.keep(block, self.changed.get(number, block.raw))
            self._add(page, number, last)
        if mark_at <= last:
            page.finish(mark(generation))
        return "".join(page.parts)

    def _add(self, page: "_Page", number: int, last: int) -> None:
        """What goes behind the block of this number. `last`: of the blocks with words, behind which new sections go."""
        block = self.blocks[number] if number > START else None
        added = self.places.behind.get(number, [])
        if block and block.kind is Kind.ENTRY:
            before = lead(body(block.lines[0]))
            page.add(before, [*self.places.following(self.ids.get(number, "")), *self.places.each(added)])
        elif added:
            page.set_apart(TITLE if last == START else "")
            page.add(self._bullet, self.places.each(added))
            page.crowded = True
        if number == last:
            self._add_sections(page, titled=last > START or bool(added))

    def _add_sections(self, page: "_Page", *, titled: bool) -> None:
        for section, added in self.places.new.items():
            page.set_apart("" if titled else TITLE)
            page.set_apart(heading_line(section))
            page.add(self._bullet, self.places.each(added))
            page.crowded = titled = True

    @property
    def _bullet(self) -> str:
        first = next((block for block in self.blocks if block.kind is Kind.ENTRY), None)
        return f"{body(first.lines[0]).lstrip(SPACE)[0]} " if first else "- "


@dataclass(slots=True)
class _Page:
    """The new text as it grows. `above`: what its last line is; `owner`: the column of the list item that its last words are in.

    `seam`: something was left out or put in since the last block that was kept. `crowded`: a blank line is due.
    """

    newline: str
    parts: list[str] = field(default_factory=list)
    above: Kind | None = None
    owner: int | None = None
    seam: bool = False
    crowded: bool = False

    def keep(self, block: Block, text: str | None) -> None:
        """A block of the old text, as it is now; None: it is left out."""
        if text is None:
            self.seam = True
            return
        if block.kind is not Kind.BLANK:
            if self.crowded:
                self._put_blank()
            if self.seam and self._would_join(body(text.partition("\n")[0])):
                self._put(SEPARATOR + self.newline, Kind.OTHER)
            self.seam, self.owner = False, block.column
        self.crowded = False
        self._put(text, block.kind)

    def add(self, before: str, added: Iterable[Addition]) -> None:
        """New entries, one below the other."""
        for new in added:
            self._put(entry_lines(before, new.text, marker(new.id, new.note), self.newline), Kind.ENTRY)
            self.seam, self.owner = True, len(before) - len(before.lstrip(SPACE))

    def set_apart(self, line: str) -> None:
        """A line between blank lines; an empty one is not put in."""
        self._put_blank()
        if line:
            self._put(line + self.newline, Kind.HEADING)
            self.seam, self.owner = True, None
            self._put_blank()

    def finish(self, line: str) -> None:
        self._put_blank()
        self._put(line + self.newline, Kind.MARK)

    def _put_blank(self) -> None:
        if self.above not in (None, Kind.BLANK):
            self._put(self.newline, Kind.BLANK)

    def _put(self, text: str, kind: Kind) -> None:
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n" if self.parts[-1].endswith("\r") else self.newline)
        self.parts.append(text)
        self.above = kind

    def _would_join(self, line: str) -> bool:
        """Whether a line would be something else where it stands now: part of an entry, a heading, or how a file begins."""
        if self.owner is not None and belongs(line, self.owner):
            return True
        if self.above is None:
            return line.startswith(BYTE_ORDER_MARK) or line.rstrip(SPACE) == FRONTMATTER
        return self.above is Kind.PLAIN and bool(UNDERLINE.fullmatch(line))
