"""The port: the shared memory, where replicas meet. Qdrant, or something that behaves like it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.src.memory.entry import Mark, MemoryEntry

MOST_WRITES = 64
"""Entries in one write."""


@dataclass(frozen=True, slots=True)
class Write:
    """An entry to be put in place of the revision `expects`; None: no entry of this skill and id may be there, dead or alive."""

    entry: MemoryEntry
    expects: str | None


@dataclass(frozen=True, slots=True)
class MemoryPage:
    """Entries in the order of their ids within the store, and the cursor of the next page."""

    items: tuple[MemoryEntry, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A found entry; a higher score fits better. Scores of different searches cannot be compared."""

    entry: MemoryEntry
    score: float


class MemoryStore(Protocol):
    """Raises Unavailable where the memory is out of reach: then a write may or may not have been done."""

    async def changes(self, skill: str, seen: Mapping[str, Mark]) -> tuple[MemoryEntry, ...]:
        """All entries, dead ones too, but those that a replica has `seen` by its marks (writer → mark).

        Of a writer whose mark is not whole, its last push is given once more. Direct writes are always given.
        """

    async def count(self, skill: str) -> int:
        """Of live entries."""

    async def revisions(self, skill: str) -> dict[str, str]:
        """Id → revision of all entries, dead ones too: the whole set, in as few bytes as it can be had."""

    async def get(self, skill: str, ids: Collection[str]) -> dict[str, MemoryEntry]:
        """Those that are there, dead or alive."""

    async def write(self, writes: Sequence[Write]) -> dict[str, MemoryEntry | None]:
        """Writes up to MOST_WRITES entries of one skill in one request, each only over what it expects, and looks.

        Gives for each id what stands there now: the entry itself where it was written (or had been before), another, or None.
        """

    async def adopt(self, entries: Sequence[MemoryEntry], writer: str, number: int) -> None:
        """Puts direct writes into a writer's sequence, as its push of that number. Passes over those that have changed since."""

    async def page(self, skills: Collection[str] | None, cursor: str | None, limit: int) -> MemoryPage:
        """Live entries of these skills (None: of all)."""

    async def search(self, query: str, skills: Collection[str] | None, limit: int) -> tuple[Hit, ...]:
        """Live entries that fit the words best, of these skills (None: of all)."""

    async def purge(self, before: float) -> int:
        """Removes tombstones last changed before then (seconds since 1970 UTC), but never a writer's last push; how many."""

    async def close(self) -> None: ...
