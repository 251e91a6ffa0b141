"""The verb: its caller has a task stand still, has it go on, and says more to it."""

from dataclasses import dataclass
from typing import Protocol

from agents.src.errors import AlreadyEnded, CannotPause, CannotSay, InvalidRequest, NotPaused
from agents.src.tasks.brief import Brief
from agents.src.tasks.question import LONGEST_TEXT
from agents.src.tasks.runner import Runner, get_going
from agents.src.tasks.task import Task

ENDING = "It is about to complete and takes no more messages. Submit a new task that goes on with what this one gives."
PROGRAM = (
    "It is a program, and a run of it is under way: it cannot stop and go on, only begin anew. Cancel the task, or let it end."
)
UNTALKATIVE = "It is a program, and reads no messages; only tasks of the claude engine do."


class SteeringStore(Protocol):
    """Each change and the event that tells of it are one transaction. Raises UnknownTask, Unavailable, and what the checks do."""

    async def pause(self, task_id: str) -> Task:
        """No run begins any more; one that is under way is told to make way."""

    async def resume(self, task_id: str) -> Task:
        """Back into the queue, unless the task waits for answers, or a run is still about to make way."""

    async def say(self, task_id: str, text: str, by: str, key: str | None = None) -> Task:
        """A message to the task; `by` is the name of who says it. Under the same key, it is said once."""


@dataclass(frozen=True, slots=True)
class Steering:
    """Without a `runner`, whoever works on the queue finds a resumed task there."""

    store: SteeringStore
    runner: Runner | None

    async def pause(self, task_id: str) -> Task:
        """The task as it stands then; twice is as once. Raises UnknownTask, AlreadyEnded, CannotPause."""
        return await self.store.pause(task_id)

    async def resume(self, task_id: str) -> Task:
        """The task as it stands then. Raises UnknownTask, AlreadyEnded, NotPaused."""
        task = await self.store.resume(task_id)
        await get_going(self.runner, task)
        return task

    async def say(self, task_id: str, text: str, by: str, key: str | None = None) -> Task:
        """The task as it stands then. Raises UnknownTask, AlreadyEnded, CannotSay, InvalidRequest."""
        if not text.strip():
            raise InvalidRequest("text: is empty; write what is to be said.")
        if len(text) > LONGEST_TEXT:
            raise InvalidRequest(f"text: has {len(text):,} characters; at most {LONGEST_TEXT:,} can be said at once.")
        return await self.store.say(task_id, text, by, key)


def check_pause(task: Task, brief: Brief, *, held: bool) -> None:
    """Raises AlreadyEnded, CannotPause. `held`: a run holds the task."""
    check_not_ended(task)
    if task.cancel_requested:
        raise CannotPause("It is being cancelled.")
    if held and not brief.converses:
        raise CannotPause(PROGRAM)


def check_resume(task: Task) -> None:
    """Raises AlreadyEnded, NotPaused."""
    check_not_ended(task)
    if not task.paused:
        raise NotPaused(f"The task is {task.status}, and nobody has paused it.")


def check_say(task: Task, brief: Brief, *, closing: bool) -> None:
    """Raises AlreadyEnded, CannotSay. `closing`: the run that holds the task takes no more."""
    check_not_ended(task)
    if not brief.converses:
        raise CannotSay(UNTALKATIVE)
    if closing or task.cancel_requested:
        raise CannotSay("It is being cancelled." if task.cancel_requested else ENDING)


def check_not_ended(task: Task) -> None:
    """Raises AlreadyEnded."""
    if task.status.ended:
        raise AlreadyEnded(f"The task has already ended: it is {task.status}.", task_status=task.status.value)
