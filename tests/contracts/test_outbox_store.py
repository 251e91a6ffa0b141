"""What every outbox keeps to, on both databases."""

import asyncio

import pytest

from agents.src.services.outbox_store import SqlOutboxStore
from agents.src.tasks import (
    Asked,
    Callback,
    EventType,
    Notice,
    NoticeKind,
    NoticeState,
    PassOn,
    Question,
    QuestionRules,
    Run,
    Task,
    Verdict,
    cancelled,
    parked,
)
from agents.src.tasks.schedule import refused
from tests.building import NOON
from tests.conftest import OpenDb
from tests.contracts.test_task_store import DONE, FAILED, WRONG, House, a_house, again_at, at_home

THERE = Callback(url="https://example.com/hook", secret="whsec_x")
DELIVERED = Verdict(NoticeState.DELIVERED, status=204)
GONE = Verdict(NoticeState.GIVEN_UP, status=410)
AGAIN = Verdict(NoticeState.WAITING, NOON + 5, 500)
UNTIL = NOON + 60


def outbox_of(house: House) -> SqlOutboxStore:
    return SqlOutboxStore(house.db, house.hub, house.clock)


async def ended(house: House) -> Task:
    return await house.store.settle(await house.run(callback=THERE), DONE)


async def passed_on(house: House) -> tuple[Run, Asked]:
    """A question that a human is to hear of."""
    run = await house.run(callback=THERE)
    asked = await house.questions.ask(run, "k", Question(text="Where to?"), QuestionRules(deadline=600.0))
    passed = await house.questions.pass_on(asked, PassOn(1, NOON + 900))
    assert passed
    return run, passed


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled at once", "cancelled running", "expired"])
def test_the_end_of_a_task_with_a_callback_is_to_be_sent(open_db: OpenDb, how: str) -> None:
    async def story(house: House) -> None:
        if how == "cancelled at once":
            task_id = (await house.store.request_cancel((await house.queued(callback=THERE)).id)).id
        else:
            run = await house.run(callback=THERE)
            task_id = run.task.id
            if how == "expired":
                asked = await house.questions.ask(run, "k", Question(text="Where to?"), QuestionRules())
                await house.store.settle(run, parked())
                await house.questions.expire(asked, WRONG)
            else:
                await house.store.settle(run, {"completed": DONE, "failed": FAILED, "cancelled running": cancelled()}[how])
        kind = NoticeKind(f"task.{ {'expired': 'failed'}.get(how, how.split()[0]) }")
        seq = (await house.log(task_id))[-1][0]
        assert await outbox_of(house).next_due() == NOON
        [notice] = await outbox_of(house).claim(10, UNTIL)
        assert notice == Notice(f"{task_id}-{seq}", task_id, seq, kind, None, NOON, attempts=1, due_at=UNTIL)

    at_home(open_db, story)


def test_nothing_else_is(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await house.store.settle(await house.run(), DONE)
        await house.store.settle(await house.run(callback=THERE), again_at(NOON))
        run = await house.run(callback=THERE)
        await house.questions.ask(run, "k", Question(text="Where to?"), QuestionRules())
        await house.store.request_cancel(run.task.id)
        assert await outbox_of(house).next_due() is None
        assert await outbox_of(house).claim(10, UNTIL) == ()

    at_home(open_db, story)


def test_a_question_that_is_passed_on_to_a_human_is(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run, asked = await passed_on(house)
        [notice] = await outbox_of(house).claim(10, UNTIL)
        assert (notice.kind, notice.question_id, notice.task_id) == (NoticeKind.ASKED, asked.id, run.task.id)
        await house.questions.pass_on(asked, PassOn(2, NOON + 1200))  # to the responder
        assert await outbox_of(house).claim(10, UNTIL) == ()

    at_home(open_db, story)


def test_two_who_claim_at_once_never_get_the_same(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        tasks = [await ended(house) for _ in range(20)]
        theirs = a_house(open_db(), house.clock)
        outboxes = [outbox_of(house), outbox_of(theirs)] * 4
        lots = await asyncio.gather(*(outbox.claim(3, UNTIL) for outbox in outboxes))
        got = [notice.task_id for lot in lots for notice in lot]
        assert sorted(got) == sorted(set(got))
        rest = await outboxes[0].claim(100, UNTIL)
        assert sorted(got + [notice.task_id for notice in rest]) == [task.id for task in tasks]
        assert await outboxes[1].claim(100, UNTIL) == ()

    at_home(open_db, story)


def test_a_lease_that_has_run_out_may_be_taken_and_who_comes_back_late_changes_nothing(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        outbox = outbox_of(house)
        task = await ended(house)
        [mine] = await outbox.claim(10, UNTIL)
        assert await outbox.next_due() == UNTIL
        house.clock.time = UNTIL
        [theirs] = await outbox.claim(10, UNTIL + 60)
        assert (theirs.id, theirs.attempts) == (mine.id, 2)
        assert not await outbox.settle(mine, DELIVERED)
        assert (await outbox.latest([task.id]))[task.id] == theirs
        assert await outbox.settle(theirs, DELIVERED)
        assert not await outbox.settle(theirs, AGAIN)

    at_home(open_db, story)


def test_what_became_of_it_stays(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        outbox, (task, other) = outbox_of(house), [await ended(house), await ended(house)]
        [notice, _] = await outbox.claim(10, UNTIL)
        assert await outbox.settle(notice, AGAIN)
        assert await outbox.claim(10, UNTIL) == ()
        assert await outbox.next_due() == NOON + 5
        house.clock.time = NOON + 5
        [again] = await outbox.claim(10, UNTIL)
        assert (again.id, again.attempts, again.last_status) == (notice.id, 2, 500)
        await outbox.settle(again, DELIVERED)
        latest = await outbox.latest([task.id, other.id, "nobody"])
        found = latest[task.id]
        assert (found.state, found.attempts, found.last_status, found.due_at) == (NoticeState.DELIVERED, 2, 204, None)
        assert set(latest) == {task.id, other.id}
        assert await outbox.latest([]) == {}

    at_home(open_db, story)


def test_where_nobody_is_any_more_nothing_else_of_the_task_is_sent(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        outbox, (run, _) = outbox_of(house), await passed_on(house)
        asked = await house.questions.ask(run, "k2", Question(text="When?"), QuestionRules(deadline=600.0))
        await house.questions.pass_on(asked, PassOn(1, NOON + 900))
        other = await ended(house)
        notices = await outbox.claim(10, UNTIL)
        assert len(notices) == 3
        await outbox.settle(notices[0], GONE)
        assert not await outbox.settle(notices[1], DELIVERED)
        await house.store.settle(run, DONE)
        assert await outbox.claim(10, UNTIL) == ()
        assert (await outbox.latest([run.task.id]))[run.task.id].last_status == 410
        assert (await outbox.latest([other.id]))[other.id].state is NoticeState.WAITING

    at_home(open_db, story)


def test_a_refusal_is_an_event_of_a_task_that_has_not_ended(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        outbox, (run, _), other = outbox_of(house), await passed_on(house), await ended(house)
        for notice in await outbox.claim(10, UNTIL):
            with house.hub.follow(run.task.id) as following:
                assert await outbox.settle(notice, refused("It is private."))
                if notice.task_id == run.task.id:
                    [[event]] = await following.get()
                    assert (event.type, event.data) == (
                        EventType.WARNING,
                        {"code": "callback_refused", "message": "It is private."},
                    )
                    assert (await house.store.events(run.task.id, event.seq - 1, 10)) == (event,)
        assert (await house.log(other.id))[-1][1] is EventType.COMPLETED
        for task_id in (run.task.id, other.id):
            assert (await outbox.latest([task_id]))[task_id].state is NoticeState.REFUSED
        await house.store.settle(run, DONE)  # the numbers still join on
        assert [seq for seq, _ in await house.log(run.task.id)] == list(range(1, len(await house.log(run.task.id)) + 1))

    at_home(open_db, story)
