"""The Volume that containers share: nobody sees what another wrote before it is committed there and reloaded here."""

import asyncio
from collections.abc import Awaitable, Callable

from agents.src.clock import Clock
from agents.src.errors import Unavailable

BUSY = "open files"  # in Modal's message; the exception's type says less
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.5, 2, 2, 2)
"""Seconds between tries to reload while a file of the Volume is open here, being sent to somebody."""

Act = Callable[[], Awaitable[None]]


class ModalVolume:
    """What `FolderFiles` needs of a Volume, given its own `commit` and `reload`."""

    def __init__(self, commit: Act, reload: Act, clock: Clock) -> None:
        self._commit = commit
        self._reload = reload
        self._clock = clock
        self._refreshing = asyncio.Lock()

    async def publish(self) -> None:
        """Raises Unavailable."""
        # A commit reloads when it is done; that alone may find files open, and `refresh` makes up for it.
        await succeeds(self._commit)

    async def refresh(self) -> None:
        """Raises Unavailable, also where files stay open for too long."""
        async with self._refreshing:
            for pause in PAUSES:
                if await succeeds(self._reload):
                    return
                await self._clock.sleep(pause)
        raise Unavailable("The files cannot be read while others are being sent; try again in a minute.")


async def succeeds(act: Act) -> bool:
    """False where open files were in the way. Raises Unavailable where something else was."""
    try:
        await act()
    except RuntimeError as error:
        if BUSY not in str(error):
            raise Unavailable("The Volume cannot be reached; try again.") from None
        return False
    return True


def named_volume(name: str, clock: Clock) -> ModalVolume:
    import modal

    volume = modal.Volume.from_name(name)
    return ModalVolume(volume.commit.aio, volume.reload.aio, clock)
