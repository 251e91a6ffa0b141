"""The runner that runs just the tasks it is given, in this process: a Modal container, or a command that invokes one skill."""

import asyncio
from collections import defaultdict
from contextlib import suppress

from agents.src.clock import Clock
from agents.src.tasks.policy import after_crash
from agents.src.tasks.run import Claim, Run
from agents.src.tasks.store import LeaseLost, TaskStore
from agents.src.tasks.task import Status, Task
from agents.src.tasks.underway import Underway


class Solo:
    """Implements `Runner`."""

    def __init__(self, underway: Underway, store: TaskStore, clock: Clock) -> None:
        self._underway = underway
        self._store = store
        self._clock = clock
        self._works: set[asyncio.Task[Task | None]] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By task: one that is started again, after an answer, may still be on its way to being parked."""

    def reserve(self, skill: str) -> Claim | None:  # noqa: ARG002  # one way for all: through the queue
        return None

    def release(self, skill: str) -> None: ...

    def begin(self, run: Run) -> None: ...

    async def start(self, task: Task) -> None:
        work = asyncio.create_task(self.run(task.id))
        self._works.add(work)
        work.add_done_callback(self._works.discard)

    def open(self) -> None:
        self._underway.open()

    async def close(self) -> None:
        await self._underway.close()
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)

    async def run(self, task_id: str) -> Task | None:
        """Runs a queued task through all its attempts. None where it was not to be had: it ended, or another worker has it."""
        async with self._turns[task_id]:
            return await self._run(task_id)

    async def _run(self, task_id: str) -> Task | None:
        await self._settle_earlier_self(task_id)
        while run := await self._store.claim_one(task_id, self._underway.claim()):
            work = self._underway.begin(run, claimed_later=True)
            try:
                task = await asyncio.shield(work)
            except asyncio.CancelledError:
                # The container is told to stop: the run gives its task back before this process goes.
                await self._underway.close()
                raise
            if task is None or task.status is not Status.QUEUED:
                return task
            # In a loop: the clock that the due time is told by and the one that wakes sleepers differ by a little.
            while (early := task.run_at - self._clock.now()) > 0:
                await self._clock.sleep(early)
        return None

    async def _settle_earlier_self(self, task_id: str) -> None:
        """A worker of this name that died in the middle (Modal restarts a preempted call under its name) left a lease behind."""
        for run in await self._store.abandoned([self._underway.worker]):
            if run.task.id == task_id and run.worker == self._underway.worker:
                ending = after_crash(run, "Its container went away.", self._clock.now(), asking=run.task.waiting > 0)
                with suppress(LeaseLost):
                    await self._store.settle(run, ending)
