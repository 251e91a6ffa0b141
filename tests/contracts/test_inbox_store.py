"""What every inbox keeps to, on both databases."""

from collections.abc import Sequence
from typing import Any

import pytest

from agents.src.services.inbox_store import ASKED, ENDED, SqlInboxStore
from agents.src.tasks import (
    Action,
    Answer,
    Entry,
    EntryKind,
    EventType,
    Inbox,
    Question,
    QuestionRules,
    Run,
    Status,
    Task,
    cancelled,
    parked,
)
from tests.building import NOON
from tests.conftest import OpenDb
from tests.contracts.test_task_store import DONE, FAILED, WRONG, House, a_house, again_at, at_home

WHERE = Question(text="Where to?\n\nSay it.")
RULES = QuestionRules(deadline=600.0)


def told_of(house: House) -> SqlInboxStore:
    return SqlInboxStore(house.db)


def ids(entries: Sequence[Entry]) -> list[str]:
    return [entry.id for entry in entries]


async def wanted(house: House, **fields: Any) -> Run:
    return await house.run(**{"inbox": Inbox.WAITING, **fields})


async def ended(house: House, **fields: object) -> Task:
    return await house.store.settle(await wanted(house, **fields), DONE)


async def asks(house: House) -> tuple[Run, str]:
    run = await wanted(house)
    return run, (await house.questions.ask(run, "k", WHERE, RULES)).id


def test_a_task_that_ended_is_there_until_it_is_seen(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        inbox, run = told_of(house), await wanted(house)
        assert await inbox.take("ada", 10) == ()
        house.clock.time = NOON + 5
        task = await house.store.settle(run, DONE)
        assert task.inbox is Inbox.PENDING
        [entry] = await inbox.take("ada", 10)
        assert entry == Entry(EntryKind.ENDED, task.id, task.id, "noop", Status.COMPLETED, "Done.", NOON + 5)
        assert (await house.store.get(task.id)).inbox is Inbox.DELIVERED
        assert await inbox.take("ada", 10) == (entry,)  # to the next session
        assert await inbox.seen("ada", [task.id]) == 1
        assert (await house.store.get(task.id)).inbox is Inbox.SEEN
        assert await inbox.take("ada", 10) == ()
        assert await inbox.seen("ada", [task.id]) == 0

    at_home(open_db, story)


def test_peeking_changes_nothing(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        inbox, task = told_of(house), await ended(house)
        assert ids(await inbox.peek("ada", 10)) == [task.id]
        assert (await house.store.get(task.id)).inbox is Inbox.PENDING

    at_home(open_db, story)


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled at once", "cancelled running", "cancelled parked", "expired"])
def test_however_it_ends(open_db: OpenDb, how: str) -> None:
    async def story(house: House) -> None:
        if how == "cancelled at once":
            task_id = (await house.queued(inbox=Inbox.WAITING)).id
            assert (await house.store.request_cancel(task_id)).inbox is Inbox.PENDING
        else:
            run = await wanted(house)
            task_id = run.task.id
            if how in ("cancelled parked", "expired"):
                asked = await house.questions.ask(run, "k", WHERE, RULES)
                assert (await house.store.settle(run, parked())).inbox is Inbox.WAITING
                if how == "expired":
                    assert await house.questions.expire(asked, WRONG)
                else:
                    await house.store.request_cancel(task_id)
            else:
                await house.store.settle(run, {"completed": DONE, "failed": FAILED, "cancelled running": cancelled()}[how])
        [entry] = await told_of(house).take("ada", 10)
        summary = {"completed": "Done.", "failed": "It would not.", "expired": "It would not."}.get(how, "")
        assert (entry.id, entry.kind, entry.summary) == (task_id, EntryKind.ENDED, summary)
        assert entry.status.value == {"expired": "failed"}.get(how, how.split()[0])

    at_home(open_db, story)


def test_what_has_not_ended_is_not_there(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await wanted(house)
        assert (await house.store.request_cancel(run.task.id)).inbox is Inbox.WAITING  # it was only told to end
        other = await wanted(house)
        assert (await house.store.settle(other, again_at(NOON))).inbox is Inbox.WAITING
        assert await told_of(house).peek("ada", 10) == ()
        assert await told_of(house).seen("ada", [run.task.id, other.task.id]) == 0
        assert (await house.store.get(other.task.id)).inbox is Inbox.WAITING

    at_home(open_db, story)


def test_who_did_not_want_to_be_told_is_not(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.questions.ask(run, "k", WHERE, RULES)
        assert await told_of(house).peek("ada", 10) == ()
        assert (await house.store.settle(run, DONE)).inbox is None
        assert await told_of(house).peek("ada", 10) == ()

    at_home(open_db, story)


def test_a_question_is_there_until_it_is_seen_or_answered(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        inbox = told_of(house)
        (run, seen), (_, answered) = [await asks(house), await asks(house)]
        entries = await inbox.take("ada", 10)
        assert ids(entries) == [seen, answered]
        assert (entries[0].kind, entries[0].task_id, entries[0].status) == (
            EntryKind.QUESTION,
            run.task.id,
            Status.INPUT_REQUIRED,
        )
        assert (entries[0].summary, entries[0].asked) == ("Where to?", await house.questions.get(seen))
        assert await inbox.seen("ada", [seen]) == 1
        assert ids(await inbox.take("ada", 10)) == [answered]
        await house.questions.answer(answered, Answer(action=Action.ACCEPT, text="There."))
        assert await inbox.take("ada", 10) == ()
        # That a question was seen does not keep the end of its task from being told.
        await house.store.settle(run, DONE)
        assert ids(await inbox.take("ada", 10)) == [run.task.id]

    at_home(open_db, story)


def test_each_sees_their_own(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        inbox = told_of(house)
        mine, theirs = await ended(house), await ended(house, caller="root")
        assert ids(await inbox.take("ada", 10)) == [mine.id]
        assert ids(await inbox.take("root", 10)) == [theirs.id]
        assert await inbox.seen("root", [mine.id]) == 0
        assert ids(await inbox.take("ada", 10)) == [mine.id]

    at_home(open_db, story)


def test_the_oldest_come_first_and_those_that_were_told_not_again(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        inbox, runs = told_of(house), [await wanted(house) for _ in range(4)]
        expected = []
        for second, run in enumerate(reversed(runs)):
            house.clock.time = NOON + second
            expected.append((await house.store.settle(run, DONE)).id)
            expected.append((await asks(house))[1])
        assert ids(await inbox.take("ada", 100)) == expected
        assert ids(await inbox.take("ada", 3)) == expected[:3]
        told = set(expected[:3])
        assert ids(await inbox.take("ada", 3, told)) == expected[3:6]
        late = await ended(house)  # of a process whose clock is behind
        await house.db.write(lambda tx: tx.run("update task set finished_at = ? where id = ?", NOON - 1, late.id))
        assert ids(await inbox.take("ada", 1, set(expected))) == [late.id]

    at_home(open_db, story)


def test_only_what_is_handed_over_counts_as_delivered(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        first, second = await ended(house), await ended(house)
        await told_of(house).take("ada", 1)
        assert (await house.store.get(first.id)).inbox is Inbox.DELIVERED
        assert (await house.store.get(second.id)).inbox is Inbox.PENDING

    at_home(open_db, story)


def test_the_end_and_the_entry_are_one_transaction(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        theirs, task = a_house(open_db(), house.clock), await ended(house)
        assert ids(await told_of(theirs).take("ada", 10)) == [task.id]
        assert (await theirs.log(task.id))[-1][1] is EventType.COMPLETED

    at_home(open_db, story)


def test_an_inbox_is_read_from_its_index(open_sqlite: OpenDb) -> None:
    async def story(house: House) -> None:
        for statement, index in ((ENDED, "task_inbox"), (ASKED, "question_inbox")):
            plan = await house.db.read(lambda tx, sql=statement: tx.run(f"explain query plan {sql}", "ada", 10))  # type: ignore[misc]
            assert [row[3].split(" (")[0] for row in plan] == [f"SEARCH {index.removesuffix('_inbox')} USING INDEX {index}"]

    at_home(open_sqlite, story)
