"""The port: one skill's memory.md on this machine, and what it last agreed on with the shared memory."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from pydantic import Field

from agents.src.memory.entry import Mark, MemoryEntry
from agents.src.memory.store import Write
from agents.src.records import Kept


class Sent(Kept):
    """A write whose outcome may not be known yet. `expects` as in `Write`."""

    entry: MemoryEntry
    expects: str | None

    @property
    def write(self) -> Write:
        return Write(self.entry, self.expects)


class Advance(Kept):
    """A step of what is agreed. `base`: None for an entry that the shared memory no longer has. `seen`: writer → mark.

    `aside`: what the shared memory was seen to have, and could not be agreed on yet; it is kept because it is not pulled again.
    """

    base: dict[str, MemoryEntry | None] = Field(default_factory=dict)
    aside: dict[str, MemoryEntry] = Field(default_factory=dict)
    seen: dict[str, tuple[int, bool]] = Field(default_factory=dict)
    sent: tuple[Sent, ...] = ()
    number: int | None = None


class Intent(Kept):
    """What becomes true with the file of this generation."""

    generation: str
    advance: Advance


@dataclass(frozen=True, slots=True)
class State:
    """What the replica remembers. `generation` names the file that belongs to `base`; `number` is the writer's last push.

    `aside` as in `Advance`; an entry that becomes part of the base, or is forgotten, is no longer in it.
    """

    writer: str
    number: int = 0
    generation: str | None = None
    base: Mapping[str, MemoryEntry] = field(default_factory=dict)
    aside: Mapping[str, MemoryEntry] = field(default_factory=dict)
    seen: Mapping[str, Mark] = field(default_factory=dict)
    outbox: tuple[Sent, ...] = ()
    intent: Intent | None = None
    verified_at: float = 0.0

    def at(self, generation: str | None) -> Self:
        """The state that belongs to a file of this generation: an intent that came true, though nobody noted it, counts."""
        if self.intent is None or self.intent.generation != generation:
            return self
        return self.after(self.intent.advance, self.intent.generation)

    def after(self, step: Advance, generation: str | None = None) -> Self:
        """The state once a step is made; with a `generation`, it is the file's."""
        base = {**self.base, **step.base}
        aside = {entry_id: entry for entry_id, entry in self.aside.items() if entry_id not in step.base}
        return replace(
            self,
            number=self.number if step.number is None else step.number,
            generation=generation or self.generation,
            base={entry_id: entry for entry_id, entry in base.items() if entry is not None},
            aside={**aside, **step.aside},
            seen={**self.seen, **{writer: Mark(*mark) for writer, mark in step.seen.items()}},
            outbox=(*self.outbox, *step.sent),
            intent=None if generation else self.intent,
        )


class Replica(Protocol):
    """Every change of the state is durable, whole or not at all, when its call returns."""

    skill: str

    def locked(self) -> AbstractAsyncContextManager[None]:
        """One sync of this replica at a time, on this machine. Raises Unavailable after a wait, Misconfigured, InvalidMemory."""

    async def read(self) -> str | None:
        """The file's text, every byte of it; None where there is no file. Raises InvalidMemory where it is no text."""

    async def write(self, text: str, over: str | None) -> bool:
        """Replaces the file in one step, unless it no longer is `over`; whether it did. The former file is kept as a backup."""

    async def load(self) -> State:
        """The state; a new one, with a writer's name that was never used, where there is none."""

    async def intend(self, intent: Intent) -> None:
        """Notes what is about to become true."""

    async def advance(self, step: Advance, generation: str | None = None) -> None:
        """Makes a step; with a `generation`, it is the file's now, and no intent is left."""

    async def settle(self, landed: Mapping[str, MemoryEntry], refused: Mapping[str, MemoryEntry | None], number: int) -> None:
        """Takes the writes of the push of that number out of the outbox, and marks it as seen.

        Those that landed become part of the base. Of those that were refused, what stands there instead is kept aside (None:
        nothing does, and the base forgets the entry).
        """

    async def rename(self, *, unseen: bool = False) -> None:
        """Goes on under a writer's name that was never used, from number 0. The outbox stays.

        With `unseen`, it has seen no push of anybody.
        """

    async def verified(self, at: float) -> None:
        """Remembers when all revisions were last compared (seconds since 1970 UTC)."""
