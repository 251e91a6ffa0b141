"""Finds where new entries go in a memory.md."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.src.memory.blocks import Block, Kind
from agents.src.memory.wording import normalised_section

START = -1
"""In the place of a block's number: before the first."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A new entry: behind the entry `after` where that is in the file, else last in its section. `note`: words in its marker."""

    id: str
    text: str
    section: str = ""
    after: str | None = None
    note: str = ""


def sections(blocks: Iterable[Block]) -> Iterator[str]:
    """Each block's section. A file's first heading, where it is one of level 1, is its title: no section."""
    section, titled = "", False
    for block in blocks:
        if block.kind is Kind.HEADING:
            section = block.value if titled or block.level > 1 else ""
            titled = True
        yield section


class Places:
    """Where additions go. `behind` a block, by its number; in a `new` section, by its name; or behind the entry they follow."""

    def __init__(self, blocks: Sequence[Block], ids: Iterable[str], added: Sequence[Addition]) -> None:
        """`ids`: of the entries in the file."""
        self.behind: dict[int, list[Addition]] = {}
        self.new: dict[str, list[Addition]] = {}
        self._followers: dict[str, list[Addition]] = {}
        there, ends = set(ids), _ends(blocks)
        for addition in added:
            section = normalised_section(addition.section)
            if addition.after is not None and addition.after in there:
                self._followers.setdefault(addition.after, []).append(addition)
            elif section in ends:
                self.behind.setdefault(ends[section], []).append(addition)
            else:
                self.new.setdefault(section, []).append(addition)
            there.add(addition.id)

    def following(self, entry: str) -> Iterator[Addition]:
        """All that follow an entry, also by way of others."""
        return self.each(self._followers.get(entry, []))

    def each(self, added: Sequence[Addition]) -> Iterator[Addition]:
        """These additions, each with all that follow it."""
        waiting = list(reversed(added))
        while waiting:
            addition = waiting.pop()
            yield addition
            waiting += reversed(self._followers.get(addition.id, []))


def _ends(blocks: Sequence[Block]) -> dict[str, int]:
    """Section → its last entry; where it has none, the last block with words below its first heading, or that heading."""
    ends, entries = {"": START}, {}
    current: str | None = ""
    for number, (block, section) in enumerate(zip(blocks, sections(blocks), strict=True)):
        if block.kind is Kind.HEADING:
            title = block.level == 1 and not section
            current = section if title or section not in ends else None
        if block.kind is Kind.ENTRY:
            entries[section] = number
        if current is not None and block.has_words:
            ends[current] = number
    return ends | entries
