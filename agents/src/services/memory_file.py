"""A memory.md on disk: read as it is, and replaced in one step."""

import contextlib
import os
from pathlib import Path

from agents.src.errors import InvalidMemory

NAME = "memory.md"
LARGEST = 32 << 20
"""Bytes."""


class MemoryFile:
    """The file in a skill's folder, or what it links to. The folder is made up only with `make`."""

    def __init__(self, folder: Path, *, make: bool = False) -> None:
        self._folder = folder
        self._make = make

    @property
    def path(self) -> Path:
        """The file itself: what memory.md links to, where it is a link."""
        return (self._folder / NAME).resolve()

    @property
    def backup(self) -> Path:
        """The file as it was before it was last replaced. Hidden, so that nobody takes it for one of the skill's files."""
        return self.path.with_name(f".{self.path.name}.bak")

    def read(self) -> str | None:
        """None where there is no file. Raises InvalidMemory."""
        try:
            data = self._bytes()
        except OSError as error:
            raise self._unusable("read", error) from None
        return None if data is None else self._text(data)

    def _bytes(self) -> bytes | None:
        if not self._folder.is_dir() and not self._make:
            raise InvalidMemory(f"There is no folder {self._folder}. Was the skill moved? Name the folder where it is now.")
        try:
            with self.path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except FileNotFoundError:
            return None
        self._check_size(len(data))
        return data

    def _check_size(self, size: int) -> None:
        if size > LARGEST:
            raise InvalidMemory(
                f"{self.path} would have more than {LARGEST >> 20} MiB. Forget what is no longer needed, or move a part of it "
                "into a skill of its own."
            )

    def _text(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise InvalidMemory(f"{self.path}, line {line}: this is not UTF-8. Save the file as UTF-8 in your editor.") from None

    def _unusable(self, what: str, error: OSError) -> InvalidMemory:
        """Not Unavailable: to wait for the shared memory would mend nothing."""
        return InvalidMemory(f"{self.path} cannot be {what} ({error.strerror}). Its owner has to allow it, or to make room.")

    def write(self, text: str, over: str | None) -> bool:
        """As `Replica.write`. Raises InvalidMemory."""
        data, former = text.encode(), None if over is None else over.encode()
        self._check_size(len(data))
        try:
            return self._replace(data, former)
        except OSError as error:
            raise self._unusable("written", error) from None

    def _replace(self, data: bytes, former: bytes | None) -> bool:
        path = self.path
        if self._make:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._bytes() != former:
            return False
        part = path.with_name(f".{path.name}.part")
        try:
            write_durably(part, data, like=path)
            if former is None:
                return put_where_nothing_is(part, path)
            return self._swap(part, path, former)
        finally:
            part.unlink(missing_ok=True)
            flush_folder(path.parent)

    def _swap(self, part: Path, path: Path, former: bytes) -> bool:
        """An editor may save in this very moment: then what it saved into is the backup, and becomes the file again."""
        keep(path, self.backup, former)
        part.replace(path)
        if self.backup.read_bytes() == former:
            return True
        keep(self.backup, part, former)
        part.replace(path)
        return False


def write_durably(part: Path, data: bytes, like: Path) -> None:
    """With the mode of the file that it will replace, where there is one."""
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileNotFoundError):
        part.chmod(like.stat().st_mode & 0o7777)


def put_where_nothing_is(part: Path, path: Path) -> bool:
    try:
        path.hardlink_to(part)
    except FileExistsError:
        return False
    except OSError:  # a file system without links; nobody else makes the file in these few microseconds
        part.replace(path)
    return True


def keep(path: Path, backup: Path, former: bytes) -> None:
    """The file under a second name: the very same, so that what is saved into it by then is kept too."""
    backup.unlink(missing_ok=True)
    try:
        backup.hardlink_to(path)
    except OSError:  # a file system without links, or the file was deleted in this very moment
        backup.write_bytes(former)


def flush_folder(folder: Path) -> None:
    """Makes a rename last. Not every system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
