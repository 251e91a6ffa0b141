"""One round of a loop that lasts as long as its process."""

from collections.abc import Awaitable, Callable

import structlog

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
