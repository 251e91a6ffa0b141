"""Runs of tasks that belong to a conversation."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from agents.src.bootstrap import Parts
from agents.src.conversations import Message, Role, Said
from agents.src.errors import EngineFailed, Unavailable
from agents.src.services.conversation_store import SqlConversationStore
from agents.src.services.database import Db
from agents.src.tasks import Ask, Brief, Claim, Draft, Execution, Result, Status, Workspace
from tests.building import NOON, SteppedClock, a_brief, a_skill, a_task, ended, eventually, immediately, parts, running
from tests.building import submit as submitted
from tests.conftest import OpenDb
from tests.rooms.test_execution import Bench, tell


async def repeating(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
    yield Result(text=" | ".join(said.text for said in brief.conversation) or "nothing")


async def outcome(here: Parts, **fields: Any) -> str:
    """What the result of a new task says."""
    result = (await ended(here, await submitted(here, **fields))).result
    assert result
    return result.text


def test_a_task_is_given_what_was_said_before_it(open_db: OpenDb, state_dir: Path) -> None:
    async def live() -> None:
        async with running(parts(state_dir, db=open_db(), works={"noop": repeating})) as here:
            assert await outcome(here, prompt="First.", conversation="auth") == "nothing"
            await here.conversations.add("ada", "auth", Role.USER, "ada", "By hand.")
            given = (await outcome(here, prompt="Second.", conversation="auth")).split(" | ")
            assert (given[0], given[2]) == ("First.", "By hand.")
            assert given[1].startswith("@ada Task ")
            assert given[1].endswith(" completed (exit 0).\n\nnothing")
            for other in ({}, {"inbox": True}, {"conversation": "other"}):
                assert await outcome(here, **other) == "nothing"

    asyncio.run(live())


def test_every_attempt_is_given_the_same(open_sqlite: OpenDb, state_dir: Path) -> None:
    given: list[tuple[Said, ...]] = []

    async def live() -> None:
        async def failing_once(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
            given.append(brief.conversation)
            if len(given) == 1:
                await here.conversations.add("ada", "auth", Role.USER, "ada", "Meanwhile.")
                raise EngineFailed("It was made to fail.")
            yield Result(text="Done after all.")

        skill = a_skill("noop", retries=immediately(1))
        async with running(parts(state_dir, db=open_sqlite(), skills=[skill], works={"noop": failing_once})) as here:
            await here.conversations.add("ada", "auth", Role.USER, "ada", "Before.")
            assert await outcome(here, conversation="auth") == "Done after all."
            assert [message.text for message in (await here.conversations.messages("ada", "auth", 0, 10)).items][:3] == [
                "Before.",
                "Please.",
                "Meanwhile.",
            ]

    asyncio.run(live())
    assert [[said.text for said in one] for one in given] == [["Before."], ["Before."]]


class Away(SqlConversationStore):
    """Out of reach for the next `outages` readings."""

    def __init__(self, db: Db, outages: int) -> None:
        super().__init__(db, SteppedClock())
        self.outages = outages

    async def before(self, task_id: str, limit: int) -> tuple[Message, ...]:
        if self.outages:
            self.outages -= 1
            raise Unavailable("The database is away.")
        return await super().before(task_id, limit)


def test_an_outage_of_the_database_is_waited_out(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        conversations = Away(bench.store._db, 2)
        await conversations.add("ada", "auth", Role.USER, "ada", "Before.")
        run = (await bench.store.add(a_task(conversation="auth"), a_brief(), claim=Claim("worker-1", NOON + 20))).run
        assert run
        execution: Execution = bench.execution(run, repeating, conversations=conversations)
        work = asyncio.create_task(execution.carry_out())
        for seconds in (1, 2):
            await eventually(lambda: bench.clock.sleeping == 1)
            await bench.clock.advance(seconds)
        task = await work
        assert task and (task.status, task.result) == (Status.COMPLETED, Result(text="Before."))
        assert run.brief.conversation == ()

    tell(open_sqlite, tmp_path, story)
