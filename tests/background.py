"""What needs an event loop, for tests that have none."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds that it may take to begin, and to end."""


@contextmanager
def in_a_thread(block: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """The block in a thread and a loop of its own."""
    entered: Future[T] = Future()
    stop: Future[None] = Future()

    async def live() -> None:
        async with block as given:
            entered.set_result(given)
            await asyncio.wrap_future(stop)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, live())
        try:
            yield entered.result(PATIENCE)
        finally:
            stop.set_result(None)
            done.result(PATIENCE)
