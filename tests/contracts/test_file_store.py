"""What the file store and the workspaces keep to, in real folders."""

import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.src.errors import TooLarge, UnknownArtifact, UnknownFile
from agents.src.services.files import FolderFiles
from agents.src.tasks import Artifact, InputFile, Run
from tests.building import PATIENCE, SteppedClock, a_brief, a_task
from tests.conftest import OpenDb

LARGEST = 3 << 20


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def tell(open_db: OpenDb, root: Path, story: Callable[[FolderFiles], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE):
            await story(FolderFiles(root, root / "work", open_db(), SteppedClock(), LARGEST))

    asyncio.run(live())


def a_run(*files: InputFile, task_id: str | None = None) -> Run:
    task = a_task(**({"id": task_id} if task_id else {}), attempt=1)
    return Run(task, a_brief(files=files), "worker-1")


def kept(root: Path) -> list[Path]:
    return [path for path in (root / "files").rglob("*") if path.is_file()]


def test_a_file_comes_back_as_it_was_given(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        parts = [b"a" * 700_000, b"", b"b" * 700_000, b"end"]
        file = await files.put("ada", "../../etc/clip 🙂.mp4", None, chunks(*parts))
        assert (file.caller, file.name, file.media_type) == ("ada", "clip _.mp4", "video/mp4")
        assert (file.size, file.sha256) == (1_400_003, hashlib.sha256(b"".join(parts)).hexdigest())
        assert await files.info(file.id) == file
        assert (await files.path(file)).read_bytes() == b"".join(parts)

    tell(open_db, tmp_path, story)


def test_an_empty_file_and_a_stated_type(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        file = await files.put("ada", "", "text/x-odd", chunks())
        assert (file.name, file.size, file.media_type) == ("file", 0, "text/x-odd")
        assert (await files.path(file)).read_bytes() == b""

    tell(open_db, tmp_path, story)


def test_of_what_is_too_large_nothing_is_kept(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        just = await files.put("ada", "just", None, chunks(b"x" * LARGEST))
        with pytest.raises(TooLarge):
            await files.put("ada", "more", None, chunks(b"x" * LARGEST, b"x"))
        assert kept(tmp_path) == [await files.path(just)]

    tell(open_db, tmp_path, story)


def test_of_a_broken_upload_nothing_is_kept(open_db: OpenDb, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (2 << 20)
        raise ConnectionResetError

    async def story(files: FolderFiles) -> None:
        with pytest.raises(ConnectionResetError):
            await files.put("ada", "clip.mp4", None, broken())
        assert kept(tmp_path) == []

    tell(open_db, tmp_path, story)


def test_a_disk_that_is_full_keeps_nothing(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 19, usual[1]))  # in the middle of what is written last
        try:
            with pytest.raises(OSError, match="File too large"):
                await files.put("ada", "clip.mov", None, chunks(b"a" * (1 << 20), b"b" * (3 << 18)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert kept(tmp_path) == []

    tell(open_sqlite, tmp_path, story)


def test_files_that_are_not_there(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        with pytest.raises(UnknownFile):
            await files.info("../state.db")
        file = await files.put("ada", "clip.mp4", None, chunks(b"x"))
        (await files.path(file)).unlink()
        with pytest.raises(UnknownFile, match="upload it again"):
            await files.path(file)

    tell(open_db, tmp_path, story)


def test_what_other_containers_published_is_looked_for_once_more(open_db: OpenDb, tmp_path: Path) -> None:
    async def live() -> None:
        published: list[str] = []

        async def publish() -> None:
            published.append("yes")

        async def refresh() -> None:
            (tmp_path / "elsewhere").rename(path)

        files = FolderFiles(tmp_path, tmp_path / "work", open_db(), SteppedClock(), LARGEST, publish, refresh)
        file = await files.put("ada", "clip.mp4", None, chunks(b"x"))
        assert published == ["yes"]
        path = await files.path(file)
        path.rename(tmp_path / "elsewhere")
        assert (await files.path(file)).read_bytes() == b"x"

    asyncio.run(live())


# Workspaces and artifacts


def test_a_workspace_holds_the_files_and_its_output_becomes_artifacts(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        file = await files.put("ada", "clip.mp4", None, chunks(b"clip"))
        run = a_run(InputFile(id=file.id, name="clip.mp4"), InputFile(id=file.id, name="../clip (2).mp4"))
        workspace = await files.open(run)
        assert sorted(path.name for path in workspace.input.iterdir()) == ["clip (2).mp4", "clip.mp4"]
        assert (workspace.input / "clip.mp4").read_bytes() == b"clip"
        (workspace.output / "sub").mkdir()
        (workspace.output / "sub" / "plan.md").write_text("deep")
        (workspace.output / "plan.md").write_text("plan")
        (workspace.output / "sub-plan.md").write_text("clash")
        (workspace.output / "link").symlink_to("/etc/hostname")
        artifacts = await files.collect(run, workspace)
        assert artifacts == (
            Artifact(name="plan.md", size=4, media_type="text/markdown"),
            Artifact(name="sub-plan.md", size=4, media_type="text/markdown"),
            Artifact(name="sub-plan (2).md", size=5, media_type="text/markdown"),
        )
        texts = [(await files.artifact(run.task.id, artifact.name)).read_text() for artifact in artifacts]
        assert texts == ["plan", "deep", "clash"]
        await files.discard(workspace)
        assert not workspace.folder.exists()

    tell(open_db, tmp_path, story)


def test_artifacts_with_long_names_that_clash_can_be_fetched(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        run = a_run()
        workspace = await files.open(run)
        for number in range(3):
            (workspace.output / f"{'ä' * 70}{'x' * 90}{number}.txt").write_text(str(number))
        artifacts = await files.collect(run, workspace)
        texts = [(await files.artifact(run.task.id, artifact.name)).read_text() for artifact in artifacts]
        assert texts == ["0", "1", "2"]

    tell(open_db, tmp_path, story)


def test_an_output_folder_that_leads_elsewhere_gives_nothing_away(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        secret = tmp_path / "elsewhere" / "token"
        secret.parent.mkdir()
        secret.write_text("secret")
        run = a_run()
        workspace = await files.open(run)
        (workspace.output / "link").symlink_to(secret)
        (workspace.output / "links").symlink_to(secret.parent)
        assert await files.collect(run, workspace) == ()
        await files.discard(workspace)
        workspace = await files.open(run)
        workspace.output.rmdir()
        workspace.output.symlink_to(secret.parent)
        assert await files.collect(run, workspace) == ()
        await files.discard(workspace)
        assert not workspace.folder.exists()
        assert secret.read_text() == "secret"

    tell(open_db, tmp_path, story)


def test_a_workspace_is_empty_again_for_the_same_run(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        run = a_run()
        (await files.open(run)).output.joinpath("left").write_text("over")
        workspace = await files.open(run)
        assert await files.collect(run, workspace) == ()

    tell(open_db, tmp_path, story)


def test_a_workspace_that_cannot_be_filled_is_not_left_behind(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        with pytest.raises(UnknownFile):
            await files.open(a_run(InputFile(id="gone", name="clip.mp4")))
        assert list((tmp_path / "work").iterdir()) == []

    tell(open_db, tmp_path, story)


def attempts(first: Run) -> list[Run]:
    """Four of one piece of work, in their order."""
    return [replace(first, task=replace(first.task, attempt=number, session=1)) for number in range(1, 5)]


def test_a_folder_that_was_set_aside_is_where_it_was_for_the_next_attempt(open_db: OpenDb, tmp_path: Path) -> None:
    async def story(files: FolderFiles) -> None:
        first, second, *_ = attempts(a_run())
        workspace = await files.open(first)
        (workspace.output / "notes").write_text("half done")
        await files.set_aside(first)
        assert not workspace.folder.exists()
        assert await files.parked() == (first.task.id,)
        again = await files.open(second)
        assert (again.goes_on, again.folder, (again.output / "notes").read_text()) == (True, workspace.folder, "half done")
        assert await files.parked() == ()

    tell(open_db, tmp_path, story)


def test_a_folder_counts_for_the_next_attempt_alone(open_db: OpenDb, tmp_path: Path) -> None:
    """The second attempt runs on a machine that does not see the folders of the first one's, and begins anew there."""

    async def live() -> None:
        db, clock = open_db(), SteppedClock()
        here, there = (FolderFiles(tmp_path / name, tmp_path / name / "work", db, clock, LARGEST) for name in ("here", "there"))
        first, second, third, fourth = attempts(a_run())
        ((await here.open(first)).output / "notes").write_text("old")
        await here.set_aside(first)
        assert not (await there.open(second)).goes_on
        await there.set_aside(second)
        workspace = await here.open(third)
        assert (workspace.goes_on, [*workspace.output.iterdir()]) == (False, [])
        (workspace.output / "notes").write_text("new")
        await here.set_aside(third)
        assert ((await here.open(fourth)).output / "notes").read_text() == "new"

    asyncio.run(live())


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("t1", "other.md"),
        ("t2", "plan.md"),
        ("t1", "../t1/plan.md"),
        ("..", "plan.md"),
        ("t1", ".."),
        ("t1", ""),
        ("", "t1"),
        ("t1", "a\0b"),
    ],
)
def test_artifacts_that_are_not_there(open_sqlite: OpenDb, tmp_path: Path, task_id: str, name: str) -> None:
    async def story(files: FolderFiles) -> None:
        run = a_run(task_id="t1")
        workspace = await files.open(run)
        (workspace.output / "plan.md").write_text("plan")
        await files.collect(run, workspace)
        with pytest.raises(UnknownArtifact):
            await files.artifact(task_id, name)

    tell(open_sqlite, tmp_path, story)
