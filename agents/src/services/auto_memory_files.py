"""The files of Claude Code's own memory: how they are named, read and written."""

import re
from collections.abc import Iterable
from pathlib import Path

from agents.src.errors import InvalidMemory
from agents.src.memory import normalised
from agents.src.services.replacing import look, replace

INDEX = "MEMORY.md"
STEM = r"[A-Za-z0-9_](?:[\w .-]{0,98}[\w-])?"
FILE = re.compile(rf"File: ({STEM})\.md(?:\n([\s\S]*))?")
NAME = re.compile(rf"({STEM})((?:~[0-9a-f]{{8}})*)\.md")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+\.md)\)")
NOWHERE = "0"
"""A generation that is no file's."""


def fitting(text: str) -> str | None:
    """As an entry's text, None where it cannot be one."""
    try:
        return normalised(text)
    except ValueError:
        return None


def unmarked(text: str, ids: Iterable[str]) -> str:
    """Without the markers of these entries and the generation that were just written into it."""
    names = "|".join(map(re.escape, sorted(ids, key=len, reverse=True)))
    without = re.sub(rf" ?<!-- m:(?:{names}) -->", "", text)
    return re.sub(rf"\n*<!-- sync:{NOWHERE} -->\n?\Z", "\n", without)


def files_in(folder: Path) -> list[Path]:
    """The files of facts, without MEMORY.md, by name. Links are passed over."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else ()
    return [
        path for path in inside if path.name != INDEX and NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]


def read(path: Path) -> str | None:
    """Raises InvalidMemory."""
    try:
        data = look(path)
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidMemory(f"{path} is not UTF-8. Save it as UTF-8, or move it away.") from None
    except OSError as error:
        raise InvalidMemory(f"{path} cannot be read ({error.strerror}).") from None


def put(path: Path, text: str, over: str | None) -> bool:
    """Unless the file no longer is `over` (None: there is no file); whether it did. A link gives way. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if over is None and path.is_symlink():
        path.unlink()
    return replace(path, text.encode(), None if over is None else over.encode())
