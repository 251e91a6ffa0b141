"""Gathers what a sync does to a memory.md, and gives the new text."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agents.src.memory.document import Addition, Document
from agents.src.memory.entry import MemoryEntry
from agents.src.memory.identity import main_id

CONFLICT = "conflict: differs from the entry above; keep one of the two"


@dataclass(slots=True)
class Rewrite:
    """Changes of a document whose items have these ids (item index → id)."""

    document: Document
    ids: Mapping[int, str]
    texts: dict[int, str] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    added: list[Addition] = field(default_factory=list)
    _where: dict[str, int] = field(init=False)
    _repeats: dict[str, list[int]] = field(init=False)
    """Text → the lines that say it too, and are nobody's."""

    def __post_init__(self) -> None:
        self._where = {entry_id: index for index, entry_id in self.ids.items()}
        self._repeats = {}
        for index, item in enumerate(self.document.items):
            if index not in self.ids:
                self._repeats.setdefault(item.text, []).append(index)

    @property
    def needed(self) -> bool:
        """Whether the file changes, were it only by a marker."""
        unmarked = any(self.document.items[index].id != entry_id for index, entry_id in self.ids.items())
        return bool(unmarked or self.texts or self.gone or self.added)

    def put(self, entry: MemoryEntry) -> None:
        """The entry's line says what the entry says; no line for a dead one. Lines that only repeated it go."""
        index = self._where.get(entry.id)
        if index is None:
            if not entry.dead:
                self.added.append(Addition(entry.id, entry.text, entry.section, after=main_id(entry.id)))
        elif entry.dead or self.document.items[index].text != entry.text:
            self.gone.update(self._repeats.get(self.document.items[index].text, ()))
            if entry.dead:
                self.gone.add(index)
            else:
                self.texts[index] = entry.text

    def replace(self, entry_id: str, text: str) -> None:
        """Another text in an entry's line."""
        self.texts[self._where[entry_id]] = text

    def remove(self, entry_id: str) -> None:
        self.gone.add(self._where[entry_id])

    def leave(self, entry_id: str) -> None:
        """The entry's line as it is, without a marker of its own."""
        index = self._where.pop(entry_id)
        self.ids = {other: which for other, which in self.ids.items() if other != index}

    def beside(self, entry_id: str, sibling: str, text: str) -> None:
        """A sibling's line right behind the entry's."""
        self.added.append(Addition(sibling, text, self.document.items[self._where[entry_id]].section, after=entry_id))

    def text(self, generation: str) -> str:
        """The new file. A sibling whose other line is there says that it is in conflict; one that is alone no longer does."""
        standing = self.standing
        notes = {index: _note(entry_id, standing) for index, entry_id in self.ids.items() if "~" in entry_id}
        added = [Addition(new.id, new.text, new.section, new.after, _note(new.id, standing)) for new in self.added]
        return self.document.edited(
            ids=self.ids, texts=self.texts, gone=self.gone, added=added, generation=generation, notes=notes
        )

    @property
    def standing(self) -> set[str]:
        """The ids of the new file's entries."""
        kept = {entry_id for index, entry_id in self.ids.items() if index not in self.gone}
        return kept | {new.id for new in self.added}


def _note(entry_id: str, standing: set[str]) -> str:
    return CONFLICT if main_id(entry_id) in standing else ""


def conflicts_in(ids: Collection[str]) -> list[tuple[str, str]]:
    """Pairs of an entry and a sibling that both stand, among these ids."""
    return [(main, entry_id) for entry_id in ids if (main := main_id(entry_id)) in ids and main is not None]
