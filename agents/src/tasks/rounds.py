"""One round of a loop that lasts as long as its process, and the time until the next one."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from agents.src.clock import Clock
from agents.src.errors import Unavailable

log = structlog.get_logger()


async def done(step: Callable[[], Awaitable[object]], otherwise: str) -> bool:
    """Whether the step succeeded. What went wrong is logged under the name `otherwise`; the next round tries again."""
    try:
        await step()
    except Unavailable as error:
        log.warning(otherwise, detail=error.detail)
    except Exception:  # a loop that ended would leave all that comes later undone, and nobody would hear of it
        log.exception(otherwise)
    else:
        return True
    return False


async def due_or_woken(clock: Clock, due: float | None, wake: asyncio.Event) -> None:
    """Waits until then (seconds since 1970 UTC; None: for ever), or until `wake` is set."""
    sleep = asyncio.create_task(sleep_until(clock, due)) if due is not None else None
    woken = asyncio.create_task(wake.wait())
    waits = {woken, sleep} if sleep else {woken}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def sleep_until(clock: Clock, due: float) -> None:
    await clock.sleep(max(due - clock.now(), 0))
