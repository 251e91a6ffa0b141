"""Tasks in a folder of the caller's, over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from httpx import Response

from tests.api.house import House, opened, problem


def tell(tmp_path: Path, story: Callable[[House], Awaitable[None]], *, allowed: bool = True) -> None:
    """With `a`, which is allowed, and `b`, which is not."""
    for name in ("a/deep", "b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    (tmp_path / "a" / "out").symlink_to("../b")

    async def live() -> None:
        async with opened(tmp_path / "state", workdirs=(tmp_path / "a",) if allowed else ()) as house:
            await story(house)

    asyncio.run(live())


async def submit(house: House, workdir: object) -> Response:
    body = {"skill": "writing", "task": "write plan.md", "workdir": workdir}
    return await house.client.post("/api/skill", json=body)


def test_a_task_shows_the_folder_that_it_works_in_and_its_artifacts_are_from_its_own(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        task = (await submit(house, f"{tmp_path}/a/deep/")).json()
        assert (task["status"], task["workdir"]) == ("completed", f"{tmp_path}/a/deep")
        assert [artifact["name"] for artifact in task["result"]["artifacts"]] == ["plan.md"]
        assert (await house.client.get(f"/api/tasks/{task['id']}")).json()["workdir"] == task["workdir"]
        assert list((tmp_path / "a" / "deep").iterdir()) == []
        assert (await submit(house, None)).json()["workdir"] is None

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("folder", "status", "kind"),
    [
        ("{0}/b", 403, "workdir-not-allowed"),
        ("{0}/nothing", 403, "workdir-not-allowed"),
        ("{0}/a/out", 403, "workdir-not-allowed"),
        ("{0}", 403, "workdir-not-allowed"),
        ("{0}/a/nothing", 404, "unknown-workdir"),
        ("{0}/a/file", 404, "unknown-workdir"),
        ("{0}/a/../a", 422, "invalid-request"),
        ("a", 422, "invalid-request"),
        ("", 422, "invalid-request"),
        ("{0}/a/\0", 422, "invalid-request"),
        ("/" + "x" * 4096, 422, "invalid-request"),
    ],
)
def test_what_is_refused_leaves_no_task(tmp_path: Path, folder: str, status: int, kind: str) -> None:
    async def story(house: House) -> None:
        problem(await submit(house, folder.format(tmp_path)), status, kind)
        assert (await house.client.get("/api/tasks")).json()["items"] == []

    tell(tmp_path, story)


def test_a_number_is_no_folder(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        problem(await submit(house, 5), 422, "invalid-request")

    tell(tmp_path, story)


def test_a_server_that_allows_none_says_how_to(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        refused = problem(await submit(house, f"{tmp_path}/a"), 403, "workdir-not-allowed")
        assert "MODAL_INVOKE_WORKDIRS" in refused["detail"]

    tell(tmp_path, story, allowed=False)
