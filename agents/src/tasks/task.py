"""The noun: one request to a skill, durable, with a status and a result."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from agents.src.errors import IllegalMove
from agents.src.memory import Lesson
from agents.src.records import Kept


class Status(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    """Accepted and durable; waits for a worker (or for its next attempt)."""
    RUNNING = "running"
    """One run holds its lease."""
    INPUT_REQUIRED = "input_required"
    """Waits for answers, or to be resumed. For a while the run that asked holds it, its process alive; then no run does."""
    COMPLETED = "completed"
    """Ended with a result."""
    FAILED = "failed"
    """Ended with an error that says why."""
    CANCELLED = "cancelled"
    """Ended because its caller said so."""

    @property
    def ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

MOVES: dict[Status, frozenset[Status]] = {
    # To input_required: it was paused before a run took it.
    Status.QUEUED: frozenset({Status.RUNNING, Status.INPUT_REQUIRED, Status.FAILED, Status.CANCELLED}),
    # Back to queued: the run failed or its worker died, and the policy grants another attempt.
    Status.RUNNING: frozenset({Status.QUEUED, Status.INPUT_REQUIRED, *ENDED}),
    # To running: a run held it until it was answered; to queued: none did, or the one that did is gone, or it was resumed.
    Status.INPUT_REQUIRED: frozenset({Status.QUEUED, Status.RUNNING, *ENDED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


class Usage(Kept):
    """Tokens and cost, and for how long runs held their workers. Adding two gives both.

    `compute_usd`: None where a second of it had no known price.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    cost_usd: float = 0.0
    compute_seconds: float = 0.0
    compute_usd: float | None = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_creation_tokens=self.cache_creation_tokens + other.cache_creation_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            compute_seconds=self.compute_seconds + other.compute_seconds,
            compute_usd=known_sum(self.compute_usd, other.compute_usd),
        )


def known_sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


NOTHING_USED = Usage()


class Artifact(Kept):
    """A file that a run left in its output folder. `size` in bytes."""

    name: str
    size: int
    media_type: str


class Result(Kept):
    """What a completed task gives: text to read, data to compute with, files to fetch, and what it learned.

    `summary`: the engine's own; empty where it gave none.
    """

    text: str = ""
    summary: str = ""
    data: Any = None
    artifacts: tuple[Artifact, ...] = ()
    remembered: tuple[Lesson, ...] = ()


class Failure(Kept):
    """Why a task failed: an error type of `agents.src.errors`, its title, and what to do."""

    type: str
    title: str
    detail: str


class Callback(Kept):
    """Where word of a task is sent to. `secret` signs it (`whsec_…`); None: it is not signed."""

    url: str
    secret: str | None = Field(None, repr=False)


class Inbox(StrEnum):
    """How far word of a task has come to its caller."""

    WAITING = "waiting"
    """There is nothing to tell yet."""
    PENDING = "pending"
    """There is, and nobody has been told."""
    DELIVERED = "delivered"
    """It was handed to one of the caller's sessions, which may have lost it."""
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it stands in the store. Times are seconds since 1970 UTC."""

    id: str
    skill: str
    prompt: str
    caller: str
    created_at: float
    status: Status = Status.QUEUED
    args: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    attempt: int = 0
    result: Result | None = None
    error: Failure | None = None
    usage: Usage = NOTHING_USED
    started_at: float | None = None
    finished_at: float | None = None
    cancel_requested: bool = False
    run_at: float = 0.0
    """For a queued task: not before this."""
    waiting: int = 0
    """How many of its questions wait for an answer."""
    resumed: int = 0
    """How many of its attempts went on with what an earlier one had begun, after an answer or a pause."""
    session: int | None = None
    """The attempt that began what the next one, or the running one, goes on with. None: the next begins anew."""
    inbox: Inbox | None = None
    """None: its caller does not want to be told."""
    callback: Callback | None = None
    conversation: str | None = None
    """The name of the conversation that it belongs to."""
    workdir: str | None = None
    """The folder of this machine that it works in, as its caller was allowed to; None: in one of its own."""
    paused: bool = False
    """Whether its caller has it stand still. A run that holds it is about to let go."""
    said: int = 0
    """How many messages its caller has said to it since it was accepted."""
    heard: int = 0
    """How many of them the attempts were given that the next one goes on with."""
    budget_usd: float | None = None
    """US dollars that it may spend, as far as that was raised until now; None: its own limit is none."""

    def to(self, status: Status, **changes: Any) -> Self:
        """The task after a move to `status`; IllegalMove where the table of moves has no such move."""
        if status not in MOVES[self.status]:
            raise IllegalMove(f"Task {self.id} is {self.status}; it cannot become {status}.")
        return replace(self, status=status, **changes)
