"""How long an attempt may work. While it waits for somebody's answer, it does not work."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WARNED_AT = 0.8
"""Of the time that is given."""


class TimeLimit:
    """Calls `warn` after most of so many seconds, `over` after all. Belongs to one event loop."""

    def __init__(self, seconds: float, warn: Callable[[], None], over: Callable[[], None]) -> None:
        self._left = {warn: seconds * WARNED_AT, over: seconds}
        self._timers: list[asyncio.TimerHandle] = []
        self._since = 0.0
        self._still = 1

    def start(self) -> None:
        self._still -= 1
        if self._still:
            return
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._timers = [loop.call_later(left, call) for call, left in self._left.items() if left > 0]

    def stop(self) -> None:
        self._still += 1
        if self._still > 1:
            return
        passed = asyncio.get_running_loop().time() - self._since
        self._left = {call: left - passed for call, left in self._left.items()}
        for timer in self._timers:
            timer.cancel()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Several at once may have it stand still."""
        self.stop()
        try:
            yield
        finally:
            self.start()
