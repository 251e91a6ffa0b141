"""What a caller is told who asked to be: the noun, the port where it is kept, and the verb that hands it over as it comes."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from agents.src.clock import Clock
from agents.src.tasks.event import Event, EventType
from agents.src.tasks.hub import Hub
from agents.src.tasks.question import Asked
from agents.src.tasks.tail import IDLE
from agents.src.tasks.task import Status, Task

PAGE = 100
PAUSE = 0.1
"""Seconds between two looks: other processes announce that something changed, not for whom."""


class EntryKind(StrEnum):
    """What there is to tell."""

    ENDED = "ended"
    """A task ended."""
    QUESTION = "question"
    """A task waits for an answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`id` is the task's or the question's; `at` is when it ended or was asked, in seconds since 1970 UTC."""

    kind: EntryKind
    id: str
    task_id: str
    skill: str
    status: Status
    summary: str
    at: float
    asked: Asked | None = None


class InboxStore(Protocol):
    """Of tasks that were submitted with an inbox: those that ended, and questions that wait. Raises Unavailable."""

    async def take(self, caller: str, limit: int, told: Collection[str] = ()) -> tuple[Entry, ...]:
        """What the caller has not seen, the oldest first, but for the ids in `told`; from now on it is `delivered`."""

    async def peek(self, caller: str, limit: int) -> tuple[Entry, ...]:
        """The same, and nothing changes."""

    async def seen(self, caller: str, ids: Collection[str]) -> int:
        """Takes entries out for good; how many were there."""


async def arrivals(inbox: InboxStore, hub: Hub, clock: Clock, caller: str) -> AsyncGenerator[Sequence[Entry], None]:
    """What the caller has not seen, then what comes, each entry once. Ends when the hub closes.

    An empty batch comes after `IDLE` seconds without entries.
    """
    told: set[str] = set()
    with Ear(hub, caller) as ear:
        while not hub.closed:
            ear.wake.clear()
            while not hub.closed and (batch := await inbox.take(caller, PAGE, told)):
                told.update(entry.id for entry in batch)
                yield batch
            if not await ear.heard_within(IDLE):
                yield ()
            elif ear.hearsay and not hub.closed:
                await clock.sleep(PAUSE)


class Ear:
    """Wakes when there may be something new for this caller."""

    def __init__(self, hub: Hub, caller: str) -> None:
        self._hub = hub
        self._caller = caller
        self.wake = asyncio.Event()
        self.hearsay = False
        """Whether it was woken by what may concern somebody else."""

    def __enter__(self) -> "Ear":
        self._hub.listeners.append(self._event)
        self._hub.ending_listeners.append(self._ending)
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.listeners.remove(self._event)
        self._hub.ending_listeners.remove(self._ending)

    async def heard_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return False
        return True

    def _event(self, events: Sequence[Event]) -> None:
        if not events or any(event.type is EventType.QUESTION_ASKED for event in events):
            self.hearsay = True
            self.wake.set()

    def _ending(self, task: Task) -> None:
        if task.inbox and task.caller == self._caller:
            self.hearsay = False
            self.wake.set()
