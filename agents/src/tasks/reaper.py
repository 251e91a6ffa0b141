"""The verb: settles what containers left behind, and has started again what nobody runs. For a runner that works elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from agents.src.clock import Clock
from agents.src.errors import Unavailable
from agents.src.tasks.recovery import Recovery
from agents.src.tasks.run import Run
from agents.src.tasks.runner import Calls, Runner
from agents.src.tasks.store import TaskStore, Waiting
from agents.src.tasks.task import Status, Task

log = structlog.get_logger()
T = TypeVar("T")

PREFIX = "modal:"
GRACE = 20.0
"""Seconds that a task may be due before it is asked whether anybody is to run it: its call may be on its way."""
AT_ONCE = 20
"""Questions about calls that are asked at the same time."""


def worker_of(call_id: str) -> str:
    """The name under which a call's container holds its leases; a restarted call has it again."""
    return PREFIX + call_id


def call_of(worker: str) -> str | None:
    """The reverse; None for a worker that is no call."""
    return worker.removeprefix(PREFIX) if worker.startswith(PREFIX) else None


@dataclass(frozen=True, slots=True)
class Reaper:
    store: TaskStore
    runner: Runner
    calls: Calls
    clock: Clock

    async def reap(self) -> list[Task]:
        """The tasks that were settled or started again. Raises Unavailable where the database is out of reach."""
        settled = await self._recover()
        again = [task for task in settled if task.status is Status.QUEUED and task.run_at <= self.clock.now()]
        await each(again, self.runner.start)
        return settled + await self._start_the_stranded()

    async def _recover(self) -> list[Task]:
        gone = await self._gone()
        # A container may outlive its lease, stuck or cut off: it goes before its task is run again.
        await each({run.worker for run in await self.store.abandoned(gone)} - gone, self._end)
        return await Recovery(self.store, self.clock, gone.__contains__, nothing).recover()

    async def _gone(self) -> set[str]:
        gone: set[str] = set()

        async def ask(worker: str) -> None:
            call_id = call_of(worker)
            if call_id and await self.calls.is_over(call_id):
                gone.add(worker)

        await each(await self.store.workers(), ask)
        return gone

    async def _end(self, worker: str) -> None:
        if call_id := call_of(worker):
            await self.calls.end(call_id)

    async def _start_the_stranded(self) -> list[Task]:
        """Queued tasks whose call was never made, or ended without running them: cancelled, or dead before its first step."""
        started: list[Task] = []

        async def start(waiting: Waiting) -> None:
            if waiting.call_id is None or await self.calls.is_over(waiting.call_id):
                task = await self.store.get(waiting.task_id)
                if task.status is Status.QUEUED:
                    await self.runner.start(task)
                    started.append(task)
                    log.info("started_again", task=task.id, call=waiting.call_id)

        await each(await self.store.waiting(self.clock.now() - GRACE), start)
        return started


async def nothing(_: Run) -> None:
    """No process of a container is left to end on this machine."""


async def each(items: Iterable[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Some at a time. One that cannot be reached keeps none of the others; the next reaping tries it again."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with places:
            try:
                await act(item)
            except Unavailable as error:
                log.warning("reaping_missed", detail=error.detail)

    await asyncio.gather(*(one(item) for item in items))
