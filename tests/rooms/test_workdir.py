"""Tasks in a folder of the caller's: from the request to the run."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.src.bootstrap import Parts
from agents.src.errors import WorkdirNotAllowed
from agents.src.tasks import Action, Answer, Ask, Brief, Draft, Question, Result, Status, Task, Workspace
from tests.building import PATIENCE, Nowhere, a_skill, ended, immediately, parts, running, submit
from tests.rooms.test_asking import parked, pending


class Works:
    """Runs that leave a file in their place and one in `output/`, and ask first where the prompt is a question."""

    def __init__(self) -> None:
        self.places: list[Path] = []

    async def __call__(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        self.places.append(workspace.place)
        (workspace.place / "left").touch()
        (workspace.output / "made").touch()
        if brief.prompt.endswith("?"):
            await ask(Question(text=brief.prompt))
        yield Result(text="Done.")


def a_house(state_dir: Path, works: Works, root: Path, **more: Any) -> Parts:
    skills = [a_skill("noop", retries=immediately(3))]
    return parts(state_dir, works={"noop": works}, skills=skills, uses_folder=True, workdirs=(root,), **more)


def tell(story: Callable[[], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE):
            await story()

    asyncio.run(live())


def in_folder(path: Path) -> list[str]:
    return sorted(found.name for found in path.iterdir())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed" / "project"
    folder.mkdir(parents=True)
    return folder


def test_a_run_works_there_and_leaves_it_as_it_is(state_dir: Path, project: Path) -> None:
    async def story() -> None:
        works = Works()
        async with running(a_house(state_dir, works, project.parent)) as here:
            task = await ended(here, await submit(here, workdir=str(project)))
            assert (task.status, task.workdir) == (Status.COMPLETED, str(project))
            assert task.result and [artifact.name for artifact in task.result.artifacts] == ["made"]
            alone = await ended(here, await submit(here))
            assert alone.workdir is None
        assert works.places[0] == project
        assert works.places[1].is_relative_to(state_dir)
        assert in_folder(project) == ["left"]
        assert in_folder(state_dir / "work") == []

    tell(story)


def test_where_tasks_run_elsewhere_it_is_refused_whatever_is_allowed(state_dir: Path, project: Path) -> None:
    async def story() -> None:
        here = a_house(state_dir, Works(), project.parent, runner=Nowhere())
        try:
            with pytest.raises(WorkdirNotAllowed, match="Tasks run in containers here, which do not see this folder"):
                await submit(here, workdir=str(project))
            assert (await here.store.totals(None)).by_status == {}
        finally:
            await here.close()

    tell(story)


async def waiting(here: Parts, project: Path) -> Task:
    """A task that is accepted, and that nothing runs yet."""
    try:
        return await submit(here, workdir=str(project))
    finally:
        await here.close()


@pytest.mark.parametrize("inside", [True, False])
def test_a_folder_that_a_link_takes_the_place_of_fails_the_task_before_anything_runs(
    state_dir: Path, project: Path, inside: bool
) -> None:
    other = project.parent / "other" if inside else project.parent.parent / "secret"
    other.mkdir()

    def swap() -> None:
        project.rmdir()
        project.symlink_to(other)

    async def story() -> None:
        works = Works()
        task = await waiting(a_house(state_dir, works, project.parent), project)
        assert task.status is Status.QUEUED
        swap()
        async with running(a_house(state_dir, works, project.parent)) as here:
            done = await ended(here, task)
        assert (done.status, done.attempt) == (Status.FAILED, 1)  # another attempt would find the same
        assert done.error and done.error.type == "workdir-changed"
        assert "leads elsewhere now" in done.error.detail
        assert works.places == []
        assert in_folder(other) == []

    tell(story)


def test_a_folder_that_is_no_longer_allowed_fails_the_task(state_dir: Path, project: Path, tmp_path: Path) -> None:
    async def story() -> None:
        works = Works()
        task = await waiting(a_house(state_dir, works, project.parent), project)
        (tmp_path / "new").mkdir()
        async with running(a_house(state_dir, works, tmp_path / "new")) as here:
            done = await ended(here, task)
        assert done.error and "MODAL_INVOKE_WORKDIRS" in done.error.detail
        assert works.places == []

    tell(story)


def test_a_parked_task_goes_on_there(state_dir: Path, project: Path) -> None:
    async def story() -> None:
        works = Works()
        async with running(a_house(state_dir, works, project.parent, goes_on=True, question_hold_seconds=0)) as here:
            task = await submit(here, prompt="Which?", workdir=str(project))
            await parked(here, task)
            [asked] = await pending(here, task)
            assert in_folder(state_dir / "parked" / task.id / "1") == ["input", "output"]
            await here.answering.answer(asked, Answer(action=Action.ACCEPT, text="this"))
            done = await ended(here, task)
        assert (done.status, done.attempt, done.resumed) == (Status.COMPLETED, 2, 1)
        assert done.result and [artifact.name for artifact in done.result.artifacts] == ["made"]
        assert works.places == [project, project]
        assert in_folder(project) == ["left"]

    tell(story)
