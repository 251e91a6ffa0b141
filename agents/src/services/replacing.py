"""Replaces and removes files that people and other programs save at any time: only over what was read, and in one step.

Between the last look at a file and the step lie two system calls. Who renames a file to this path just then, or replaces it
under another lock, is not noticed; who saves into the file itself is.
"""

import os
import secrets
import stat
from contextlib import suppress
from functools import partial
from glob import escape
from pathlib import Path

from agents.src.errors import InvalidMemory

STALE = 3600.0
"""Seconds. No write takes so long: what one left behind before then is of a program that was killed."""
PART = "[0-9a-f]" * 8
"""What tells one write's files from another's."""


def look(path: Path, most: int = -1) -> bytes | None:
    """So many bytes of it, or all; None where there is no file. Raises OSError, and InvalidMemory for a pipe or a device."""
    try:
        with open(path, "rb", opener=without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidMemory(f"{path} is a pipe or a device. Put a file in its place, or remove it.")
            return file.read(most)
    except FileNotFoundError:
        return None


def without_waiting(path: str, flags: int) -> int:
    """A pipe that nobody writes to is open at once."""
    return os.open(path, flags | os.O_NONBLOCK)


def replace(path: Path, data: bytes, former: bytes | None, backup: Path | None = None) -> bool:
    """Unless the file no longer is `former` (None: there is no file); whether it did. Raises OSError, InvalidMemory.

    The former file becomes the `backup`, where one is wanted.
    """
    seen = status(path)
    if look(path, len(former or b"") + 1) != former:
        return False
    part = beside(path)
    try:
        write_durably(part, data, like=seen)
        if former is None or seen is None:
            return put_where_nothing_is(part, path)
        return _swap(part, path, former, seen, backup)
    finally:
        part.unlink(missing_ok=True)
        clear_leftovers(path)
        flush_folder(path.parent)


def _swap(part: Path, path: Path, former: bytes, seen: os.stat_result, backup: Path | None) -> bool:
    """An editor may save in this very moment: then what it saved into becomes the file again."""
    kept = beside(path)
    try:
        keep(path, kept, former, seen)
        # Not every file system gives a file the same number twice: then what it holds decides.
        if not is_still(path, seen) and look(path, len(former) + 1) != former:
            return False
        part.replace(path)
        if kept.read_bytes() != former:
            kept.replace(path)
            return False
        if backup:
            kept.replace(backup)
        return True
    finally:
        kept.unlink(missing_ok=True)


def remove(path: Path, former: bytes) -> bool:
    """Unless the file no longer is `former`; whether it did. Raises OSError."""
    kept, gone = beside(path), False
    try:
        path.rename(kept)
    except FileNotFoundError:
        return False
    try:
        gone = kept.read_bytes() == former
    finally:
        if not gone:
            put_where_nothing_is(kept, path)
        kept.unlink(missing_ok=True)
        clear_leftovers(path)
        flush_folder(path.parent)
    return gone


def status(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return path.stat()
    return None


def is_still(path: Path, seen: os.stat_result) -> bool:
    """The same file, and nobody saved into it."""
    now = status(path)
    return now is not None and _stamp(now) == _stamp(seen)


def _stamp(of: os.stat_result) -> tuple[int, ...]:
    return of.st_dev, of.st_ino, of.st_size, of.st_mtime_ns


def beside(path: Path) -> Path:
    """A name of this write's own. Hidden, so that nobody takes it for one of the folder's files."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def write_durably(part: Path, data: bytes, like: os.stat_result | None) -> None:
    """Makes a file. What is to replace another is for nobody else to read until it has the owner and the mode of that one."""
    with open(part, "xb", opener=partial(os.open, mode=0o600 if like else 0o666)) as file:
        if like:
            with suppress(PermissionError):  # only root gives files away
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), like.st_mode & 0o7777)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def put_where_nothing_is(part: Path, path: Path) -> bool:
    try:
        path.hardlink_to(part)
    except FileExistsError:
        return False
    except OSError:  # a file system without links; nobody else makes the file in these few microseconds
        part.replace(path)
    return True


def keep(path: Path, kept: Path, former: bytes, seen: os.stat_result) -> None:
    """The file under a second name: the very same, so that what is saved into it by then is kept too."""
    try:
        kept.hardlink_to(path)
    except OSError:  # a file system without links, or the file was deleted in this very moment
        write_durably(kept, former, like=seen)


def clear_leftovers(path: Path) -> None:
    """Of writes that were killed. The folder was changed just now, so its time is the file system's own."""
    with suppress(OSError):
        oldest = path.parent.stat().st_mtime - STALE
        for part in path.parent.glob(f".{escape(path.name)}.{PART}.part"):
            if part.stat().st_ctime < oldest:
                part.unlink()


def flush_folder(folder: Path) -> None:
    """Makes a rename last. Not every system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
