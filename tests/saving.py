"""Editors that save at a certain moment, and a disk that is full."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest


def by_rename(path: Path, text: str) -> None:
    """As vim and `sed -i` save."""
    new = path.with_name("new")
    new.write_text(text)
    new.replace(path)


def by_writing(path: Path, text: str) -> None:
    path.write_text(text)


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """Bytes that a file may have: as on a full disk, the write breaks off there."""
    soft, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))


def after(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, done: Callable[[], None]) -> None:
    """Something happens once, right after the first call of this function."""
    call, left = getattr(owner, name), [done]

    def called(*args: object, **named: object) -> object:
        result = call(*args, **named)
        while left:
            left.pop()()
        return result

    monkeypatch.setattr(owner, name, called)
