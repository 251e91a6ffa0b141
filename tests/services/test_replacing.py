"""How a file is replaced and removed that others save, read or write at the same time."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.src.errors import InvalidMemory
from agents.src.services import replacing
from agents.src.services.memory_file import MemoryFile
from agents.src.services.replacing import beside, remove, replace
from tests.saving import after, by_rename, by_writing, no_more_than

ROOT = Path(__file__).parents[2]


def program(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "memory.md"
    path.write_text("- one\n")
    return path


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


# Two writers


WRITES = """
from pathlib import Path
from agents.src.services.memory_file import MemoryFile

file = MemoryFile(Path({folder!r}))
for _ in range(40):
    file.write({letter!r} * 300_000, file.read())
"""


def test_two_programs_that_share_no_lock_tear_no_file(tmp_path: Path) -> None:
    (tmp_path / "memory.md").write_text("a" * 300_000)
    programs = [program(WRITES.format(folder=str(tmp_path), letter=letter)) for letter in "ab"]
    while any(each.poll() is None for each in programs):
        assert (tmp_path / "memory.md").read_text() in ("a" * 300_000, "b" * 300_000)
    assert [each.returncode for each in programs] == [0, 0]
    assert names(tmp_path / "memory.md") == [".memory.md.bak", "memory.md"]


def test_a_write_that_breaks_off_leaves_the_file_and_no_part(path: Path) -> None:
    with no_more_than(100), pytest.raises(OSError, match="File too large"):
        replace(path, b"x" * 1000, b"- one\n")
    assert path.read_text() == "- one\n"
    assert names(path) == ["memory.md"]


def test_what_a_killed_program_left_is_cleared_away_when_it_is_old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, others = beside(path), [".memory.md.20260101.bak", ".memory.md.part", ".other.md.0a1b2c3d.part"]
    for name in (left.name, *others):
        path.with_name(name).touch()
    assert replace(path, b"- two\n", b"- one\n")
    assert left.exists()
    monkeypatch.setattr(replacing, "STALE", -1.0)
    assert replace(path, b"- three\n", b"- two\n")
    assert names(path) == sorted([*others, "memory.md"])


# Who may read


KILLED = """
import os, signal
from pathlib import Path
from agents.src.services import replacing

def refused(self, target):
    raise PermissionError("no links here")

Path.hardlink_to, replacing.is_still = refused, lambda path, seen: os.kill(os.getpid(), signal.SIGKILL)
path = Path({path!r})
replacing.replace(path, b"- two\\n", b"- one\\n", path.with_name(".memory.md.bak"))
"""


def killed_before_it_is_in_place(path: Path) -> None:
    """Leaves the part that was written, and the copy of the former file."""
    assert program(KILLED.format(path=str(path))).wait() == -signal.SIGKILL


def test_no_part_of_a_private_file_is_for_others_to_read(path: Path) -> None:
    path.chmod(0o600)
    killed_before_it_is_in_place(path)
    assert len(names(path)) == 3
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_a_part_is_private_from_its_first_byte(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o644)
    modes = []
    chmod = os.fchmod

    def looking(handle: int, mode: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        chmod(handle, mode)

    monkeypatch.setattr(os, "fchmod", looking)
    assert replace(path, b"- two\n", b"- one\n")
    assert modes == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_new_file_has_the_mode_of_any_new_file(path: Path) -> None:
    usual, new = path.with_name("usual"), path.with_name("new.md")
    usual.touch()
    assert replace(new, b"- one\n", None)
    assert new.stat().st_mode == usual.stat().st_mode


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_root_leaves_a_file_to_its_owner(path: Path) -> None:
    os.chown(path, 1234, 1235)
    assert replace(path, b"- two\n", b"- one\n")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


# An editor that saves at the same time


@pytest.mark.parametrize("save", [by_rename, by_writing])
@pytest.mark.parametrize("step", ["look", "write_durably", "keep"])
def test_what_an_editor_saves_before_the_replacement_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[Path, str], None], step: str
) -> None:
    after(monkeypatch, replacing, step, lambda: save(path, "- one, by hand\n"))
    assert not replace(path, b"- two\n", b"- one\n", path.with_name("backup"))
    assert path.read_text() == "- one, by hand\n"
    assert names(path) == ["memory.md"]


def test_what_an_editor_saves_into_the_file_in_the_very_moment_comes_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after(monkeypatch, replacing, "is_still", lambda: by_writing(path, "- one, by hand\n"))
    same = path.stat().st_ino
    assert not replace(path, b"- two\n", b"- one\n", path.with_name("backup"))
    assert path.read_text() == "- one, by hand\n"
    assert path.stat().st_ino == same
    assert names(path) == ["memory.md"]


def test_a_file_that_holds_what_was_read_is_replaced_whatever_its_number(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that gives a file another number with each look."""
    after(monkeypatch, replacing, "keep", lambda: by_rename(path, "- one\n"))
    assert replace(path, b"- two\n", b"- one\n")
    assert path.read_text() == "- two\n"


def test_a_file_that_is_deleted_at_the_same_time_stays_deleted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after(monkeypatch, replacing, "write_durably", path.unlink)
    assert not replace(path, b"- two\n", b"- one\n")
    assert names(path) == []


def test_a_file_is_removed_only_as_it_was_read(path: Path) -> None:
    assert not remove(path, b"- another\n")
    assert path.read_text() == "- one\n"
    assert remove(path, b"- one\n")
    assert not remove(path, b"- one\n")
    assert names(path) == []


def test_what_is_saved_while_a_file_is_removed_is_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after(monkeypatch, Path, "rename", lambda: by_writing(path, "- one, by hand\n"))
    assert not remove(path, b"- another\n")
    assert path.read_text() == "- one, by hand\n"
    assert names(path) == ["memory.md"]


# What is no file


@pytest.mark.parametrize("act", [lambda path: MemoryFile(path.parent).read(), lambda path: replace(path, b"", b"- one\n")])
def test_a_pipe_is_refused_and_not_waited_for(path: Path, act: Callable[[Path], object]) -> None:
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InvalidMemory, match=r"memory\.md is a pipe or a device\. Put a file in its place"):
        act(path)
    assert names(path) == ["memory.md"]
