"""What a run is given of the memory, and what it learned."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from agents.src.errors import BudgetExhausted, EngineFailed, Unavailable
from agents.src.memory import Act, Hit, Lesson, MemoryPage, MemoryStore, Origin, Recall, new_entry
from agents.src.tasks import (
    Ask,
    Brief,
    Draft,
    EventType,
    Result,
    Status,
    Stop,
    Workspace,
    remembered,
)
from tests.building import (
    NOON,
    immediately,
    noop,
)
from tests.conftest import OpenDb
from tests.rooms.test_execution import ARGON, Bench, tell

FPS = Lesson(action=Act.CORRECT, id="b167aa41ae7e", text="videos are 50 fps", rev="r1")


class Shelf:
    """Implements what `Recall` asks of a memory: of every skill one entry, or an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def count(self, skill: str) -> int:
        if self.error:
            raise self.error
        return 1

    async def search(self, query: str, skills: Sequence[str], limit: int) -> tuple[Hit, ...]:
        return ()

    async def page(self, skills: Sequence[str], cursor: str | None, limit: int) -> MemoryPage:
        entry = new_entry(skills[0], "b167aa41ae7e", f"known to {skills[0]}", "", Origin("ada", "local", NOON))
        return MemoryPage((entry,), None)


def memory(error: Exception | None = None) -> Recall:
    return Recall(lambda: cast(MemoryStore, Shelf(error)), 2000)


async def showing(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
    yield Result(text=", ".join(entry.text for entry in brief.memory))


def test_a_run_is_given_what_is_known_when_it_starts(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        run = await bench.run()
        task = await bench.execution(run, showing, memory=memory()).carry_out()
        assert task and task.result == Result(text="known to noop")
        recalled = (await bench.log(task.id))[2]
        assert (recalled.type, recalled.seq) == (EventType.RECALLED, 3)
        assert recalled.data == {"entries": [{"id": "b167aa41ae7e", "text": "known to noop"}]}
        assert run.brief.memory == ()

    tell(open_sqlite, tmp_path, story)


def test_a_memory_out_of_reach_is_a_warning_and_the_task_runs(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        task = await bench.execution(await bench.run(), showing, memory=memory(Unavailable("Qdrant is away."))).carry_out()
        assert task and (task.status, task.result) == (Status.COMPLETED, Result())
        warning = (await bench.log(task.id))[2]
        assert (warning.type, warning.data["code"]) == (EventType.WARNING, "memory_unavailable")
        assert warning.data["message"].endswith("Qdrant is away.")

    tell(open_sqlite, tmp_path, story)


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, Status.COMPLETED), (BudgetExhausted("All spent."), Status.FAILED), (EngineFailed("It broke."), Status.QUEUED)],
    ids=["completed", "failed", "tried again"],
)
def test_what_a_run_learned_is_kept_however_it_ends(
    open_sqlite: OpenDb, tmp_path: Path, error: Exception | None, status: Status
) -> None:
    async def learning(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield remembered(ARGON, held=False)
        yield remembered(FPS, held=True)
        if error:
            raise error
        yield Result(text="Done.")

    async def story(bench: Bench) -> None:
        told: list[tuple[str, Status]] = []
        run = await bench.run(retries=immediately(1))

        def taught(skill: str) -> None:
            told.append((skill, status_of(run.task.id)))

        def status_of(task_id: str) -> Status:
            """As the database has it at this moment."""
            with closing(sqlite3.connect(tmp_path / "state" / "state.db")) as connection:
                [(found,)] = connection.execute("select status from task where id = ?", [task_id])
            return Status(found)

        task = await bench.execution(run, learning, taught=taught).carry_out()
        assert task and task.status is status
        if status.ended:
            assert task.result and task.result.remembered == (ARGON, FPS)
            assert (await bench.store.get(task.id)).result == task.result
        assert [taught.lesson for taught in await bench.lessons.waiting()] == [ARGON]
        assert [taught.lesson for taught in await bench.lessons.held()] == [FPS]
        assert told == [("noop", status)]

    tell(open_sqlite, tmp_path, story)


def test_a_cancelled_run_leaves_what_it_had_learned(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        told: list[str] = []
        learned_it = asyncio.Event()

        async def waiting(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
            yield remembered(ARGON, held=False)
            learned_it.set()
            await asyncio.Event().wait()

        execution = bench.execution(await bench.run(), waiting, taught=told.append)
        work = asyncio.create_task(execution.carry_out())
        await learned_it.wait()
        execution.stop(Stop.CANCELLED)
        task = await work
        assert task and (task.status, task.result) == (Status.CANCELLED, Result(remembered=(ARGON,)))
        assert told == ["noop"]

    tell(open_sqlite, tmp_path, story)


def test_only_a_run_that_learned_something_is_told_of_and_a_listener_that_fails_harms_nobody(
    open_sqlite: OpenDb, tmp_path: Path
) -> None:
    def failing_listener(skill: str) -> None:
        raise ValueError(skill)

    async def learning(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield remembered(ARGON, held=False)
        yield Result(text="Done.")

    async def story(bench: Bench) -> None:
        told: list[str] = []
        await bench.execution(await bench.run(), noop, taught=told.append).carry_out()
        assert told == []
        task = await bench.execution(await bench.run(), learning, taught=failing_listener).carry_out()
        assert task and task.status is Status.COMPLETED

    tell(open_sqlite, tmp_path, story)
