"""Folders of this machine that tasks may work in. Implement `Workdirs`."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from agents.src.errors import UnknownWorkdir, WorkdirChanged, WorkdirNotAllowed

NONE_ALLOWED = "No folder is allowed here. Name some in MODAL_INVOKE_WORKDIRS where the server starts, or send `files`."
NOT_ALLOWED = (
    "Tasks may not work in this folder: it is not below one of MODAL_INVOKE_WORKDIRS, as it is written there (whoever starts "
    "the server can add it), or it has to do with the server's own state. Name another."
)
NOT_THERE = "There is no such folder. Make it, or correct the path."
NO_FOLDER = "This is not a folder. Name the one that it lies in."
ELSEWHERE = "Tasks run in containers here, which do not see this folder. Send files with `files`."


class FolderWorkdirs:
    """The `roots` and what is below them, but for what holds `state`, the server's own folder, or lies in it."""

    def __init__(self, roots: Iterable[Path], state: Path) -> None:
        named = tuple(roots)
        self._roots = tuple(map(resolved, named))
        self._spelled = {*named, *self._roots}
        self._state = resolved(state)

    async def admit(self, path: str) -> str:
        return str(await asyncio.to_thread(self._admit, Path(path)))

    async def check(self, path: str) -> Path:
        return await asyncio.to_thread(self._check, Path(path))

    def _admit(self, path: Path) -> Path:
        if not self._roots:
            raise WorkdirNotAllowed(NONE_ALLOWED)
        if not self._stays_inside(path) or not self._allows(folder := resolved(path)):
            raise WorkdirNotAllowed(NOT_ALLOWED)
        if not os.path.isdir(folder):  # noqa: PTH112  # Path.is_dir raises where it may not look
            raise UnknownWorkdir(NO_FOLDER if os.path.exists(folder) else NOT_THERE)  # noqa: PTH110
        return folder

    def _check(self, folder: Path) -> Path:
        if not self._allows(folder):
            raise WorkdirChanged(
                "The folder to work in is not below one of MODAL_INVOKE_WORKDIRS (any more). Allow it, or name another."
            )
        if resolved(folder) != folder:
            raise WorkdirChanged("The folder to work in leads elsewhere now: a link took its place. Name the one that is meant.")
        if not os.path.isdir(folder):  # noqa: PTH112  # as above
            raise WorkdirChanged("The folder to work in is gone. Make it again, or name another.")
        return folder

    def _stays_inside(self, path: Path) -> bool:
        """Whether it leads through nothing else: a link that lies elsewhere and leads in would tell that it is there."""
        above = (step for step in path.parents if is_below(step, self._spelled))
        return is_below(path, self._spelled) and all(is_below(resolved(step), self._roots) for step in above)

    def _allows(self, folder: Path) -> bool:
        overlaps = folder.is_relative_to(self._state) or self._state.is_relative_to(folder)
        return is_below(folder, self._roots) and not overlaps


class NoWorkdirs:
    """Where tasks run in containers."""

    async def admit(self, path: str) -> str:  # noqa: ARG002  # whichever it is
        raise WorkdirNotAllowed(ELSEWHERE)

    async def check(self, path: str) -> Path:  # noqa: ARG002
        raise WorkdirChanged(ELSEWHERE)


def resolved(path: Path) -> Path:
    """Without links, as far as there is something."""
    return Path(os.path.realpath(path))


def is_below(path: Path, folders: Iterable[Path]) -> bool:
    """Below one of them, or one itself, going by the words alone."""
    return ".." not in path.parts and any(path.is_relative_to(folder) for folder in folders)
