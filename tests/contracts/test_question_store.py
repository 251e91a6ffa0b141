"""What every store of questions keeps to, on both databases."""

import asyncio

import pytest

from agents.src.errors import AlreadyAnswered, UnknownQuestion
from agents.src.services import question_sql as sql
from agents.src.tasks import (
    Action,
    Answer,
    Choice,
    Claim,
    Draft,
    EventType,
    Failure,
    LeaseLost,
    PassOn,
    Question,
    QuestionFilter,
    QuestionRules,
    QuestionState,
    Result,
    Run,
    Status,
    Turn,
    Usage,
    Wishes,
    parked,
)
from agents.src.tasks.run import completed
from tests.building import NOON, eventually, new_id
from tests.conftest import OpenDb
from tests.contracts.test_task_store import MINE, THEIRS, House, a_house, again_at, at_home

WHICH = Question(text="Which database?", choices=(Choice(label="Postgres", description="A server."), Choice(label="SQLite")))
WHERE = Question(text="Where to?")
RULES = QuestionRules(deadline=600.0)
POSTGRES = Answer(action=Action.ACCEPT, choices=("Postgres",), name="ada")
EXPIRED = Failure(type="question-expired", title="Nobody answered what the task had to know.", detail="Nobody.")


async def parked_run(house: House) -> Run:
    run = await house.run()
    await house.questions.ask(run, "k1", WHICH, RULES)
    task = await house.store.settle(run, parked())
    assert task.status is Status.INPUT_REQUIRED
    return run


def test_a_task_waits_while_a_run_holds_it(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        asked = await house.questions.ask(run, "k1", WHICH, RULES)
        assert asked == await house.questions.get(asked.id)
        assert (asked.question, asked.key, asked.task_id, asked.caller) == (WHICH, "k1", run.task.id, "ada")
        assert (asked.whose_turn, asked.due_at, asked.state) == (Turn.CALLER, NOON + 600, QuestionState.PENDING)
        task = await house.store.get(run.task.id)
        assert (task.status, task.waiting) == (Status.INPUT_REQUIRED, 1)
        [event] = (await house.store.events(task.id, 2, 10))[:1]
        assert (event.type, event.data["id"], event.data["to"]) == (EventType.QUESTION_ASKED, asked.id, "caller")
        assert event.data["choices"][0] == {"label": "Postgres", "description": "A server."}
        assert await house.store.renew(MINE, [run.id]) == {run.id: Wishes()}  # it holds its lease all the while
        answered, after = await house.questions.answer(asked.id, POSTGRES)
        assert (answered.state, answered.answer, answered.due_at) == (QuestionState.ANSWERED, POSTGRES, None)
        assert (after.status, after.waiting, after.resumed) == (Status.RUNNING, 0, 0)
        await house.store.settle(run, completed(Result(text="Done.")))
        kinds = [kind for _, kind in await house.log(task.id)][2:]
        assert kinds == [EventType.QUESTION_ASKED, EventType.QUESTION_ANSWERED, EventType.COMPLETED]

    at_home(open_db, story)


def test_a_parked_task_goes_on_in_another_run_once_it_is_answered(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await parked_run(house)
        assert await house.store.workers() == frozenset()
        assert await house.store.claim_one(run.task.id, THEIRS) is None
        for writing in (house.store.settle(run, parked()), house.questions.ask(run, "k2", WHERE, RULES)):
            with pytest.raises(LeaseLost):
                await writing
        [asked] = (await house.questions.page(QuestionFilter(task_id=run.task.id), None, 10)).items
        _, task = await house.questions.answer(asked.id, POSTGRES)
        assert (task.status, task.resumed, task.run_at) == (Status.QUEUED, 0, NOON)
        again = await house.store.claim_one(run.task.id, THEIRS)
        assert again and again.goes_on and again.session == run.id
        assert (again.task.attempt, again.task.session, again.task.resumed) == (2, 1, 1)
        started = (await house.store.events(task.id, 0, 10))[-1]
        assert started.data == {"attempt": 2, "goes_on": True}
        # Asked again under its own name, it has its answer at once, and nothing is told anew.
        assert (await house.questions.ask(again, "k1", WHICH, RULES)).answer == POSTGRES
        assert len(await house.log(task.id)) == started.seq

    at_home(open_db, story)


def test_an_answer_that_comes_before_the_run_is_parked_puts_it_into_the_queue(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        asked = await house.questions.ask(run, "k1", WHICH, RULES)
        await house.questions.answer(asked.id, POSTGRES)
        task = await house.store.settle(run, parked())
        assert (task.status, task.session) == (Status.QUEUED, 1)

    at_home(open_db, story)


def test_only_the_last_of_several_answers_lets_a_task_go_on(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        asked = [await house.questions.ask(run, key, WHERE, RULES) for key in ("a", "b", "c")]
        await house.store.settle(run, parked())
        theirs = a_house(open_db(), house.clock)
        _, first = await house.questions.answer(asked[0].id, POSTGRES)
        assert (first.status, first.waiting) == (Status.INPUT_REQUIRED, 2)
        both = await asyncio.gather(
            *(there.questions.answer(one.id, POSTGRES) for there, one in zip((house, theirs), asked[1:], strict=True))
        )
        assert sorted(task.waiting for _, task in both) == [0, 1]
        task = await house.store.get(run.task.id)
        assert (task.status, task.waiting) == (Status.QUEUED, 0)

    at_home(open_db, story)


def test_the_first_of_two_answers_counts_and_the_second_is_told_which(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await parked_run(house)
        [asked] = (await house.questions.page(QuestionFilter(), None, 10)).items
        theirs = a_house(open_db(), house.clock)
        other = Answer(action=Action.DECLINE, by=Turn.HUMAN)
        outcomes = await asyncio.gather(
            house.questions.answer(asked.id, POSTGRES), theirs.questions.answer(asked.id, other), return_exceptions=True
        )
        [won] = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        [lost] = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert isinstance(lost, AlreadyAnswered)
        assert won[0].answer and lost.members["answer"] == won[0].answer.model_dump(mode="json")
        assert (await house.store.get(run.task.id)).status is Status.QUEUED
        assert [kind for _, kind in await house.log(run.task.id)].count(EventType.QUESTION_ANSWERED) == 1

    at_home(open_db, story)


def test_what_was_asked_in_work_that_is_lost_is_not_asked_again(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        asked = await house.questions.ask(run, "toolu_1", WHICH, RULES, likened=True)
        await house.questions.answer(asked.id, POSTGRES)
        await house.db.write(lambda tx: tx.run("update task set status = 'queued', worker = null, session = null"))
        again = await house.store.claim_one(run.task.id, THEIRS)
        assert again and not again.goes_on
        assert (await house.questions.ask(again, "toolu_9", WHICH, RULES, likened=True)).id == asked.id
        assert (await house.questions.ask(again, "toolu_8", WHICH, RULES)).id != asked.id

    at_home(open_db, story)


def test_one_who_goes_on_but_has_lost_what_was_said_is_answered_as_before_and_asks_anew_later(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await parked_run(house)
        [asked] = (await house.questions.page(QuestionFilter(task_id=run.task.id), None, 10)).items
        await house.questions.answer(asked.id, POSTGRES)
        again = await house.store.claim_one(run.task.id, THEIRS)
        assert again and again.goes_on
        assert (await house.questions.ask(again, "k9", WHICH, RULES, likened=True)).answer == POSTGRES
        anew = await house.questions.ask(again, "k8", WHICH, RULES)
        assert (anew.id != asked.id, anew.state) == (True, QuestionState.PENDING)

    at_home(open_db, story)


@pytest.mark.parametrize("ends", ["cancelled", "completed"])
def test_questions_of_a_task_that_ends_are_withdrawn(open_db: OpenDb, ends: str) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        asked = await house.questions.ask(run, "k1", WHICH, RULES)
        if ends == "cancelled":
            await house.store.settle(run, parked())
            task = await house.store.request_cancel(run.task.id)
        else:
            task = await house.store.settle(run, completed(Result()))
        assert (task.status.value, task.waiting) == (ends, 0)
        assert task == await house.store.get(task.id)
        with pytest.raises(AlreadyAnswered, match="withdrawn"):
            await house.questions.answer(asked.id, POSTGRES)
        assert await house.questions.next_due() is None

    at_home(open_db, story)


def test_what_was_withdrawn_with_a_failed_attempt_is_asked_anew_by_the_next(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        asked = await house.questions.ask(run, "k1", WHICH, RULES)
        await house.store.settle(run, again_at(NOON))
        again = await house.store.claim_one(run.task.id, THEIRS)
        assert again
        anew = await house.questions.ask(again, "k1", WHICH, RULES)
        assert (anew.state, anew.key) == (QuestionState.PENDING, "k1")
        assert (await house.store.get(run.task.id)).waiting == 1
        with pytest.raises(AlreadyAnswered, match="withdrawn"):
            await house.questions.answer(asked.id, POSTGRES)
        assert (await house.questions.ask(again, "k1", WHICH, RULES)).id == anew.id

    at_home(open_db, story)


def test_a_held_task_that_is_cancelled_is_told_to_end(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.questions.ask(run, "k1", WHICH, RULES)
        task = await house.store.request_cancel(run.task.id)
        assert (task.status, task.finished_at) == (Status.INPUT_REQUIRED, None)
        assert await house.store.wishes("worker-1") == {run.id: Wishes(cancel=True)}
        assert (await house.store.settle(run, parked())).status is Status.CANCELLED

    at_home(open_db, story)


def test_a_held_run_whose_lease_runs_out_is_found(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run(claim=Claim("gone", NOON + 5))
        await house.questions.ask(run, "k1", WHICH, RULES)
        [found] = await house.store.abandoned(["gone"])
        assert (found.id, found.task.waiting) == (run.id, 1)

    at_home(open_db, story)


def test_the_turn_passes_on_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await parked_run(house)
        [asked] = (await house.questions.page(QuestionFilter(), None, 10)).items
        assert await house.questions.next_due() == NOON + 600
        assert await house.questions.overdue(10) == ()
        house.clock.time = NOON + 600
        assert await house.questions.overdue(10) == (asked,)
        passed = await house.questions.pass_on(asked, PassOn(1, NOON + 900))
        assert passed and (passed.whose_turn, passed.due_at) == (Turn.HUMAN, NOON + 900)
        assert await house.questions.pass_on(asked, PassOn(1, NOON + 999)) is None
        event = (await house.store.events(asked.task_id, 0, 10))[-1]
        assert (event.type, event.data["to"]) == (EventType.QUESTION_PASSED_ON, "human")

    at_home(open_db, story)


def test_expiring_fails_a_parked_task_and_leaves_a_held_one_to_its_run(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await parked_run(house)
        held = await house.run()
        asked = await house.questions.ask(held, "k1", WHICH, RULES)
        for one in (await house.questions.page(QuestionFilter(), None, 10)).items:
            task = await house.questions.expire(one, EXPIRED)
            assert task and await house.questions.expire(one, EXPIRED) is None
            assert task.status is (Status.RUNNING if one.id == asked.id else Status.FAILED)
            assert task.error == (None if one.id == asked.id else EXPIRED)
            assert task == await house.store.get(task.id)
            assert (await house.questions.get(one.id)).state is QuestionState.EXPIRED

    at_home(open_db, story)


def test_who_was_passed_over_meanwhile_does_not_end_another_s_time(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await parked_run(house)
        [asked] = (await house.questions.page(QuestionFilter(), None, 10)).items
        await house.questions.pass_on(asked, PassOn(1, NOON + 900))
        assert await house.questions.expire(asked, EXPIRED) is None
        assert (await house.questions.get(asked.id)).state is QuestionState.PENDING

    at_home(open_db, story)


def test_what_is_due_of_one_task(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        runs = [await house.run() for _ in range(2)]
        first = await house.questions.ask(runs[0], "k", WHERE, QuestionRules(deadline=60.0))
        later = await house.questions.ask(runs[1], "k", WHERE, QuestionRules(deadline=90.0))
        assert (await house.questions.next_due(), await house.questions.next_due(later.task_id)) == (NOON + 60, NOON + 90)
        house.clock.time = NOON + 90
        assert await house.questions.overdue(10) == (first, later)
        assert await house.questions.overdue(10, later.task_id) == (later,)
        assert await house.questions.next_due("nobody") is None

    at_home(open_db, story)


def test_pages(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        runs = [await house.run(caller=caller) for caller in ("ada", "bob", "ada")]
        asked = [await house.questions.ask(run, "k", WHERE, RULES) for run in runs]
        await house.questions.answer(asked[0].id, POSTGRES)
        first = await house.questions.page(QuestionFilter(), None, 2)
        assert ([one.id for one in first.items], first.next) == ([asked[2].id, asked[1].id], asked[1].id)
        assert [one.id for one in (await house.questions.page(QuestionFilter(), first.next, 2)).items] == [asked[0].id]
        pending = QuestionFilter(caller="ada", state=QuestionState.PENDING)
        assert [one.id for one in (await house.questions.page(pending, None, 9)).items] == [asked[2].id]
        with pytest.raises(UnknownQuestion):
            await house.questions.get(new_id())

    at_home(open_db, story)


def test_another_process_hears_of_an_answer(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        asked = await house.questions.ask(run, "k1", WHICH, RULES)
        theirs = a_house(open_db(), house.clock)
        house.db.watch(house.hub.signal)
        with house.hub.follow(run.task.id) as following:
            await theirs.questions.answer(asked.id, POSTGRES)

            async def answered() -> bool:
                await following.get(1.0)
                return (await house.questions.get(asked.id)).answer == POSTGRES

            await eventually(answered)

    at_home(open_db, story)


def test_what_answering_cost_is_told_and_added_whether_a_run_holds_the_task_or_none(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        spent = Draft(EventType.USAGE, {"by": "responder"}, Usage(input_tokens=1, output_tokens=2, cost_usd=0.25))
        run = await house.run()
        await house.questions.ask(run, "k1", WHICH, RULES)
        await house.questions.charge(run.task.id, spent)
        await house.store.settle(run, parked())
        await house.questions.charge(run.task.id, spent)
        task = await house.store.get(run.task.id)
        assert (task.status, task.usage) == (Status.INPUT_REQUIRED, spent.usage + spent.usage)
        log = await house.store.events(task.id, 0, 100)
        assert [event.data for event in log if event.type is EventType.USAGE] == [spent.data, spent.data]
        assert [event.seq for event in log] == list(range(1, len(log) + 1))

    at_home(open_db, story)


def test_a_task_that_has_ended_is_charged_nothing_for_nothing_comes_after_its_end(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.store.settle(run, completed(Result(text="Done.")))
        before = await house.log(run.task.id)
        await house.questions.charge(run.task.id, Draft(EventType.USAGE, {}, Usage(output_tokens=2)))
        assert await house.log(run.task.id) == before
        assert (await house.store.get(run.task.id)).usage == Usage()

    at_home(open_db, story)


def test_what_is_due_is_read_from_its_index(open_sqlite: OpenDb) -> None:
    """Not by looking at all that is pending; and so no question costs more for the others that wait."""

    async def story(house: House) -> None:
        for statement, values in ((sql.NEXT_DUE, ()), (sql.OVERDUE, (NOON, 100))):
            explain = f"explain query plan {statement.format(which='')}"
            plan = await house.db.read(lambda tx, explain=explain, values=values: tx.run(explain, *values))  # type: ignore[misc]
            assert [row[3].rpartition("INDEX ")[2].split(" AND ")[0] for row in plan] == ["question_due (state=?"]

    at_home(open_sqlite, story)
