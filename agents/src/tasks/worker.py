"""The runner that works in this process: takes queued tasks by priority, as many at once as its cap allows."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from agents.src.clock import Clock
from agents.src.tasks.event import FREEING, Event
from agents.src.tasks.hub import Hub
from agents.src.tasks.recovery import Recovery
from agents.src.tasks.rounds import done
from agents.src.tasks.run import Claim, Run
from agents.src.tasks.store import TaskStore
from agents.src.tasks.task import Task
from agents.src.tasks.underway import HEARTBEAT, Underway


class Worker:
    """Implements `Runner`. `cap` is the most tasks at once, `limits` the most of single skills."""

    def __init__(
        self,
        underway: Underway,
        store: TaskStore,
        recovery: Recovery,
        hub: Hub,
        clock: Clock,
        cap: int,
        limits: Mapping[str, int],
    ) -> None:
        self._underway = underway
        self._store = store
        self._recovery = recovery
        self._hub = hub
        self._clock = clock
        self._cap = cap
        self._limits = limits
        self._places: Counter[str] = Counter()
        self._backlog = True
        """Whether the queue may hold something to claim: then nobody jumps it."""
        self._claiming = False
        self._stopping = False
        self._next_due: float | None = None
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    # The runner's side

    def reserve(self, skill: str) -> Claim | None:
        if self._backlog or self._claiming or self._stopping or not self._free() or self._is_full(skill):
            return None
        self._places[skill] += 1
        return self._underway.claim()

    def release(self, skill: str) -> None:
        # What a full skill left queued was passed over when the queue was last looked through.
        self._backlog = self._backlog or (skill in self._limits and self._is_full(skill))
        self._places[skill] -= 1
        if not self._places[skill]:
            del self._places[skill]
        if self._backlog:
            self._wake.set()

    def begin(self, run: Run) -> None:
        self._underway.begin(run).add_done_callback(lambda _: self.release(run.task.skill))

    async def start(self, task: Task) -> None:  # noqa: ARG002  # whichever task is the first in the queue is the next
        self._look()

    # Its life

    async def open(self) -> None:
        """Settles what dead workers left behind, then works until `close`."""
        self._hub.listeners.append(self._heard)
        self._underway.open()
        await self._recovery.recover()
        self._loops = [asyncio.create_task(self._work()), asyncio.create_task(self._recover())]

    async def close(self) -> None:
        """Gives its tasks back, ending their processes, and stops."""
        self._stopping = True
        self._wake.set()
        if self._loops:
            work, recover = self._loops
            recover.cancel()
            # Not cancelled: a claim that is under way would be lost.
            await asyncio.gather(work, recover, return_exceptions=True)
        await self._underway.close()
        if self._heard in self._hub.listeners:
            self._hub.listeners.remove(self._heard)

    # The queue

    def _free(self) -> int:
        return self._cap - self._places.total()

    def _is_full(self, skill: str) -> bool:
        return self._places[skill] >= self._limits.get(skill, self._cap)

    def _most(self) -> int:
        """How many to claim at once: no more than there are places, and of no skill more than it may have."""
        left = [limit - self._places[skill] for skill, limit in self._limits.items()]
        return min([self._free(), *(places for places in left if places > 0)])

    def _look(self) -> None:
        self._backlog = True
        self._wake.set()

    def _heard(self, events: Sequence[Event]) -> None:
        """From the hub: another process changed something (no events), or a task is back in the queue."""
        if not events or events[-1].type in FREEING:
            self._look()

    async def _work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            if not await done(self._fill, otherwise="queue_unreadable"):
                self._next_due = self._clock.now() + HEARTBEAT
            await self._wait()

    async def _fill(self) -> None:
        """Claims as many tasks as there are places."""
        while self._backlog and not self._stopping and (most := self._most()) > 0:
            self._backlog, self._claiming = False, True
            try:
                full = [skill for skill in self._limits if self._is_full(skill)]
                claimed = await self._store.claim(self._underway.claim(), most, full)
            finally:
                self._claiming = False
            self._next_due = claimed.next_due
            self._backlog = self._backlog or len(claimed.runs) == most
            for run in claimed.runs:
                self._places[run.task.skill] += 1
                work = self._underway.begin(run, claimed_later=True)
                work.add_done_callback(lambda _, skill=run.task.skill: self.release(skill))  # type: ignore[misc]  # mypy#15459

    async def _wait(self) -> None:
        """Until something may be claimable."""
        timeout = None if self._next_due is None else max(self._next_due - self._clock.now(), 0)
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            self._backlog, self._next_due = True, None

    async def _recover(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT)
            if await done(lambda: self._recovery.recover(self._underway.ids), otherwise="recovery_missed"):
                # Also finds what was queued by a caller that went away before it could say so.
                self._look()
