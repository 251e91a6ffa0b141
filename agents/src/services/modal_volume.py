"""The Volume that containers share: nobody sees what another wrote before it is committed there and reloaded here."""

import asyncio
from typing import TYPE_CHECKING

from agents.src.clock import Clock
from agents.src.errors import Unavailable

if TYPE_CHECKING:
    import modal

BUSY = "open files"  # in Modal's message; the exception's type says less
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.5, 2, 2, 2)
"""Seconds between tries to reload while a file of the Volume is open here, being sent to somebody."""


class ModalVolume:
    """What `FolderFiles` needs to know of it: `publish` and `refresh`."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._reloading = asyncio.Lock()

    async def publish(self) -> None:
        """Raises Unavailable."""
        try:
            await self._volume().commit.aio()
        except RuntimeError as error:
            # A commit reloads when it is done; that alone may fail, and `refresh` makes up for it.
            if BUSY not in str(error):
                raise Unavailable("The Volume did not keep the files; try again.") from None

    async def refresh(self) -> None:
        """Raises Unavailable where files stay open for too long."""
        async with self._reloading:
            for pause in PAUSES:
                if await self._reload():
                    return
                await self._clock.sleep(pause)
        raise Unavailable("The files cannot be read while others are being sent; try again in a minute.")

    async def _reload(self) -> bool:
        try:
            await self._volume().reload.aio()
        except RuntimeError as error:
            if BUSY not in str(error):
                raise Unavailable("The Volume cannot be read; try again.") from None
            return False
        return True

    def _volume(self) -> "modal.Volume":
        import modal

        return modal.Volume.from_name(self._name)
