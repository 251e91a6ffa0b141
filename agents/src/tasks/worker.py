"""The runner that works in this process: takes queued tasks by priority, as many at once as its cap allows."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from agents.src.clock import Clock
from agents.src.errors import Unavailable
from agents.src.tasks.event import Event, EventType
from agents.src.tasks.execution import Execution, Stop
from agents.src.tasks.hub import Hub
from agents.src.tasks.recovery import Recovery
from agents.src.tasks.run import Claim, Run
from agents.src.tasks.store import TaskStore
from agents.src.tasks.task import Task

log = structlog.get_logger()

LEASE = 20.0
"""Seconds that a lease holds without being renewed."""
HEARTBEAT = 3.0
"""Seconds between two renewals, and between two looks for tasks that others abandoned."""


class Worker:
    """Implements `Runner`. `limits` are the skills' own caps on tasks at once."""

    def __init__(
        self,
        name: str,
        cap: int,
        store: TaskStore,
        execution_of: Callable[[Run], Execution],
        recovery: Recovery,
        hub: Hub,
        clock: Clock,
        limits: Mapping[str, int],
    ) -> None:
        self.name = name
        self._cap = cap
        self._store = store
        self._execution_of = execution_of
        self._recovery = recovery
        self._hub = hub
        self._clock = clock
        self._limits = limits
        self._running: dict[str, tuple[Execution, asyncio.Task[None]]] = {}
        self._places: Counter[str] = Counter()
        self._backlog = True
        """Whether the queue may hold something to claim: then nobody jumps it."""
        self._claiming = False
        self._in_doubt = False
        self._stopping = False
        self._next_due: float | None = None
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    # The runner's side

    def reserve(self, skill: str) -> Claim | None:
        if self._backlog or self._claiming or self._stopping or not self._free() or self._is_full(skill):
            return None
        self._places[skill] += 1
        return self._claim()

    def release(self, skill: str) -> None:
        # What a full skill left queued was passed over when the queue was last looked through.
        self._backlog = self._backlog or (skill in self._limits and self._is_full(skill))
        self._places[skill] -= 1
        if not self._places[skill]:
            del self._places[skill]
        if self._backlog:
            self._wake.set()

    def begin(self, run: Run) -> None:
        execution = self._execution_of(run)
        self._running[run.id] = (execution, asyncio.create_task(self._carry_out(execution)))

    async def start(self, task: Task) -> None:  # noqa: ARG002  # whichever task is the first is the next
        self._look()

    # Its life

    async def open(self) -> None:
        """Settles what dead workers left behind, then works until `close`."""
        self._hub.listeners.append(self._heard)
        await self._recovery.recover()
        self._loops = [asyncio.create_task(self._work()), asyncio.create_task(self._beat())]

    async def close(self) -> None:
        """Gives its tasks back, ending their processes, and stops."""
        self._stopping = True
        self._wake.set()
        if self._loops:
            await self._loops[0]
            self._loops[1].cancel()
        carried = list(self._running.values())
        for execution, _ in carried:
            execution.stop(Stop.SHUTDOWN)
        await asyncio.gather(*(work for _, work in carried), *self._loops[1:], return_exceptions=True)
        with suppress(ValueError):
            self._hub.listeners.remove(self._heard)

    # The queue

    def _free(self) -> int:
        return self._cap - self._places.total()

    def _is_full(self, skill: str) -> bool:
        return self._places[skill] >= self._limits.get(skill, self._cap)

    def _claim(self) -> Claim:
        return Claim(self.name, self._clock.now() + LEASE)

    def _look(self) -> None:
        self._backlog = True
        self._wake.set()

    async def _work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self._fill()
                await self._end_cancelled()
            except Unavailable as error:
                log.warning("queue_unreadable", detail=error.detail)
                self._next_due = self._clock.now() + HEARTBEAT
                self._backlog = True
            await self._wait()

    async def _fill(self) -> None:
        """Claims as many tasks as there are places."""
        while self._backlog and not self._stopping and (free := self._free()) > 0:
            self._backlog, self._claiming = False, True
            try:
                full = [skill for skill in self._limits if self._is_full(skill)]
                claimed = await self._store.claim(self._claim(), free, full)
            finally:
                self._claiming = False
            self._next_due = claimed.next_due
            self._backlog = self._backlog or len(claimed.runs) == free
            self._in_doubt = self._in_doubt or bool(claimed.runs)
            for run in claimed.runs:
                self._places[run.task.skill] += 1
                self.begin(run)

    async def _wait(self) -> None:
        """Until something may be claimable."""
        timeout = None if self._next_due is None else max(self._next_due - self._clock.now(), 0)
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            self._backlog, self._next_due = True, None

    async def _carry_out(self, execution: Execution) -> None:
        try:
            await execution.carry_out()
        except Unavailable as error:
            # Its lease runs out; recovery settles it once the database is back.
            log.error("run_unsettled", run=execution.run.id, detail=error.detail)  # noqa: TRY400  # the detail says it all
        finally:
            del self._running[execution.run.id]
            self.release(execution.run.task.skill)

    # The heartbeat

    def _heard(self, events: Sequence[Event]) -> None:
        """From the hub: something happened to a task in this process, or (without events) in another."""
        if not events:
            self._in_doubt = True
            self._look()
        for event in events:
            if event.type is EventType.CANCEL_REQUESTED:
                self._stop_task(event.task_id)
            elif event.type is EventType.REQUEUED:
                self._look()

    def _stop_task(self, task_id: str) -> None:
        for execution, _ in list(self._running.values()):
            if execution.run.task.id == task_id:
                execution.stop(Stop.CANCELLED)

    async def _end_cancelled(self) -> None:
        """Looks for cancellations that were asked for in other processes, or before a claimed run began here."""
        if not self._in_doubt or not self._running:
            return
        self._in_doubt = False
        for run_id in await self._store.cancellations(self.name):
            if run_id in self._running:
                self._running[run_id][0].stop(Stop.CANCELLED)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT)
            try:
                if self._running:
                    await self._renew()
                await self._recovery.recover()
            except Unavailable as error:
                log.warning("heartbeat_missed", detail=error.detail)

    async def _renew(self) -> None:
        # The runs as they are before the question: one begun meanwhile is not lost.
        running = dict(self._running)
        held = await self._store.renew(self._claim())
        for run_id, (execution, _) in running.items():
            if run_id not in held:
                execution.stop(Stop.LOST)
            elif held[run_id]:
                execution.stop(Stop.CANCELLED)
