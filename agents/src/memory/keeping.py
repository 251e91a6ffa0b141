"""The verb: has memories kept in the background: soon after one was changed, and every so often."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

PATIENCE = 10.0
"""Seconds that a program which ends waits for what is to be kept."""

log = structlog.get_logger()

KeepRound = Callable[[frozenset[str]], Awaitable[object]]
"""Keeps the memories of these skills; without any, of all."""


class Keeping:
    """`keep` is called with the skills that were nudged since its last call: one call at a time, and none sooner than `pause`
    seconds after the last. With `every` (seconds), it is also called at the start and whenever nothing was for so long.
    """

    def __init__(self, keep: KeepRound, *, every: float | None = None, pause: float = 0.0, patience: float = PATIENCE) -> None:
        self._keep = keep
        self._every = every
        self._pause = pause
        self._patience = patience
        self._nudged: set[str] = set()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    def nudge(self, skill: str) -> None:
        """The skill's memory was changed."""
        self._nudged.add(skill)
        self._wake.set()

    def open(self) -> None:
        self._work = asyncio.create_task(self._rounds())

    async def close(self) -> None:
        """Waits until what was nudged is kept, but not for ever: lessons wait in the database for the next program."""
        if self._work is None:
            return
        self._closing.set()
        self._wake.set()
        _, late = await asyncio.wait([self._work], timeout=self._patience)
        if late:
            log.warning("memory_not_kept_in_time", seconds=self._patience, detail="What was learned waits in the database.")
            self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    async def _rounds(self) -> None:
        due = self._every is not None
        while not self._closing.is_set():
            if self._nudged or due:
                await self._round()
            due = not await happens(self._wake, within=self._every)
        while self._nudged:
            await self._round()

    async def _round(self) -> None:
        nudged, self._nudged = frozenset(self._nudged), set()
        self._wake.clear()
        try:
            await self._keep(nudged)
        except Exception:  # a loop that ended would keep nothing any more, and nobody would hear of it
            log.exception("memory_keeping_broke")
        await happens(self._closing, within=self._pause)  # nudges that come close together are one round


async def happens(event: asyncio.Event, within: float | None) -> bool:
    """Whether it does, in so many seconds; None: however long it takes."""
    try:
        async with asyncio.timeout(within):
            return await event.wait()
    except TimeoutError:
        return False
