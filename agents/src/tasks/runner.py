"""The port: where tasks run."""

from typing import Protocol

import structlog

from agents.src.errors import Problem
from agents.src.tasks.run import Claim, Run
from agents.src.tasks.task import Status, Task

log = structlog.get_logger()


class Runner(Protocol):
    """An in-process worker, or Modal. A place that was reserved is either begun or released."""

    def reserve(self, skill: str) -> Claim | None:
        """A place for a task right now, so that accepting and starting it can be one transaction; None where it has to queue."""

    def release(self, skill: str) -> None:
        """The reserved place is not needed."""

    def begin(self, run: Run) -> None:
        """Carries out a run that was claimed with a reserved place."""

    async def start(self, task: Task) -> None:
        """Sees to it that a queued task gets run. A failure to do so loses nothing: recovery finds the task."""


class Calls(Protocol):
    """The calls by which a runner that works elsewhere gets its tasks run. Raises Unavailable where nobody can be asked."""

    async def is_over(self, call_id: str) -> bool:
        """Whether it has ended, however; True for one that nobody knows (any more)."""

    async def end(self, call_id: str) -> None:
        """Ends it, with its container and every process in that."""


async def get_going(runner: Runner | None, task: Task) -> None:
    """Sees to it that a task gets run that is in the queue, if it is. Without a `runner`, somebody else does."""
    if runner and task.status is Status.QUEUED:
        try:
            await runner.start(task)
        except Problem as error:
            # What put it there is kept; recovery starts the task.
            log.warning("start_failed", task=task.id, detail=error.detail)
