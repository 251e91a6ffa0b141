"""The verb: what a run is given of its skill's memory: entries that fit its prompt, best first, as many as there is room for."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import structlog

from agents.src.errors import Problem
from agents.src.memory.entry import MemoryEntry
from agents.src.memory.lesson import Recalled
from agents.src.memory.store import MemoryStore

CHARACTERS = 4
"""Of a token, reckoned roughly."""
MOST = 256
"""Entries that a run is given at most, however short they are."""
LONGEST_QUERY = 4000
"""Characters of the prompt that are searched for."""
PATIENCE = 5.0
"""Seconds that a run waits for its memory before it begins without."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recollection:
    """What was recalled, best first; or, in `warning`, why nothing could be."""

    entries: tuple[Recalled, ...] = ()
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Recall:
    """`open_store` is asked when a run needs its memory, None where there cannot be any yet; `tokens` is the room there is, 0 for
    none; `patience` in seconds.
    """

    open_store: Callable[[], MemoryStore | None]
    tokens: int
    patience: float = PATIENCE

    async def recall(self, skill: str, prompt: str) -> Recollection:
        """Never raises: a run that has to do without its memory is told so, and goes on."""
        if not self.tokens:
            return Recollection()
        try:
            if (store := self.open_store()) is None:
                return Recollection()
            async with asyncio.timeout(self.patience):
                entries = await self._fitting(store, skill, prompt[:LONGEST_QUERY])
        except TimeoutError:
            why = f"It did not answer within {self.patience:g} seconds. Run `agents doctor`."
        except Problem as problem:
            why = problem.detail
        except Exception:  # a run does not fail for want of its memory, whatever is wrong with that
            log.exception("recall_broke", skill=skill)
            why = "It failed with an error of its own; the server's log has it."
        else:
            return Recollection(tuple(recalled(entry) for entry in entries))
        return Recollection(warning=f"The skill's memory could not be read, so that the task runs without it. {why}")

    async def _fitting(self, store: MemoryStore, skill: str, prompt: str) -> list[MemoryEntry]:
        room, count = self.tokens * CHARACTERS, await store.count(skill)
        if not count:
            return []
        found = [hit.entry for hit in await store.search(prompt, [skill], MOST)] if prompt.strip() else []
        if count <= MOST:
            everything = (await store.page([skill], None, MOST)).items
            if sum(map(size, everything)) <= room:
                return [*found, *others(everything, found)]
        return list(within(found, room))


def others(entries: Iterable[MemoryEntry], found: Iterable[MemoryEntry]) -> list[MemoryEntry]:
    """Those entries that were not found."""
    ids = {entry.id for entry in found}
    return [entry for entry in entries if entry.id not in ids]


def within(entries: Iterable[MemoryEntry], room: int) -> Iterator[MemoryEntry]:
    """Those that there is room for, whole ones only: one that is too long makes way for the next."""
    for entry in entries:
        if size(entry) <= room:
            room -= size(entry)
            yield entry


def size(entry: MemoryEntry) -> int:
    """Characters that an entry takes up, with what surrounds it."""
    return len(entry.id) + len(entry.section) + len(entry.text) + CHARACTERS


def recalled(entry: MemoryEntry) -> Recalled:
    return Recalled(id=entry.id, text=entry.text, section=entry.section, rev=entry.rev)
