"""The runs under way in this process: their leases are renewed, what their callers want of them is heard."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from agents.src.clock import Clock
from agents.src.errors import Unavailable
from agents.src.tasks.event import Event
from agents.src.tasks.execution import Execution, Stop
from agents.src.tasks.hub import Hub
from agents.src.tasks.rounds import done
from agents.src.tasks.run import Claim, Run
from agents.src.tasks.store import TaskStore
from agents.src.tasks.task import Status, Task
from agents.src.tasks.wishes import wishes_of

log = structlog.get_logger()

LEASE = 45.0
"""Seconds that a lease holds without being renewed: more than the pauses in which a run tries again to write add up to."""
HEARTBEAT = 3.0
"""Seconds between two renewals."""
WORTH_A_LINE = 0.1
"""Seconds that a task which completed must have taken to be told of in the log."""


def tell(task: Task | None) -> None:
    """One line of the log for a run that has ended. For one that was over at once and well, only where details are wanted."""
    if task is None or task.started_at is None:
        return
    seconds = round((task.finished_at or task.run_at) - task.started_at, 3)
    level = "debug" if task.status is Status.COMPLETED and seconds < WORTH_A_LINE else "info"
    error = {"error": task.error.type} if task.error else {}
    getattr(log, level)("run_ended", task=task.id, skill=task.skill, status=task.status.value, seconds=seconds, **error)


class Underway:
    """`worker` is the name under which this process holds its leases."""

    def __init__(
        self,
        worker: str,
        store: TaskStore,
        execution_of: Callable[[Run], Execution],
        hub: Hub,
        clock: Clock,
        lease: float = LEASE,
    ) -> None:
        self.worker = worker
        self._lease = lease
        self._store = store
        self._execution_of = execution_of
        self._hub = hub
        self._clock = clock
        self._runs: dict[str, tuple[Execution, asyncio.Task[Task | None]]] = {}
        self._held_at: dict[str, float] = {}
        """When each run's lease was last known to be held, by the loop's clock: it stands still while the machine sleeps."""
        self._in_doubt = asyncio.Event()
        """Set when something may have been wanted of a run without being heard."""
        self._loops: list[asyncio.Task[None]] = []

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the runs."""
        return frozenset(self._runs)

    def claim(self) -> Claim:
        return Claim(self.worker, self._clock.now() + self._lease)

    def begin(self, run: Run, claimed_later: bool = False) -> "asyncio.Task[Task | None]":
        """Carries out a run; what is awaited is the task as the run leaves it, None where it was lost or could not be settled.

        `claimed_later`: the task was queued before, so that something may have been wanted of it just before this.
        """
        execution = self._execution_of(run)
        work = asyncio.create_task(self._carry_out(execution))
        self._runs[run.id] = (execution, work)
        self._held_at[run.id] = asyncio.get_running_loop().time()
        if claimed_later:
            self._in_doubt.set()
        return work

    def open(self) -> None:
        self._hub.listeners.append(self._heard)
        self._loops = [asyncio.create_task(self._beat()), asyncio.create_task(self._clear_doubts())]

    async def close(self) -> None:
        """Gives all tasks back, ending their processes."""
        carried = list(self._runs.values())
        for execution, _ in carried:
            execution.stop(Stop.SHUTDOWN)
        await asyncio.gather(*(work for _, work in carried), return_exceptions=True)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._heard in self._hub.listeners:
            self._hub.listeners.remove(self._heard)

    async def _carry_out(self, execution: Execution) -> Task | None:
        try:
            task = await execution.carry_out()
        except Unavailable as error:
            # Its lease runs out; recovery settles it once the database is back.
            log.warning("run_unsettled", run=execution.run.id, detail=error.detail)
            return None
        else:
            tell(task)
            return task
        finally:
            del self._runs[execution.run.id]
            del self._held_at[execution.run.id]

    def _heard(self, events: Sequence[Event]) -> None:
        if not events:
            self._in_doubt.set()
        for event in events:
            if wishes := wishes_of(event):
                for execution, _ in list(self._runs.values()):
                    if execution.run.task.id == event.task_id:
                        execution.heed(wishes)

    async def _clear_doubts(self) -> None:
        while True:
            await self._in_doubt.wait()
            self._in_doubt.clear()
            if self._runs:
                await done(self._heed, otherwise="wishes_unread")

    async def _heed(self) -> None:
        for run_id, wishes in (await self._store.wishes(self.worker)).items():
            if run_id in self._runs:
                self._runs[run_id][0].heed(wishes)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT)
            if self._runs and not await done(self._renew, otherwise="heartbeat_missed"):
                self._let_go()

    async def _renew(self) -> None:
        # The runs as they are before the question: one begun meanwhile is not lost.
        runs, now = dict(self._runs), asyncio.get_running_loop().time()
        held = await self._store.renew(self.claim(), list(runs))
        for run_id, (execution, _) in runs.items():
            if run_id in self._runs:
                self._held_at[run_id] = now
            if run_id not in held:
                execution.stop(Stop.LOST)
            else:
                execution.heed(held[run_id])

    def _let_go(self) -> None:
        """Ends runs whose leases have run out unrenewed: another worker may have them by now."""
        now = asyncio.get_running_loop().time()
        for run_id, (execution, _) in list(self._runs.items()):
            if now - self._held_at[run_id] > self._lease:
                execution.stop(Stop.LOST)
