"""The port: where tasks and their events are kept. Every change of a task and the event that tells of it are one transaction."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.src.tasks.brief import Brief
from agents.src.tasks.crowd import Places
from agents.src.tasks.event import Draft, Event
from agents.src.tasks.output import Output
from agents.src.tasks.run import Claim, Ending, Run
from agents.src.tasks.task import Status, Task, Usage
from agents.src.tasks.wishes import Wishes


class LeaseLost(Exception):
    """Another attempt at the task has begun, or it has ended: this run's writes are refused."""


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key and the fingerprint of the request that came with it."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Added:
    """`run` where a claim came with the task; `created` is False where the idempotency key was known.

    `warnings` are among its events.
    """

    task: Task
    run: Run | None
    created: bool
    warnings: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a worker got, and when the next queued task that is not due yet will be (seconds since 1970 UTC)."""

    runs: tuple[Run, ...]
    next_due: float | None


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to list; None means all."""

    caller: str | None = None
    status: Status | None = None
    skill: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks, newest first, and the cursor of the next page."""

    items: tuple[Task, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """How many tasks stand where, and what they used."""

    by_status: dict[Status, int]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued task that is due, and the call that is to run it; None where none was ever made."""

    task_id: str
    call_id: str | None


class TaskStore(Protocol):
    """Times are seconds since 1970 UTC. Raises Unavailable where the database is out of reach."""

    async def add(
        self,
        task: Task,
        brief: Brief,
        key: Key | None = None,
        claim: Claim | None = None,
        then: Callable[[Added], None] | None = None,
        places: Places | None = None,
    ) -> Added:
        """Keeps a queued task with its `submitted` event; with a claim it is running in the same transaction.

        `then` is called on the event loop once the task is kept, or found by its key, even if the caller was cancelled meanwhile.
        With `places`, a caller who has many tasks at once is warned: the event comes after `submitted`.
        Raises KeyReused where the caller used the key with another request.
        """

    async def get(self, task_id: str) -> Task:
        """Raises UnknownTask."""

    async def output(self, task_id: str) -> Output | None:
        """What the runs that are over said; None where they said nothing."""

    async def ended(self, task_ids: Collection[str]) -> frozenset[str]:
        """Those of these that have ended."""

    async def page(self, which: TaskFilter, cursor: str | None, limit: int) -> Page: ...

    async def totals(self, caller: str | None) -> Totals:
        """Of one caller, or of all."""

    async def events(self, task_id: str, after: int, limit: int) -> tuple[Event, ...]:
        """Those with a number above `after`, in order: up to `limit`, fewer where they are large, none only after the last."""

    async def last_events(self, task_id: str, limit: int) -> tuple[Event, ...]:
        """The last ones, in order: up to `limit`, fewer where they are large."""

    async def claim(self, claim: Claim, limit: int, full: Collection[str] = ()) -> Claimed:
        """Takes up to `limit` queued tasks that are due, by priority, then age; none of the skills that are `full`."""

    async def claim_one(self, task_id: str, claim: Claim) -> Run | None:
        """Takes this task if it is queued and due. None where it is not."""

    async def append(self, run: Run, drafts: Sequence[Draft], batch: int | None = None) -> None:
        """Numbers and keeps events of a run, with the lessons they tell of, and adds their usage to the task. Raises LeaseLost.

        `batch` counts a run's batches from 1: one that was kept before, though its writer never heard so, is passed over. None
        is for what is never written again.
        """

    async def settle(self, run: Run, ending: Ending, again: bool = False) -> Task:
        """Moves the task from running to where the ending says. Raises LeaseLost.

        `again`: it was tried before without an answer. Then an attempt that has ended so already is passed over.
        """

    async def renew(self, claim: Claim, runs: Collection[str]) -> dict[str, Wishes]:
        """Extends the leases of these of the worker's runs: the id of each run it holds → what its caller wants of it.

        A run that the worker holds but no longer carries out, because it could not be settled, is left to expire.
        """

    async def wishes(self, worker: str) -> dict[str, Wishes]:
        """By the id of the run, for those of the worker's of which something is wanted."""

    async def said(self, task_id: str, after: int) -> tuple[str, ...]:
        """The caller's messages to the task, without the first `after`."""

    async def hush(self, run: Run, heard: int) -> bool:
        """Whether this is all that was said; then nothing more is said to this run, and it may complete. Raises LeaseLost."""

    async def request_cancel(self, task_id: str) -> Task:
        """A queued task is cancelled at once, a running one is told to end. Raises AlreadyEnded, UnknownTask."""

    async def workers(self) -> frozenset[str]:
        """The names of those that hold a lease."""

    async def abandoned(self, gone: Collection[str]) -> tuple[Run, ...]:
        """Runs whose lease has expired, or whose worker is known to be gone."""

    async def note_call(self, task_id: str, call_id: str) -> None:
        """Remembers the call that is to run the task, in place of an earlier one."""

    async def waiting(self, since: float) -> tuple[Waiting, ...]:
        """Queued tasks that have been due for longer than `since`, by priority, then age."""
