"""A memory.md as a value: its entries, and everything around them. `docs/memory-md.md` is the specification."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from agents.src.memory.blocks import BYTE_ORDER_MARK, Block, Kind, cut
from agents.src.memory.layout import Layout, newline_of, rewritten
from agents.src.memory.placing import Addition, Places, sections
from agents.src.memory.wording import normalised

__all__ = ["Addition", "Document", "Item", "normalised"]

NO_NOTES: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as it stands in the file. `id`: as its marker says, None where it has none. `line` counts from 1.

    `normalised(text)` gives the very same text, or refuses it.
    """

    text: str
    section: str
    id: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text, taken apart. `generation`: what the file says it was made from, None where it says nothing."""

    items: tuple[Item, ...]
    generation: str | None
    _blocks: tuple[Block, ...] = field(repr=False)
    _start: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Never refuses: what is no entry is kept as it is."""
        start = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
        blocks = tuple(cut(text[len(start) :]))
        marks = [block.value for block in blocks if block.kind is Kind.MARK]
        return cls(tuple(_items(blocks)), marks[-1] if marks else None, blocks, start)

    def render(self) -> str:
        """The text that was parsed."""
        return self._start + "".join(block.raw for block in self._blocks)

    def edited(
        self,
        *,
        ids: Mapping[int, str],
        texts: Mapping[int, str],
        gone: Collection[int],
        added: Sequence[Addition],
        generation: str,
        notes: Mapping[int, str] = NO_NOTES,
    ) -> str:
        """The new file's text. Keys and `gone` are indexes of `items`; texts are `normalised`.

        `ids`: what their markers are to say. `texts`: what they are to say. `gone`: taken out. `notes`: words in their markers,
        in place of older ones. Raises ValueError where an id or the generation has not the documented form, and where an item
        is to say something else and has no id.
        """
        names = self._names(ids)
        changed: dict[int, str | None] = {}
        newline = newline_of(line for block in self._blocks for line in block.lines)
        for index, number in enumerate(self._entries):
            block = self._blocks[number]
            new = None if index in gone else rewritten(block, ids.get(index), texts.get(index), notes.get(index), newline)
            if new != block.raw:
                changed[number] = new
        if not changed and not added and generation == self.generation:
            return self.render()
        places = Places(self._blocks, names.values(), added)
        return self._start + Layout(self._blocks, changed, names, places).text(generation)

    @property
    def _entries(self) -> list[int]:
        """The numbers of the items' blocks."""
        return [number for number, block in enumerate(self._blocks) if block.kind is Kind.ENTRY]

    def _names(self, ids: Mapping[int, str]) -> dict[int, str]:
        """Number of a block → its entry's id. Where several lines have the same marker, one of them counts."""
        marked = {item.id: index for index, item in reversed(list(enumerate(self.items))) if item.id and index not in ids}
        bearers = marked | {entry: index for index, entry in ids.items()}
        entries = self._entries
        return {entries[index]: entry for entry, index in bearers.items()}


def _items(blocks: Sequence[Block]) -> Iterator[Item]:
    line = 1
    for block, section in zip(blocks, sections(blocks), strict=True):
        if block.kind is Kind.ENTRY:
            yield Item(block.value, section, block.marker.id if block.marker else None, line)
        line += len(block.lines)
