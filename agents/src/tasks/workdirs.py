"""The port: folders of this machine that tasks may work in."""

from pathlib import Path
from typing import Protocol


class Workdirs(Protocol):
    async def admit(self, path: str) -> str:
        """The folder without links, where a task may work in it. Tells nothing of folders that are not allowed.

        Raises WorkdirNotAllowed, UnknownWorkdir.
        """

    async def check(self, path: str) -> Path:
        """What was admitted, when a run begins. Raises WorkdirChanged where it is not as it was."""
