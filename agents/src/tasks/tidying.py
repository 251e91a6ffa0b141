"""The verb: removes what was set aside for tasks that will not go on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from agents.src.clock import Clock
from agents.src.tasks.store import TaskStore

log = structlog.get_logger()

EVERY = 600.0
"""Seconds between two looks, each of which asks about every folder; nobody waits for it."""
AT_ONCE = 500
"""Tasks that are asked about in one go."""


class Aside(Protocol):
    """The folders of runs that were parked."""

    async def parked(self) -> Sequence[str]:
        """The ids of the tasks for which there is one."""

    async def forget(self, task_id: str) -> None:
        """Removes the one of this task."""


@dataclass(slots=True)
class Tidying:
    store: TaskStore
    aside: Aside
    clock: Clock
    _next: float = field(default=0.0, init=False)

    async def tidy(self) -> None:
        """Removes the folders of tasks that have ended: cancelled, failed or gone on without theirs. Raises Unavailable.

        Does nothing where that was done a moment ago. A folder whose task is not known here stays: it may be another database's.
        """
        if self.clock.now() < self._next:
            return
        self._next = self.clock.now() + EVERY
        parked = await self.aside.parked()
        for first in range(0, len(parked), AT_ONCE):
            for task_id in sorted(await self.store.ended(parked[first : first + AT_ONCE])):
                await self.aside.forget(task_id)
                log.info("folder_forgotten", task=task_id)
