"""Writes a run's events as they happen: at once while the store is idle, gathered while it is busy."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from agents.src.tasks.event import Draft

MOST_WAITING = 200
"""Events that may wait for the store before the engine has to."""


class Recorder:
    """Hands drafts to `append`, in order, in batches numbered from 1. Its error comes out of the next `add` or `flush`."""

    def __init__(self, append: Callable[[Sequence[Draft], int], Awaitable[None]]) -> None:
        self._append = append
        self._batch = 0
        self._waiting: list[Draft] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, draft: Draft) -> None:
        self._waiting.append(draft)
        if self._writer is None or self._writer.done():
            await self.flush()
            self._writer = asyncio.create_task(self._write())
        elif len(self._waiting) >= MOST_WAITING:
            await self.flush()

    def add_soon(self, draft: Draft) -> None:
        """As `add`, for who cannot wait; its error comes out of the next `add` or `flush` too."""
        self._waiting.append(draft)
        if self._writer is None or (self._writer.done() and not self._writer.exception()):
            self._writer = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Returns when all that was added is kept."""
        if self._writer is not None:
            # Shielded: a cancelled engine's last events are still written.
            await asyncio.shield(self._writer)

    async def _write(self) -> None:
        while self._waiting:
            drafts, self._waiting = self._waiting, []
            self._batch += 1
            await self._append(drafts, self._batch)
