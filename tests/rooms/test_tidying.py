"""Folders that were set aside for runs which will never come."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from agents.src.services.files import FolderFiles
from agents.src.tasks import Ask, Brief, Draft, EventType, Question, Result, Tidying, Workspace, parked
from agents.src.tasks.tidying import EVERY
from agents.src.tasks.underway import HEARTBEAT
from tests.building import PATIENCE, SteppedClock, eventually, new_id, parts, running, submit
from tests.conftest import OpenDb
from tests.contracts.test_task_store import DONE, House, a_house

WHERE = Question(text="Where to?")


async def set_aside(house: House, files: FolderFiles) -> str:
    """The id of a task that was parked with its folder."""
    run = await house.run()
    await files.open(run)
    await house.questions.ask(run, "k", WHERE, run.brief.questions)
    await files.set_aside(run)
    await house.store.settle(run, parked())
    return run.task.id


def test_only_folders_of_tasks_that_have_ended_go_and_not_each_time(open_db: OpenDb, tmp_path: Path) -> None:
    async def story() -> None:
        house = a_house(open_db())
        files = FolderFiles(tmp_path, tmp_path / "work", house.db, house.clock, 1000)
        tidying = Tidying(house.store, files, house.clock)
        cancelled, waits = [await set_aside(house, files) for _ in range(2)]
        foreign = tmp_path / "parked" / new_id()
        foreign.mkdir()
        await house.store.request_cancel(cancelled)
        await tidying.tidy()
        assert {*await files.parked()} == {waits, foreign.name}
        await house.store.request_cancel(waits)
        house.clock.time += EVERY - 1
        await tidying.tidy()
        assert {*await files.parked()} == {waits, foreign.name}
        house.clock.time += 1
        await tidying.tidy()
        assert await files.parked() == (foreign.name,)

    asyncio.run(story())


def test_which_tasks_have_ended(open_db: OpenDb) -> None:
    async def story() -> None:
        house = a_house(open_db())
        run, other = await house.run(), await house.run()
        await house.store.settle(run, DONE)
        assert await house.store.ended([run.task.id, other.task.id, "nobody"]) == {run.task.id}
        assert await house.store.ended([]) == frozenset()

    asyncio.run(story())


def test_a_server_tidies_up(state_dir: Path) -> None:
    async def asks(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        (workspace.output / "notes.txt").write_text("half done")
        await ask(WHERE)
        yield Result()

    async def story() -> None:
        clock = SteppedClock()
        here = parts(state_dir, works={"noop": asks}, clock=clock, uses_folder=True, goes_on=True, question_hold_seconds=0)
        async with asyncio.timeout(PATIENCE), running(here):
            task = await submit(here)

            async def is_parked() -> bool:
                return any(event.type is EventType.PARKED for event in await here.store.events(task.id, 0, 50))

            await eventually(is_parked)
            aside = state_dir / "parked" / task.id
            assert aside.is_dir()
            await here.store.request_cancel(task.id)
            clock.time += EVERY

            async def is_gone() -> bool:
                await clock.advance(HEARTBEAT)
                return not aside.exists()

            await eventually(is_gone)

    asyncio.run(story())
