"""One folder, one process at a time: the embedded Qdrant refuses a second one outright. Whoever comes waits its turn."""

import os
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from agents.src.errors import Unavailable

PATIENCE = 10.0
"""Seconds to wait for a turn."""
LOOK = 0.02
"""Seconds between two looks at whether it has come."""
TURN = 0.1
"""Seconds that a turn lasts at least though another process waits: to open the folder anew costs about as much."""


class Turns:
    """Two locks: who waits for `open.lock` holds `next.lock`, and by that the one whose turn it is sees it.

    With one alone, a busy process would lock it again before another had looked. Both are the system's own: a process that
    dies lets go of them.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._patience = patience
        self._open = FileLock(folder / "open.lock", thread_local=False)
        self._next = FileLock(folder / "next.lock", thread_local=False)
        self._since = 0.0

    def take(self) -> None:
        """Raises Unavailable where it does not come in time, OSError where the folder cannot be used."""
        give_up = time.monotonic() + self._patience
        try:
            with self._next.acquire(self._patience, poll_interval=LOOK):
                self._open.acquire(max(0.0, give_up - time.monotonic()), poll_interval=LOOK)
        except Timeout:
            raise Unavailable(
                f"The memory in {self._folder} is in use by {self._holder()}. Try again when it is done; "
                "for use by many at once, set QDRANT_URL."
            ) from None
        self._since = time.monotonic()
        with suppress(OSError):  # a full disk; only those who wait too long would read it
            (self._folder / "holder").write_text(str(os.getpid()))

    def give(self) -> None:
        self._open.release()

    def is_over(self) -> bool:
        """Whether another process waits, and has waited long enough."""
        if time.monotonic() - self._since < TURN:
            return False
        try:
            self._next.acquire(0)
        except Timeout:
            return True
        self._next.release()
        return False

    def _holder(self) -> str:
        try:
            return f"process {int((self._folder / 'holder').read_text())}"
        except (OSError, ValueError):
            return "another process"
