"""What the caller says to one run while it works."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from agents.src.tasks.brief import Brief

Read = Callable[[int], Awaitable[Sequence[str]]]
"""All that was said, without the first so many."""


class Hearing:
    """`said`: how many messages there are, as far as is known; `given`: how many of them a run was given with which this one goes
    on. Belongs to one event loop."""

    def __init__(self, read: Read, said: int, given: int) -> None:
        self._read = read
        self._said = said
        self._news = asyncio.Event()
        self._over = False
        self.given = given
        """How many of them the engine was given."""

    def more(self, said: int) -> None:
        """There are so many by now."""
        self._said = max(self._said, said)
        self._news.set()

    def end(self) -> None:
        """Nothing is given any more; whoever waits is told so."""
        self._over = True
        self._news.set()

    async def told(self, brief: Brief, *, goes_on: bool) -> Brief:
        """The brief with all of them, for a process that begins now: it is given those that the one before it was not, if it goes
        on with that one's work."""
        before = self.given if goes_on else 0
        texts = tuple(await self._read(0)) if self._said else ()
        self.given = len(texts)
        return brief.model_copy(update={"said": texts[before:], "said_before": texts[:before]}) if texts else brief

    async def next(self) -> str | None:
        """The first that the engine was not given, once there is one; None at the end."""
        while not self._over:
            self._news.clear()
            if self.given < self._said and (texts := await self._read(self.given)):
                self.given += 1
                return texts[0]
            await self._news.wait()
        return None
