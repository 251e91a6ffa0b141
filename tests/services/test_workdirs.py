"""Which folders tasks may work in."""

import asyncio
import os
from pathlib import Path

import pytest

from agents.src.errors import UnknownWorkdir, WorkdirChanged, WorkdirNotAllowed
from agents.src.services.workdirs import FolderWorkdirs, NoWorkdirs


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """`a`, which is allowed, and its surroundings; `by-link` leads to `a`."""
    for name in ("a/deep/er", "ab", "secret", "state/work"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    for link, target in {
        "by-link": "a",
        "a/in": "deep/er",
        "a/out": "../secret",
        "a/dangling": "../nothing",
        "a/loop": "loop",
        "secret/way-in": "../a/deep",
    }.items():
        (tmp_path / link).symlink_to(target)
    return tmp_path


def admitted(place: Path, path: str, *roots: str, state: str = "state") -> str:
    workdirs = FolderWorkdirs([place / root for root in roots or ("a",)], place / state)
    return asyncio.run(workdirs.admit(os.path.join(place, path)))  # noqa: PTH118  # keeps what Path would put right


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("a", "a"),
        ("a/", "a"),
        ("a//deep/./er//", "a/deep/er"),
        ("a/in", "a/deep/er"),
    ],
)
def test_a_root_and_what_is_below_it_is_allowed(place: Path, path: str, folder: str) -> None:
    assert admitted(place, path) == str(place / folder)


def test_a_root_may_be_a_link_and_is_known_by_both_its_names(place: Path) -> None:
    for path in ("by-link/deep", "a/deep"):
        assert admitted(place, path, "by-link") == str(place / "a" / "deep")


def test_a_link_may_lead_from_one_root_to_another(place: Path) -> None:
    assert admitted(place, "a/out", "a", "secret") == str(place / "secret")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "ab",
        "A",
        "secret",
        "nothing",
        "a/out",
        "a/dangling",
        "a/../secret",
        "a/out/way-in",
        "secret/way-in",
        "by-link/deep",
        "a/deep/../../secret",
        "a/deep/..",
    ],
)
def test_all_else_is_refused_in_the_same_words_whether_it_is_there_or_not(place: Path, path: str) -> None:
    with pytest.raises(WorkdirNotAllowed) as refused:
        admitted(place, path)
    with pytest.raises(WorkdirNotAllowed) as unknown:
        admitted(place, "nowhere/at/all")
    assert refused.value.detail == unknown.value.detail
    assert str(place) not in refused.value.detail


@pytest.mark.parametrize("path", ["", "state", "state/work"])
def test_what_has_to_do_with_the_servers_own_state_is_refused(place: Path, path: str) -> None:
    with pytest.raises(WorkdirNotAllowed, match="state"):
        admitted(place, path, "")
    assert admitted(place, "secret", "") == str(place / "secret")


@pytest.mark.parametrize(
    ("path", "says"),
    [("a/nothing", "There is no such folder."), ("a/loop", "There is no such folder."), ("a/file", "This is not a folder.")],
)
def test_below_a_root_it_is_said_what_is_wrong(place: Path, path: str, says: str) -> None:
    with pytest.raises(UnknownWorkdir, match=says):
        admitted(place, path)


def test_without_roots_none_is_allowed_and_it_is_said_how_to_allow_some(place: Path) -> None:
    with pytest.raises(WorkdirNotAllowed, match="MODAL_INVOKE_WORKDIRS"):
        asyncio.run(FolderWorkdirs([], place / "state").admit(str(place / "a")))


def test_when_a_run_begins_the_folder_must_be_what_it_was(place: Path) -> None:
    folder, workdirs = place / "a" / "deep", FolderWorkdirs([place / "a"], place / "state")
    assert asyncio.run(workdirs.check(str(folder))) == folder

    def refusal(here: FolderWorkdirs = workdirs) -> str:
        with pytest.raises(WorkdirChanged) as changed:
            asyncio.run(here.check(str(folder)))
        return changed.value.detail

    assert "not below" in refusal(FolderWorkdirs([place / "ab"], place / "state"))
    assert "not below" in refusal(FolderWorkdirs([], place / "state"))
    folder.rename(place / "moved")
    assert "is gone" in refusal()
    for target in (place / "a" / "elsewhere", place / "secret"):
        target.mkdir(exist_ok=True)
        folder.symlink_to(target)
        assert "leads elsewhere now" in refusal()
        folder.unlink()
    folder.touch()
    assert "is gone" in refusal()


def test_a_folder_above_it_that_became_a_link_is_seen_too(place: Path) -> None:
    workdirs = FolderWorkdirs([place / "a"], place / "state")
    (place / "a" / "deep").rename(place / "a" / "other")
    (place / "a" / "deep").symlink_to("other")
    with pytest.raises(WorkdirChanged, match="leads elsewhere"):
        asyncio.run(workdirs.check(str(place / "a" / "deep" / "er")))


def test_where_tasks_run_in_containers_all_are_refused() -> None:
    for folder in ("/", "/nowhere"):
        with pytest.raises(WorkdirNotAllowed, match="containers here, which do not see this folder"):
            asyncio.run(NoWorkdirs().admit(folder))
        with pytest.raises(WorkdirChanged, match="containers"):
            asyncio.run(NoWorkdirs().check(folder))
