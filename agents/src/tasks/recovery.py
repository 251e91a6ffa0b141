"""The verb: settles the runs that a dead worker left behind."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

import structlog

from agents.src.clock import Clock
from agents.src.tasks.policy import after_crash
from agents.src.tasks.rounds import done
from agents.src.tasks.run import Run
from agents.src.tasks.store import LeaseLost, TaskStore
from agents.src.tasks.task import Task
from agents.src.tasks.tidying import Tidying

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recovery:
    """`is_gone` tells of a worker's name whether its process has ended (None: cannot tell). `clear_away` ends what is left
    on this machine of a task's processes, so that it never runs twice at once, and removes their folders, or sets aside the one
    of a run that waited for an answer. What was set aside for tasks that have ended meanwhile, `tidying` removes.
    """

    store: TaskStore
    clock: Clock
    is_gone: Callable[[str], bool | None]
    clear_away: Callable[[Run], Awaitable[None]]
    tidying: Tidying | None = None

    async def recover(self, alive: Collection[str] = ()) -> list[Task]:
        """Requeues, or fails, each abandoned task as its policy says; the tasks as they stand then.

        Runs in `alive` are this process's own: after a sleep of the machine their leases are only late.
        """
        gone = [worker for worker in await self.store.workers() if self.is_gone(worker)]
        settled = []
        for run in await self.store.abandoned(gone):
            if run.id in alive:
                continue
            await self.clear_away(run)
            ending = after_crash(run, "The worker that ran it is gone.", self.clock.now(), asking=run.task.waiting > 0)
            with suppress(LeaseLost):  # somebody else recovered it first
                settled.append(await self.store.settle(run, ending))
                log.info("recovered", run=run.id, status=settled[-1].status.value)
        if self.tidying:
            await done(self.tidying.tidy, otherwise="folders_not_tidied")
        return settled
