"""A memory.md on disk: read as it is, and replaced in one step."""

from contextlib import suppress
from pathlib import Path

from agents.src.errors import InvalidMemory
from agents.src.services.replacing import look, replace

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
        """The file itself: what memory.md links to, where it is a link. Raises InvalidMemory."""
        path = named = self._folder / NAME
        with suppress(RuntimeError):  # before Python 3.13; from then on a link in a loop is given back
            path = named.resolve()
        if path.is_symlink():
            raise InvalidMemory(f"{named} is a link that leads to no file, but to itself. Put a file in its place, or remove it.")
        if named.is_symlink() and not path.parent.is_dir():
            raise InvalidMemory(f"{named} is a link into {path.parent}, which is not there. Make the folder, or remove the link.")
        return path

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
        self._check_folder()
        data = look(self.path, LARGEST + 1)
        if data is not None:
            self._check_size(len(data))
        return data

    def _check_folder(self) -> None:
        if not self._folder.is_dir() and not self._make:
            raise InvalidMemory(f"There is no folder {self._folder}. Was the skill moved? Name the folder where it is now.")

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
            self._check_folder()
            if self._make:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return replace(self.path, data, former, self.backup)
        except OSError as error:
            raise self._unusable("written", error) from None
