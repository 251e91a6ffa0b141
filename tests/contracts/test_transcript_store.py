"""What claude-agent-sdk asks of a store of transcripts, and what becomes of them with their task, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from claude_agent_sdk.testing import run_session_store_conformance

from agents.src.errors import Unavailable
from agents.src.services.database import Db
from agents.src.services.transcript_store import RunTranscript, SqlTranscriptStore
from agents.src.tasks import Failure, Question, QuestionFilter, QuestionRules, Result, Run, cancelled, failed, parked
from agents.src.tasks.run import completed
from tests.building import NOON, a_brief, a_task
from tests.conftest import OpenDb
from tests.contracts.test_task_store import MINE, House, at_home

WRONG = Failure(type="engine-failed", title="The engine could not be run.", detail="It would not.")


def entry(text: str, **more: Any) -> Any:
    return {"type": "user", "uuid": str(uuid4()), "message": {"content": text}, **more}


def test_it_is_a_session_store(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        async def empty() -> SqlTranscriptStore:
            await db.write(lambda tx: tx.run("delete from transcript"))
            return SqlTranscriptStore(db)

        await run_session_store_conformance(empty)  # type: ignore[arg-type]  # of what is optional, it has what is needed here

    asyncio.run(story(open_db()))


def test_entries_come_back_as_they_were_and_what_came_twice_once(open_db: OpenDb) -> None:
    async def story() -> None:
        store, key = SqlTranscriptStore(open_db()), {"project_key": "p", "session_id": "s"}
        odd, nameless = entry("nul \0, half a pair \ud83d, 🙂", deep=[{"x": None}, 0.5, 2**80]), {"type": "mode"}
        await store.append(key, [odd, nameless])  # type: ignore[arg-type, list-item]
        await store.append(key, [odd, nameless])  # type: ignore[arg-type, list-item]
        assert await store.load(key) == [odd, nameless, nameless]  # type: ignore[arg-type]

    asyncio.run(story())


def test_nothing_is_written_until_something_is_asked_and_then_all_of_it(open_db: OpenDb) -> None:
    async def story() -> None:
        store = SqlTranscriptStore(open_db())
        first = RunTranscript(store, "task-1:1")
        sent = [entry(f"{number}") for number in range(4)]
        theirs = {"project_key": "a-folder-of-that-run", "session_id": first.session}
        await first.append(theirs, sent[:1])  # type: ignore[arg-type]
        await first.append({**theirs, "subpath": "subagents/agent-1"}, sent[3:])  # type: ignore[typeddict-item]
        assert await RunTranscript(store, "task-1:1").past() == {}
        await first.keep()
        await first.append(theirs, sent[1:2])  # type: ignore[arg-type]
        second = RunTranscript(store, "task-1:1")  # another attempt that goes on with it, in another process
        assert await second.past() == {"": sent[:2], "subagents/agent-1": sent[3:]}
        second.add(sent[2:3])
        await second.keep()
        assert (await RunTranscript(store, "task-1:1").past())[""] == sent[:3]
        assert await RunTranscript(store, "task-1:2").past() == {}

    asyncio.run(story())


def test_who_begins_anew_leaves_nothing_of_before(open_db: OpenDb) -> None:
    async def story() -> None:
        store = SqlTranscriptStore(open_db())
        before, after = entry("before"), entry("after")
        for text in (before, after):
            run = RunTranscript(store, "task-1:1")
            run.add([text])
            await run.keep()
        assert await RunTranscript(store, "task-1:1").past() == {"": [after]}

    asyncio.run(story())


def test_what_could_not_be_written_goes_with_what_comes_next(open_db: OpenDb) -> None:
    class Away(SqlTranscriptStore):
        async def append(self, key: Any, entries: Any) -> None:
            if is_away:
                raise Unavailable("The database is away.")
            await super().append(key, entries)

    is_away = False

    async def story() -> None:
        nonlocal is_away
        store = Away(open_db())
        run, sent = RunTranscript(store, "task-1:1"), [entry("1"), entry("2"), entry("3")]
        key: Any = {"project_key": "p", "session_id": run.session}
        await run.append(key, sent[:1])
        await run.keep()
        is_away = True
        await run.append(key, sent[1:2])
        with pytest.raises(Unavailable):
            await run.keep()
        is_away = False
        await run.append(key, sent[2:])
        assert await RunTranscript(store, "task-1:1").past() == {"": sent}

    asyncio.run(story())


async def kept(house: House, task_id: str) -> bool:
    rows = await house.db.read(lambda tx: tx.run("select 1 from transcript where project = ?", task_id))
    return bool(rows)


async def a_run_with_a_transcript(house: House) -> Run:
    run = (await house.store.add(a_task(), a_brief(engine="claude"), claim=MINE)).run
    assert run
    transcript = RunTranscript(SqlTranscriptStore(house.db), run.session)
    transcript.add([entry("hello")])
    await transcript.keep()
    assert await kept(house, run.task.id)
    return run


async def completes(house: House, run: Run) -> None:
    await house.store.settle(run, completed(Result(text="Done.")))


async def fails(house: House, run: Run) -> None:
    await house.store.settle(run, failed(WRONG))


async def is_cancelled(house: House, run: Run) -> None:
    await house.store.settle(run, cancelled())


async def is_cancelled_while_parked(house: House, run: Run) -> None:
    await house.questions.ask(run, "k", Question(text="Which?"), QuestionRules())
    await house.store.settle(run, parked())
    assert await kept(house, run.task.id)
    await house.store.request_cancel(run.task.id)


async def expires_while_parked(house: House, run: Run) -> None:
    await house.questions.ask(run, "k", Question(text="Which?"), QuestionRules(deadline=60))
    await house.store.settle(run, parked())
    house.clock.time = NOON + 61
    [asked] = (await house.questions.page(QuestionFilter(task_id=run.task.id), None, 1)).items
    await house.questions.expire(asked, WRONG)


@pytest.mark.parametrize("end", [completes, fails, is_cancelled, is_cancelled_while_parked, expires_while_parked])
def test_a_transcript_goes_with_its_task(open_db: OpenDb, end: Callable[[House, Run], Awaitable[None]]) -> None:
    async def story(house: House) -> None:
        other, run = await a_run_with_a_transcript(house), await a_run_with_a_transcript(house)
        await end(house, run)
        assert (await house.store.get(run.task.id)).status.ended
        assert not await kept(house, run.task.id)
        assert await kept(house, other.task.id)

    at_home(open_db, story)
