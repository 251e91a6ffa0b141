"""Files, artifacts and workspaces in folders. Implements `FileStore` and `Workspaces`."""

import asyncio
import hashlib
import mimetypes
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from agents.src.clock import Clock
from agents.src.errors import TooLarge, UnknownArtifact, UnknownFile
from agents.src.services.database import Db
from agents.src.services.workdirs import NoWorkdirs
from agents.src.tasks import Artifact, FileInfo, Run, Workdirs, Workspace, distinct, safe_name

FLUSH = 1 << 20
"""Bytes gathered before they are written."""


async def nothing() -> None:
    """A plain folder shows its changes at once."""


class FolderFiles:
    """`publish` makes what was written visible to other containers, `refresh` makes visible here what they published.

    `workdirs` are other folders that runs may work in; without, none.
    """

    def __init__(
        self,
        root: Path,
        scratch: Path,
        db: Db,
        clock: Clock,
        largest: int,
        publish: Callable[[], Awaitable[None]] = nothing,
        refresh: Callable[[], Awaitable[None]] = nothing,
        workdirs: Workdirs | None = None,
    ) -> None:
        self._files = root / "files"
        self._artifacts = root / "artifacts"
        self._parked = root / "parked"
        self._scratch = scratch
        self._db = db
        self._clock = clock
        self._largest = largest
        self._publish = publish
        self._refresh = refresh
        self._workdirs = workdirs or NoWorkdirs()

    # Files that are handed over

    async def put(self, caller: str, name: str, media_type: str | None, chunks: AsyncIterator[bytes]) -> FileInfo:
        self._files.mkdir(parents=True, exist_ok=True, mode=0o700)
        file_id, name = self._clock.new_id(), safe_name(name)
        # Received elsewhere: a Volume cannot be reloaded while one of its files is open.
        self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._scratch / f"{file_id}.part"
        try:
            size, sha256 = await self._receive(part, chunks)
            await asyncio.to_thread(shutil.move, part, self._files / file_id)
        finally:
            part.unlink(missing_ok=True)
        info = FileInfo(file_id, caller, name, size, media_type or media_type_of(name), sha256)
        await self._publish()
        values = (info.id, caller, name, size, info.media_type, sha256, self._clock.now())
        sql = "insert into file (id, caller, name, size, media_type, sha256, created_at) values (?, ?, ?, ?, ?, ?, ?)"
        try:
            await self._db.write(lambda tx: tx.run(sql, *values))
        except Exception:
            (self._files / file_id).unlink(missing_ok=True)
            raise
        return info

    async def _receive(self, part: Path, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
        """Size and SHA-256 of what came."""
        size, digest, gathered = 0, hashlib.sha256(), bytearray()
        with part.open("wb") as file:  # buffered: an unbuffered write that a full disk cuts short raises nothing
            async for chunk in chunks:
                size += len(chunk)
                if size > self._largest:
                    raise TooLarge(f"A file may have at most {self._largest} bytes.")
                gathered += chunk
                if len(gathered) >= FLUSH:
                    await asyncio.to_thread(append, file.write, digest.update, bytes(gathered))
                    gathered.clear()
            await asyncio.to_thread(append, file.write, digest.update, bytes(gathered))
        return size, digest.hexdigest()

    async def info(self, file_id: str) -> FileInfo:
        sql = "select id, caller, name, size, media_type, sha256 from file where id = ?"
        rows = await self._db.read(lambda tx: tx.run(sql, file_id))
        if not rows:
            raise UnknownFile("There is no file of this id, or it is not yours.")
        return FileInfo(*rows[0])

    async def path(self, file: FileInfo) -> Path:
        path = self._files / file.id
        if not path.is_file():
            await self._refresh()
        if not path.is_file():
            raise UnknownFile(f"The bytes of the file {file.name!r} are gone; upload it again.")
        return path

    # Artifacts

    async def artifact(self, task_id: str, name: str) -> Path:
        # Both parts are looked for among what is there, never joined into a path as they came.
        folder = self._artifacts / safe_name(task_id)
        path = folder / safe_name(name)
        if path.name != name or folder.name != task_id:
            raise UnknownArtifact("The task has no artifact of this name.")
        if not path.is_file():
            await self._refresh()
        if not path.is_file():
            raise UnknownArtifact("The task has no artifact of this name.")
        return path

    # Workspaces

    async def open(self, run: Run) -> Workspace:
        workdir = await self._workdirs.check(run.task.workdir) if run.task.workdir else None
        workspace = Workspace(run.id, self._folder_of(run), run.session, workdir=workdir)
        if run.goes_on and await self._take_up(run, workspace):
            return replace(workspace, goes_on=True)
        await asyncio.to_thread(make_empty, workspace)
        try:
            for file in run.brief.files:
                source = await self.path(await self.info(file.id))
                await asyncio.to_thread(shutil.copyfile, source, workspace.input / safe_name(file.name))
        except BaseException:
            await asyncio.shield(self.discard(workspace))
            raise
        return workspace

    async def collect(self, run: Run, workspace: Workspace) -> tuple[Artifact, ...]:
        artifacts = await asyncio.to_thread(keep, workspace.output, self._artifacts / run.task.id)
        if artifacts:
            await self._publish()
        return artifacts

    async def discard(self, workspace: Workspace) -> None:
        await asyncio.to_thread(shutil.rmtree, workspace.folder, ignore_errors=True)

    def _folder_of(self, run: Run) -> Path:
        # By the session: Claude Code finds what it knows of a piece of work by the folder that it is done in.
        return self._scratch / run.session.replace(":", "-")

    async def set_aside(self, run: Run) -> None:
        folder, aside = self._folder_of(run), self._parked / run.task.id
        if folder.is_dir():
            await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)
            await asyncio.to_thread(move_over, folder, aside / str(run.task.attempt))
            await self._publish()

    async def _take_up(self, run: Run, workspace: Workspace) -> bool:
        """Whether there is a folder that was set aside; then it is where it was.

        What an attempt before the last one left does not count: the last one ran where that was not to be found, and began anew.
        """
        aside = self._parked / run.task.id / str(run.task.attempt - 1)
        if not aside.is_dir():
            await self._refresh()
        if not aside.is_dir():
            return False
        await asyncio.to_thread(move_over, aside, workspace.folder)
        await self.forget(run.task.id)
        return True

    async def parked(self) -> tuple[str, ...]:
        """The ids of the tasks for which a folder is set aside."""
        return await asyncio.to_thread(names_in, self._parked)

    async def forget(self, task_id: str) -> None:
        """Removes the folder that was set aside for a task."""
        await asyncio.to_thread(shutil.rmtree, self._parked / safe_name(task_id), ignore_errors=True)
        await self._publish()

    async def clear_away(self, task_id: str) -> None:
        """Removes what the runs of a task left in the scratch folder when their worker died."""
        for leftover in self._scratch.glob(f"{task_id}-*"):
            await asyncio.to_thread(shutil.rmtree, leftover, ignore_errors=True)


def append(write: Callable[[bytes], object], update: Callable[[bytes], object], data: bytes) -> None:
    write(data)
    update(data)


def names_in(folder: Path) -> tuple[str, ...]:
    """Not as paths, which are made at a fifth of the speed; none where there is no folder."""
    try:
        return tuple(os.listdir(folder))  # noqa: PTH208
    except FileNotFoundError:
        return ()


def move_over(source: Path, target: Path) -> None:
    """In place of what is there; whole, or not at all, also from one disk to another."""
    part = target.with_name(f"{target.name}.part")
    for leftover in (part, target):
        shutil.rmtree(leftover, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.move(source, part)
    part.rename(target)


def make_empty(workspace: Workspace) -> None:
    shutil.rmtree(workspace.folder, ignore_errors=True)
    workspace.input.mkdir(parents=True, mode=0o700)
    workspace.output.mkdir(mode=0o700)


def keep(output: Path, folder: Path) -> tuple[Artifact, ...]:
    """Moves the files of `output` into `folder`, sub-folders flattened into the names; links are not followed."""
    # The folder itself may have become a link: what it leads to is not the run's to give away.
    inside = () if output.is_symlink() else output.rglob("*")
    found = sorted(path for path in inside if path.is_file() and not path.is_symlink())
    if not found:
        return ()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = distinct([safe_name("-".join(path.relative_to(output).parts)) for path in found])
    for path, name in zip(found, names, strict=True):
        shutil.move(path, folder / name)
    return tuple(Artifact(name=name, size=(folder / name).stat().st_size, media_type=media_type_of(name)) for name in names)


def media_type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
