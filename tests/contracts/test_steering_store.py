"""What every store keeps to when callers pause, resume and talk to tasks, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agents.src.errors import AlreadyEnded, CannotPause, CannotSay, NotPaused, UnknownTask
from agents.src.services.steering_store import SqlSteeringStore
from agents.src.tasks import (
    Claim,
    EventType,
    LeaseLost,
    QuestionRules,
    Result,
    Retries,
    Run,
    Status,
    Task,
    Wishes,
    parked,
)
from agents.src.tasks.run import completed
from tests.building import NOON, a_brief, a_task
from tests.conftest import OpenDb
from tests.contracts.test_question_store import EXPIRED, POSTGRES, WHERE
from tests.contracts.test_task_store import DONE, FAILED, MINE, THEIRS, House, again_at, at_home

Story = Callable[[House, SqlSteeringStore], Awaitable[None]]
TALKS = a_brief(engine="claude", retries=Retries(max_retries=1))


def steered(open_db: OpenDb, story: Story) -> None:
    async def live(house: House) -> None:
        await story(house, SqlSteeringStore(house.db, house.hub, house.clock))

    at_home(open_db, live)


async def talking(house: House, claim: Claim = MINE, **fields: object) -> Run:
    run = (await house.store.add(a_task(**fields), TALKS, claim=claim)).run
    assert run
    return run


async def kinds(house: House, task_id: str) -> list[EventType]:
    return [kind for _, kind in await house.log(task_id)]


def stands(task: Task) -> tuple[Status, bool]:
    return task.status, task.paused


def test_a_queued_task_stands_still_until_it_is_resumed(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        task = await house.queued()
        paused = await steering.pause(task.id)
        assert stands(paused) == (Status.INPUT_REQUIRED, True)
        assert paused == await house.store.get(task.id)
        assert (await house.store.claim(MINE, 5)).runs == ()
        assert await house.store.waiting(NOON + 60) == ()  # nobody has to look for its call
        assert await steering.pause(task.id) == paused
        house.clock.time += 5
        resumed = await steering.resume(task.id)
        assert (stands(resumed), resumed.run_at) == ((Status.QUEUED, False), NOON + 5)
        run = await house.store.claim_one(task.id, MINE)
        assert run and not run.goes_on and (run.task.attempt, run.task.resumed) == (1, 0)
        expected = [EventType.SUBMITTED, EventType.PAUSED, EventType.RESUMED, EventType.STARTED]
        assert await kinds(house, task.id) == expected

    steered(open_db, story)


def test_a_retry_keeps_its_delay_over_a_pause(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await house.run()
        await house.store.settle(run, again_at(NOON + 60))
        await steering.pause(run.task.id)
        assert (await steering.resume(run.task.id)).run_at == NOON + 60

    steered(open_db, story)


def test_a_run_is_told_to_make_way_and_the_next_one_goes_on(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        for _ in range(2):
            assert stands(await steering.pause(run.task.id)) == (Status.RUNNING, True)
        assert await house.store.wishes("worker-1") == {run.id: Wishes(pause=True)}
        assert await house.store.renew(MINE, [run.id]) == {run.id: Wishes(pause=True)}
        assert stands(await house.store.settle(run, parked(0))) == (Status.INPUT_REQUIRED, True)
        assert await house.store.wishes("worker-1") == {}
        await steering.resume(run.task.id)
        again = await house.store.claim_one(run.task.id, THEIRS)
        assert again and again.session == run.id and (again.task.attempt, again.task.resumed) == (2, 1)
        assert await kinds(house, run.task.id) == [
            *(EventType.SUBMITTED, EventType.STARTED, EventType.PAUSE_REQUESTED),
            *(EventType.PAUSED, EventType.RESUMED, EventType.STARTED),
        ]

    steered(open_db, story)


def test_a_task_that_is_resumed_before_its_run_has_made_way_is_parked_into_the_queue(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        await steering.pause(run.task.id)
        assert stands(await steering.resume(run.task.id)) == (Status.RUNNING, False)
        assert stands(await house.store.settle(run, parked(0))) == (Status.QUEUED, False)
        assert (await kinds(house, run.task.id))[-1] is EventType.PARKED

    steered(open_db, story)


def test_a_settlement_that_is_repeated_finds_a_paused_task_as_it_left_it(open_db: OpenDb) -> None:
    """Its first answer was lost on the way."""

    async def story(house: House, steering: SqlSteeringStore) -> None:
        for ending in (parked(0), again_at(NOON + 5)):
            run = await talking(house)
            await steering.pause(run.task.id)
            task = await house.store.settle(run, ending)
            assert stands(task) == (Status.INPUT_REQUIRED, True)
            assert await house.store.settle(run, ending, again=True) == task
            assert (await kinds(house, run.task.id)).count(EventType.PAUSED) == 1

    steered(open_db, story)


def test_a_retry_of_a_paused_task_waits_and_begins_anew(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        await steering.say(run.task.id, "one", "ada")
        await steering.pause(run.task.id)
        task = await house.store.settle(run, again_at(NOON))
        assert (stands(task), task.session) == ((Status.INPUT_REQUIRED, True), None)
        assert task == await house.store.get(task.id)
        assert (await kinds(house, task.id))[-2:] == [EventType.REQUEUED, EventType.PAUSED]
        await steering.resume(task.id)
        again = await house.store.claim_one(task.id, MINE)
        assert again and not again.goes_on and (again.task.heard, again.task.said) == (0, 1)

    steered(open_db, story)


def test_answers_do_not_start_a_paused_task(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await house.run()
        first, second = [await house.questions.ask(run, key, WHERE, QuestionRules()) for key in "ab"]
        await house.store.settle(run, parked())
        assert stands(await steering.pause(run.task.id)) == (Status.INPUT_REQUIRED, True)
        await house.questions.answer(first.id, POSTGRES)
        assert stands(await steering.resume(run.task.id)) == (Status.INPUT_REQUIRED, False)
        await steering.pause(run.task.id)
        _, task = await house.questions.answer(second.id, POSTGRES)
        assert (stands(task), task.waiting) == ((Status.INPUT_REQUIRED, True), 0)
        assert await house.store.claim_one(task.id, MINE) is None
        assert stands(await steering.resume(task.id)) == (Status.QUEUED, False)

    steered(open_db, story)


def test_an_answer_to_a_run_that_is_about_to_make_way_does_not_keep_it_from_being_paused(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        asked = await house.questions.ask(run, "k", WHERE, QuestionRules())
        await steering.pause(run.task.id)
        _, task = await house.questions.answer(asked.id, POSTGRES)
        assert stands(task) == (Status.RUNNING, True)
        assert stands(await house.store.settle(run, parked(0))) == (Status.INPUT_REQUIRED, True)

    steered(open_db, story)


def test_a_question_of_a_paused_task_expires(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        asked = await house.questions.ask(run, "k", WHERE, QuestionRules())
        await house.store.settle(run, parked(0))
        await steering.pause(run.task.id)
        task = await house.questions.expire(asked, EXPIRED)
        assert task and stands(task) == (Status.FAILED, False)

    steered(open_db, story)


def test_a_paused_task_is_cancelled_at_once(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        task = await house.queued()
        await steering.pause(task.id)
        assert stands(await house.store.request_cancel(task.id)) == (Status.CANCELLED, False)

    steered(open_db, story)


@pytest.mark.parametrize("ending", [DONE, FAILED], ids=lambda ending: ending.status.value)
def test_what_has_ended_is_neither_paused_nor_resumed_nor_spoken_to(open_db: OpenDb, ending: object) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        await steering.pause(run.task.id)
        before = await house.store.settle(run, ending)  # type: ignore[arg-type]
        assert not before.paused
        for late in (steering.pause(before.id), steering.resume(before.id), steering.say(before.id, "x", "ada")):
            with pytest.raises(AlreadyEnded):
                await late
        assert await house.store.get(before.id) == before

    steered(open_db, story)


def test_refusals(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        program, told_to_end = await house.run(), await talking(house)
        await house.store.request_cancel(told_to_end.task.id)
        for refused, kind in (
            (steering.pause(program.task.id), CannotPause),
            (steering.pause(told_to_end.task.id), CannotPause),
            (steering.resume(program.task.id), NotPaused),
            (steering.say(program.task.id, "x", "ada"), CannotSay),
            (steering.say(told_to_end.task.id, "x", "ada"), CannotSay),
            *((asking, UnknownTask) for asking in (steering.pause("no"), steering.resume("no"), steering.say("no", "x", "ada"))),
        ):
            with pytest.raises(kind):
                await refused
        assert (await kinds(house, program.task.id))[-1] is EventType.STARTED

    steered(open_db, story)


def test_messages_are_kept_in_order_and_one_that_is_repeated_is_said_once(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        for text, key in (("one", "k1"), ("two", None), ("one", "k1"), ("two", None)):
            await steering.say(run.task.id, text, "ada", key)
        assert (await house.store.get(run.task.id)).said == 3
        assert await house.store.said(run.task.id, 0) == ("one", "two", "two")
        assert await house.store.said(run.task.id, 2) == ("two",)
        assert await house.store.wishes("worker-1") == {run.id: Wishes(said=3)}
        said = [event.data for event in await house.store.events(run.task.id, 0, 10) if event.type is EventType.SAID]
        assert said[:2] == [
            {"text": "one", "by": "ada", "number": 1, "key": "k1"},
            {"text": "two", "by": "ada", "number": 2},
        ]

    steered(open_db, story)


def test_many_at_once_are_all_said(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        await asyncio.gather(*(steering.say(run.task.id, str(number), "ada") for number in range(20)))
        assert sorted(map(int, await house.store.said(run.task.id, 0))) == list(range(20))
        log = [event.data["number"] for event in await house.store.events(run.task.id, 2, 50)]
        assert log == list(range(1, 21))

    steered(open_db, story)


def test_a_run_may_complete_once_it_has_heard_all_and_then_nothing_more_is_said(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        await steering.say(run.task.id, "one", "ada")
        assert not await house.store.hush(run, 0)
        await steering.say(run.task.id, "two", "ada")
        assert not await house.store.hush(run, 1)
        assert await house.store.hush(run, 2)
        with pytest.raises(CannotSay, match="about to complete"):
            await steering.say(run.task.id, "three", "ada")
        task = await house.store.settle(run, completed(Result(text="Done.")))
        assert (task.status, task.said) == (Status.COMPLETED, 2)
        with pytest.raises(LeaseLost):
            await house.store.hush(run, 2)

    steered(open_db, story)


def test_a_run_that_dies_just_before_it_completes_leaves_a_task_that_can_be_spoken_to(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        assert await house.store.hush(run, 0)
        await house.store.settle(run, again_at(NOON))
        await steering.say(run.task.id, "one", "ada")
        again = await house.store.claim_one(run.task.id, MINE)
        assert again
        assert (await steering.say(run.task.id, "two", "ada")).said == 2
        assert not await house.store.hush(again, 1)

    steered(open_db, story)


def test_what_was_heard_counts_where_the_engine_says_so_and_not_after_a_crash(open_db: OpenDb) -> None:
    async def story(house: House, steering: SqlSteeringStore) -> None:
        run = await talking(house)
        for text in ("one", "two"):
            await steering.say(run.task.id, text, "ada")
        await steering.pause(run.task.id)
        assert (await house.store.settle(run, parked(1))).heard == 1
        await steering.resume(run.task.id)
        again = await house.store.claim_one(run.task.id, MINE)
        assert again and (again.task.heard, again.task.said) == (1, 2)
        await house.questions.ask(again, "k", WHERE, QuestionRules())
        assert (await house.store.settle(again, parked())).heard == 1  # by whoever found it dead

    steered(open_db, story)


def test_a_pause_and_a_claim_that_meet_leave_no_paused_task_unaware(open_db: OpenDb) -> None:
    """Either the task is paused before a run takes it, or its run is told."""

    async def story(house: House, steering: SqlSteeringStore) -> None:
        for _ in range(20):
            task = (await house.store.add(a_task(), TALKS)).task
            paused, run = await asyncio.gather(steering.pause(task.id), house.store.claim_one(task.id, MINE))
            assert paused.paused
            assert (run is None) == (paused.status is Status.INPUT_REQUIRED)
            told = await house.store.wishes("worker-1")
            assert run is None or told[run.id].pause

    steered(open_db, story)
