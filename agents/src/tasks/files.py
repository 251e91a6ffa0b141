"""The port: files handed over before a task, and artifacts left after it."""

import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LONGEST_NAME = 120
"""Bytes of UTF-8."""
LONGEST_SUFFIX = 16
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""What Windows takes for a device."""
UNSAFE = re.compile(r"[^\w.\- ()+,=@]+")


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A kept file. `size` in bytes, `sha256` in hex."""

    id: str
    caller: str
    name: str
    size: int
    media_type: str
    sha256: str


class FileStore(Protocol):
    async def put(self, caller: str, name: str, media_type: str | None, chunks: AsyncIterator[bytes]) -> FileInfo:
        """Keeps a file under a safe form of its name. Raises TooLarge; then nothing is kept."""

    async def info(self, file_id: str) -> FileInfo:
        """Raises UnknownFile."""

    async def path(self, file: FileInfo) -> Path:
        """Where its bytes can be read. Raises UnknownFile where they are gone."""

    async def artifact(self, task_id: str, name: str) -> Path:
        """Where an artifact's bytes can be read. Raises UnknownArtifact."""


def safe_name(name: str) -> str:
    """A name that is one harmless path component on every system, and still recognisable."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    name = UNSAFE.sub("_", name).strip(" .")
    if RESERVED.fullmatch(name):
        name = f"_{name}"
    return fitted(name) or "file"


def fitted(name: str, mark: str = "") -> str:
    """The name with `mark` before its suffix, and of its stem what LONGEST_NAME leaves room for."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) >= LONGEST_SUFFIX:
        stem, dot, suffix = name, "", ""
    room = LONGEST_NAME - len(f"{mark}{dot}{suffix}".encode())
    return f"{shorten(stem, room)}{mark}{dot}{suffix}".rstrip(" .")


def shorten(text: str, length: int) -> str:
    """At most so many bytes of UTF-8, never half a character."""
    return text.encode()[:length].decode(errors="ignore")


def distinct(names: list[str]) -> list[str]:
    """The names in order, later doubles numbered: `clip.mp4`, `clip (2).mp4`. Compared without regard to case."""
    taken: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 1
        while unique.lower() in taken:
            number += 1
            unique = fitted(name, f" ({number})")
        taken.add(unique.lower())
        result.append(unique)
    return result
