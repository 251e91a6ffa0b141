"""The noun: one attempt at a task by a worker; and how such an attempt can end."""

from dataclasses import dataclass

from agents.src.tasks.brief import Brief
from agents.src.tasks.event import Draft, EventType
from agents.src.tasks.output import Output
from agents.src.tasks.task import NOTHING_USED, Failure, Result, Status, Task, Usage


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's wish to run tasks, and until when its lease on them holds (seconds since 1970 UTC)."""

    worker: str
    until: float


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt. Worker and attempt number fence it: once another attempt has begun, its writes are refused."""

    task: Task
    brief: Brief
    worker: str

    @property
    def id(self) -> str:
        return f"{self.task.id}:{self.task.attempt}"

    @property
    def session(self) -> str:
        """Names the work that this attempt does: the same for all that go on with what one of them began."""
        return f"{self.task.id}:{self.task.session or self.task.attempt}"

    @property
    def goes_on(self) -> bool:
        """Whether it goes on with what an earlier attempt began."""
        return self.session != self.id


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run leaves its task: the status, the event that says so, and for `queued` when it may run again.

    `input_required` means `queued` where all questions have been answered meanwhile and the task is not paused; `queued` means
    `input_required` where it is. `heard`: how many of its caller's messages it was given, by the word of its engine.
    `output`: what the record keeps of what the run said, after what earlier attempts did. `held`: for how long it held its
    worker, and what that cost.
    """

    status: Status
    event: Draft
    result: Result | None = None
    error: Failure | None = None
    run_at: float | None = None
    heard: int | None = None
    output: Output | None = None
    held: Usage = NOTHING_USED


def completed(result: Result) -> Ending:
    names = [artifact.name for artifact in result.artifacts]
    return Ending(Status.COMPLETED, Draft(EventType.COMPLETED, {"artifacts": names} if names else {}), result=result)


def failed(failure: Failure, leftovers: Result | None = None) -> Ending:
    """`leftovers`: the last part of what the run had said, what it had learned and the artifacts it had made, until then."""
    return Ending(Status.FAILED, Draft(EventType.FAILED, {"error": failure.model_dump()}), result=leftovers, error=failure)


def cancelled(leftovers: Result | None = None) -> Ending:
    return Ending(Status.CANCELLED, Draft(EventType.CANCELLED), result=leftovers)


def parked(heard: int | None = None) -> Ending:
    """The run waited for answers as long as it could afford to, or is paused; the next one goes on."""
    return Ending(Status.INPUT_REQUIRED, Draft(EventType.PARKED), heard=heard)


def requeued(reason: str, attempt: int, run_at: float, delay: float) -> Ending:
    event = Draft(EventType.REQUEUED, {"reason": reason, "attempt": attempt, "delay": delay})
    return Ending(Status.QUEUED, event, run_at=run_at)
