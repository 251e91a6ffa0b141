"""What every task store keeps to, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import psycopg
import pytest

from agents.src.errors import AlreadyEnded, KeyReused, UnknownTask
from agents.src.memory import Act, Lesson
from agents.src.services.database import Db
from agents.src.services.lesson_store import SqlLessonStore
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.task_sql import USED
from agents.src.services.task_store import LARGEST_PAGE, SqlTaskStore
from agents.src.tasks import (
    Artifact,
    Claim,
    Draft,
    Ending,
    Event,
    EventType,
    Failure,
    Hub,
    Key,
    LeaseLost,
    Output,
    Question,
    QuestionRules,
    Result,
    Run,
    Status,
    Task,
    TaskFilter,
    Usage,
    Wishes,
    cancelled,
    parked,
    remembered,
)
from tests.building import NOON, PATIENCE, SteppedClock, a_brief, a_task, eventually
from tests.conftest import OpenDb

MINE = Claim("worker-1", NOON + 20)
THEIRS = Claim("worker-2", NOON + 20)
TEXT = Draft(EventType.TEXT, {"text": "hello"})
LEARNED = remembered(Lesson(action=Act.ADD, id="a167aa41ae7e", text="use argon2"), held=False)
DONE = Ending(Status.COMPLETED, Draft(EventType.COMPLETED), result=Result(text="Done."))
WRONG = Failure(type="engine-failed", title="The engine could not be run.", detail="It would not.")
FAILED = Ending(Status.FAILED, Draft(EventType.FAILED, {"error": WRONG.model_dump()}), error=WRONG)
WAITS = parked()


def again_at(time: float) -> Ending:
    return Ending(Status.QUEUED, Draft(EventType.REQUEUED, {"attempt": 1}), run_at=time)


@dataclass
class House:
    """A store with what it stands on, as one process has it."""

    db: Db
    clock: SteppedClock
    hub: Hub
    store: SqlTaskStore
    questions: SqlQuestionStore

    async def queued(self, **fields: object) -> Task:
        return (await self.store.add(a_task(**fields), a_brief())).task

    async def run(self, claim: Claim = MINE, **fields: object) -> Run:
        run = (await self.store.add(a_task(**fields), a_brief(), claim=claim)).run
        assert run
        return run

    async def log(self, task_id: str) -> list[tuple[int, EventType]]:
        return [(event.seq, event.type) for event in await self.store.events(task_id, 0, 10_000)]


def a_house(db: Db, clock: SteppedClock | None = None) -> House:
    hub, clock = Hub(), clock or SteppedClock()
    return House(db, clock, hub, SqlTaskStore(db, hub, clock), SqlQuestionStore(db, hub, clock))


def at_home(open_db: OpenDb, story: Callable[[House], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE):
            await story(a_house(open_db()))

    asyncio.run(live())


# Adding


def test_a_task_comes_back_as_it_was_given(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        odd = {"big": 2**80, "smile": "🙂 ü", "nul": "a\0b", "deep": [{"x": None}], "half": 0.5, "": True}
        task = a_task(args=odd, metadata=odd, priority=-3, prompt="Zeile 1\nZeile 2 🙂", workdir="/srv/große sache")
        added = await house.store.add(task, a_brief())
        assert added.created and added.run is None
        assert added.task == replace(task, run_at=NOON)
        assert await house.store.get(task.id) == added.task
        assert await house.log(task.id) == [(1, EventType.SUBMITTED)]

    at_home(open_db, story)


def test_a_task_that_comes_with_a_claim_is_running_from_the_first(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        task, brief = a_task(), a_brief(prompt="Now.")
        added = await house.store.add(task, brief, claim=MINE)
        assert added.run == Run(added.task, brief, "worker-1")
        assert (added.task.status, added.task.attempt, added.task.started_at) == (Status.RUNNING, 1, NOON)
        assert await house.store.get(task.id) == added.task
        assert await house.log(task.id) == [(1, EventType.SUBMITTED), (2, EventType.STARTED)]
        assert await house.store.workers() == {"worker-1"}

    at_home(open_db, story)


def test_an_unknown_task(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        for asking in (house.store.get("nobody"), house.store.request_cancel("nobody")):
            with pytest.raises(UnknownTask):
                await asking
        assert await house.store.events("nobody", 0, 10) == ()
        assert await house.store.claim_one("nobody", MINE) is None

    at_home(open_db, story)


def test_one_key_is_one_task_however_many_ask_at_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        other = a_house(open_db())
        key = Key("once", "print")
        asked = [
            [house, other][number % 2].store.add(a_task(), a_brief(), key, MINE if number % 3 else None) for number in range(20)
        ]
        added = await asyncio.gather(*asked)
        assert len({each.task.id for each in added}) == 1
        assert sum(each.created for each in added) == 1
        assert sum(each.run is not None for each in added) <= 1
        assert len((await house.store.page(TaskFilter(), None, 10)).items) == 1

    at_home(open_db, story)


def test_a_key_belongs_to_one_caller_and_one_request(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        first = await house.store.add(a_task(), a_brief(), Key("k", "print"))
        with pytest.raises(KeyReused):
            await house.store.add(a_task(), a_brief(), Key("k", "another print"))
        bobs = await house.store.add(a_task(caller="bob"), a_brief(), Key("k", "another print"))
        assert bobs.created
        keyless = [await house.store.add(a_task(), a_brief()) for _ in range(2)]
        assert len({first.task.id, bobs.task.id, *(each.task.id for each in keyless)}) == 4
        assert (await house.store.add(a_task(), a_brief(), Key("k", "print"))).task == first.task

    at_home(open_db, story)


# The numbers of events


def test_events_are_numbered_without_holes_however_many_write_at_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        other = a_house(open_db())
        writing = [[house, other][number % 2].store.append(run, [TEXT] * (1 + number % 3)) for number in range(30)]
        await asyncio.gather(*writing, house.store.request_cancel(run.task.id))
        await house.store.settle(run, DONE)
        log = await house.log(run.task.id)
        assert [seq for seq, _ in log] == list(range(1, 2 + 60 + 2 + 1))
        assert log[-1][1] is EventType.COMPLETED

    at_home(open_db, story)


def test_a_batch_keeps_its_order_and_its_data(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        drafts = [Draft(EventType.TEXT, {"text": f"{number} \0 🙂", "n": 2**70 + number}) for number in range(5)]
        house.clock.time = NOON + 3
        await house.store.append(run, drafts)
        kept = await house.store.events(run.task.id, 2, 100)
        assert [event.data for event in kept] == [draft.data for draft in drafts]
        assert {event.at for event in kept} == {NOON + 3}

    at_home(open_db, story)


def test_events_in_pages(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.store.append(run, [TEXT] * 5)
        numbers: Callable[[Sequence[Event]], list[int]] = lambda events: [event.seq for event in events]  # noqa: E731
        assert numbers(await house.store.events(run.task.id, 0, 3)) == [1, 2, 3]
        assert numbers(await house.store.events(run.task.id, 3, 3)) == [4, 5, 6]
        assert numbers(await house.store.events(run.task.id, 6, 3)) == [7]
        assert numbers(await house.store.events(run.task.id, 7, 3)) == []
        assert numbers(await house.store.events(run.task.id, 1000, 3)) == []

    at_home(open_db, story)


def test_the_last_events(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        large = Draft(EventType.TEXT, {"text": "x" * (LARGEST_PAGE // 2)})
        await house.store.append(run, [TEXT, large, large, large, TEXT])
        last = await house.store.last_events(run.task.id, 1)
        assert last == await house.store.events(run.task.id, 6, 1)
        assert [event.seq for event in await house.store.last_events(run.task.id, 3)] == [5, 6, 7]
        assert [event.seq for event in await house.store.last_events(run.task.id, 500)] == [5, 6, 7]
        await house.store.append(run, [TEXT] * 3)
        assert [event.seq for event in await house.store.last_events(run.task.id, 4)] == [7, 8, 9, 10]
        assert await house.store.last_events("nobody", 4) == ()

    at_home(open_db, story)


def test_a_page_of_large_events_ends_early(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        large = Draft(EventType.TEXT, {"text": "x" * (LARGEST_PAGE // 2)})
        await house.store.append(run, [TEXT, large, large, large, TEXT])
        pages, after = [], 0
        while page := await house.store.events(run.task.id, after, 500):
            pages.append([event.seq for event in page])
            after = page[-1].seq
        assert pages == [[1, 2, 3, 4, 5], [6, 7]]
        assert await house.store.events(run.task.id, 2**31 - 1, 500) == ()

    at_home(open_db, story)


def test_a_batch_that_is_written_again_counts_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        some = Usage(input_tokens=7, cost_usd=0.5)
        batches = {1: [TEXT, Draft(EventType.USAGE, {}, some)], 2: [TEXT, LEARNED], 3: [LEARNED]}
        for batch, drafts in batches.items():
            for _ in range(3):
                await house.store.append(run, drafts, batch)
        await house.store.append(run, batches[1], 1)
        kinds = [EventType.TEXT, EventType.USAGE, EventType.TEXT, EventType.REMEMBERED, EventType.REMEMBERED]
        assert [kind for _, kind in await house.log(run.task.id)][2:] == kinds
        assert (await house.store.get(run.task.id)).usage == some
        assert len(await SqlLessonStore(house.db, house.clock).waiting()) == 2

    at_home(open_db, story)


def test_a_batch_that_is_written_twice_at_once_counts_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run, other = await house.run(), a_house(open_db())
        for batch in range(1, 11):
            await asyncio.gather(*(each.store.append(run, [TEXT], batch) for each in (house, other, house)))
        assert [seq for seq, _ in await house.log(run.task.id)] == list(range(1, 2 + 10 + 1))

    at_home(open_db, story)


def test_each_attempt_counts_its_batches_anew(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.store.append(run, [TEXT], 1)
        await house.store.append(run, [TEXT], 2)
        await house.store.settle(run, again_at(NOON))
        [fresh] = (await house.store.claim(MINE, 1)).runs
        await house.store.append(fresh, [TEXT], 1)
        with pytest.raises(LeaseLost):
            await house.store.append(run, [TEXT], 2)  # its own, but it is too late to say so
        kinds = [kind for _, kind in await house.log(run.task.id)]
        assert kinds.count(EventType.TEXT) == 3

    at_home(open_db, story)


def test_followers_hear_of_a_batch_whose_writer_never_did(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run, elsewhere = await house.run(), a_house(open_db())
        await elsewhere.store.append(run, [TEXT], 1)  # as if the answer to it were lost: this hub has not heard of it
        with house.hub.follow(run.task.id) as following:
            await house.store.append(run, [TEXT], 1)
            assert await following.get() == [()]

    at_home(open_db, story)


def test_usage_adds_up(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        some = Usage(input_tokens=3_000_000_000, output_tokens=2, cache_read_tokens=3, cache_creation_tokens=4, cost_usd=0.25)
        await house.store.append(run, [Draft(EventType.USAGE, {}, some), TEXT, Draft(EventType.USAGE, {}, some)])
        await house.store.append(run, [Draft(EventType.USAGE, {}, some)])
        await house.store.settle(run, DONE)
        assert (await house.store.get(run.task.id)).usage == some + some + some
        bobs = await house.run(caller="bob")
        await house.store.append(bobs, [Draft(EventType.USAGE, {}, some)])
        await house.queued(caller="bob")

        alls, theirs = await house.store.totals(None), await house.store.totals("bob")
        assert alls.by_status == {Status.COMPLETED: 1, Status.RUNNING: 1, Status.QUEUED: 1}
        assert alls.usage == some + some + some + some
        assert theirs.by_status == {Status.RUNNING: 1, Status.QUEUED: 1}
        assert theirs.usage == some
        assert (await house.store.totals("nobody")).by_status == {}

    at_home(open_db, story)


def test_what_runs_held_adds_up_and_an_unknown_price_stays_unknown(open_db: OpenDb) -> None:
    held = Usage(compute_seconds=1.25, compute_usd=0.0025)

    async def story(house: House) -> None:
        run = await house.run()
        await house.store.settle(run, replace(again_at(NOON), held=held))
        [asking] = (await house.store.claim(MINE, 1)).runs
        await house.store.settle(asking, replace(WAITS, held=held))
        [last] = (await house.store.claim(MINE, 1)).runs
        for again in (False, True):
            await house.store.settle(last, replace(DONE, held=held), again=again)
        assert (await house.store.get(run.task.id)).usage == held + held + held
        unknown = await house.run()
        await house.store.settle(unknown, replace(again_at(NOON), held=held.model_copy(update={"compute_usd": None})))
        [later] = (await house.store.claim(MINE, 1)).runs
        await house.store.settle(later, replace(DONE, held=held))
        assert (await house.store.get(unknown.task.id)).usage == Usage(compute_seconds=2.5, compute_usd=None)
        assert (await house.store.totals(None)).usage == Usage(compute_seconds=6.25, compute_usd=0.0075)

    at_home(open_db, story)


def test_usage_is_summed_from_its_index(open_sqlite: OpenDb) -> None:
    async def story(house: House) -> None:
        plan = await house.db.read(lambda tx: tx.run(f"explain query plan {USED.format(whose='')}"))
        assert [row[3] for row in plan] == ["SCAN task USING COVERING INDEX task_usage"]

    at_home(open_sqlite, story)


# Claiming


def test_claims_go_by_priority_then_age(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        old, new = await house.queued(created_at=NOON - 9), await house.queued(created_at=NOON - 5)
        low, high = await house.queued(priority=-1, created_at=NOON - 99), await house.queued(priority=7)
        first = await house.store.claim(MINE, 3)
        assert [run.task.id for run in first.runs] == [high.id, old.id, new.id]
        assert {run.task.status for run in first.runs} == {Status.RUNNING}
        assert {run.worker for run in first.runs} == {"worker-1"}
        assert await house.log(high.id) == [(1, EventType.SUBMITTED), (2, EventType.STARTED)]
        assert [run.task.id for run in (await house.store.claim(MINE, 3)).runs] == [low.id]
        assert (await house.store.claim(MINE, 3)).runs == ()

    at_home(open_db, story)


def test_claims_leave_full_skills_and_what_is_not_due(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        full, free = await house.queued(skill="full", priority=9), await house.queued(skill="free")
        later = await house.queued(created_at=NOON + 30)
        claimed = await house.store.claim(MINE, 5, ["full", "none"])
        assert [run.task.id for run in claimed.runs] == [free.id]
        assert claimed.next_due == NOON + 30
        assert await house.store.claim_one(later.id, MINE) is None
        house.clock.time = NOON + 30
        claimed = await house.store.claim(MINE, 5)
        assert [run.task.id for run in claimed.runs] == [full.id, later.id]
        assert claimed.next_due is None

    at_home(open_db, story)


def test_one_task_can_be_claimed_by_name_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        task = await house.queued()
        taken = await asyncio.gather(*(house.store.claim_one(task.id, MINE) for _ in range(5)))
        assert sum(run is not None for run in taken) == 1

    at_home(open_db, story)


def test_two_processes_never_get_the_same_task(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        other = a_house(open_db(), house.clock)
        wanted = [(await house.queued()).id for _ in range(40)]
        claims = [[house, other][number % 2].store.claim([MINE, THEIRS][number % 2], 3) for number in range(20)]
        taken = [run.task.id for claimed in await asyncio.gather(*claims) for run in claimed.runs]
        taken += [run.task.id for run in (await house.store.claim(MINE, 100)).runs]
        assert sorted(taken) == wanted

    at_home(open_db, story)


# Fencing, settling


def test_writes_of_an_earlier_attempt_are_refused(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        stale = await house.run()
        await house.store.settle(stale, again_at(NOON))
        fresh = await house.store.claim_one(stale.task.id, MINE)  # by a worker of the same name
        assert fresh and fresh.task.attempt == 2
        for writing in (house.store.append(stale, [TEXT]), house.store.settle(stale, DONE)):
            with pytest.raises(LeaseLost):
                await writing
        impostor = replace(fresh, worker="worker-2")
        for writing in (house.store.append(impostor, [TEXT]), house.store.settle(impostor, DONE)):
            with pytest.raises(LeaseLost):
                await writing
        await house.store.append(fresh, [TEXT])
        log = await house.log(stale.task.id)
        assert [kind for _, kind in log] == [
            *(EventType.SUBMITTED, EventType.STARTED),
            EventType.REQUEUED,
            EventType.STARTED,
            EventType.TEXT,
        ]

    at_home(open_db, story)


@pytest.mark.parametrize(
    "ending",
    [DONE, FAILED, cancelled(), again_at(NOON + 5)],
    ids=lambda ending: ending.status.value,
)
def test_settling(open_db: OpenDb, ending: Ending) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        house.clock.time = NOON + 2
        task = await house.store.settle(run, ending)
        assert task == await house.store.get(run.task.id)
        assert (task.status, task.result, task.error) == (ending.status, ending.result, ending.error)
        assert task.finished_at == (NOON + 2 if ending.status.ended else None)
        assert task.run_at == (ending.run_at or NOON)
        assert (await house.log(task.id))[-1] == (3, ending.event.type)
        assert await house.store.workers() == frozenset()
        for writing in (house.store.append(run, [TEXT]), house.store.settle(run, DONE)):
            with pytest.raises(LeaseLost):
                await writing
        assert len(await house.log(task.id)) == 3

    at_home(open_db, story)


def test_what_was_said_is_kept_and_what_later_attempts_say_comes_after(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        said = [Output(lines=(f"line {n} 🙂",), errors=(f"error \0 {n}",), left_out=n) for n in range(4)]
        assert await house.store.output(run.task.id) is None
        await house.store.settle(run, replace(again_at(NOON), output=said[1]))
        assert await house.store.output(run.task.id) == said[1]
        [silent] = (await house.store.claim(MINE, 1)).runs
        await house.store.settle(silent, again_at(NOON))
        assert await house.store.output(run.task.id) == said[1]
        [asking] = (await house.store.claim(MINE, 1)).runs
        await house.store.settle(asking, replace(WAITS, output=said[2]))
        [last] = (await house.store.claim(MINE, 1)).runs
        for again in (False, True):
            await house.store.settle(last, replace(FAILED, output=said[3]), again=again)
        assert await house.store.output(run.task.id) == said[1].then(said[2]).then(said[3])
        assert await house.store.output("nobody") is None

    at_home(open_db, story)


def test_what_a_late_run_said_is_not_kept(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.store.settle(run, again_at(NOON))
        [later] = (await house.store.claim(THEIRS, 1)).runs
        with pytest.raises(LeaseLost):
            await house.store.settle(run, replace(DONE, output=Output(lines=("too late",))))
        await house.store.settle(later, replace(DONE, output=Output(lines=("in time",))))
        assert await house.store.output(run.task.id) == Output(lines=("in time",))

    at_home(open_db, story)


def test_a_run_that_was_cancelled_instead_of_going_back_keeps_what_it_said(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.store.request_cancel(run.task.id)
        task = await house.store.settle(run, replace(again_at(NOON), output=Output(lines=("half",))))
        assert task.status is Status.CANCELLED
        assert await house.store.output(task.id) == Output(lines=("half",))

    at_home(open_db, story)


LEFT = Result(text="Half of it.", data={"big": 2**70, "smile": "🙂"})


@pytest.mark.parametrize(
    "ending",
    [DONE, FAILED, replace(FAILED, result=LEFT), cancelled(LEFT), again_at(NOON + 5), WAITS],
    ids=["completed", "failed", "failed with leftovers", "cancelled", "queued", "waiting"],
)
def test_an_ending_that_is_written_again_counts_once(open_db: OpenDb, ending: Ending) -> None:
    async def story(house: House) -> None:
        run, elsewhere = await house.run(), a_house(open_db())
        await elsewhere.store.settle(run, ending)  # as if the answer to it were lost: this hub has not heard of it
        before = await house.store.get(run.task.id)
        house.clock.time = NOON + 2
        with house.hub.follow(run.task.id) as following:
            for _ in range(2):
                assert await house.store.settle(run, ending, again=True) == before
            assert await following.get() == [(), ()]
        assert await house.store.get(run.task.id) == before
        assert [kind for _, kind in await house.log(run.task.id)][2:] == [ending.event.type]

    at_home(open_db, story)


def test_an_ending_whose_answer_was_not_lost_is_written_as_if_for_the_first_time(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        task = await house.store.settle(run, DONE, again=True)
        assert task.status is Status.COMPLETED
        assert await house.log(task.id) == [(1, EventType.SUBMITTED), (2, EventType.STARTED), (3, EventType.COMPLETED)]

    at_home(open_db, story)


def test_another_ending_than_the_one_that_was_kept_is_refused(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        for kept, other in (
            (replace(DONE, result=LEFT), DONE),
            (FAILED, replace(FAILED, error=WRONG.model_copy(update={"detail": "It did not."}))),
            (again_at(NOON + 5), again_at(NOON + 6)),
            (cancelled(), DONE),
        ):
            run = await house.run()
            await house.store.settle(run, kept)
            with pytest.raises(LeaseLost):
                await house.store.settle(run, other, again=True)
        run = await house.run()
        await house.store.settle(run, again_at(NOON))
        await house.store.claim_one(run.task.id, THEIRS)
        with pytest.raises(LeaseLost):
            await house.store.settle(run, again_at(NOON), again=True)

    at_home(open_db, story)


def test_a_result_of_any_kind_comes_back(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        artifacts = (Artifact(name="clip (2).mp4", size=2**40, media_type="video/mp4"),)
        result = Result(text="nul \0 and 🙂", data={"rows": [1, 2.5, None, 2**70]}, artifacts=artifacts)
        await house.store.settle(run, replace(DONE, result=result))
        assert (await house.store.get(run.task.id)).result == result

    at_home(open_db, story)


@pytest.mark.parametrize("ending", [again_at(NOON), WAITS], ids=lambda ending: ending.status.value)
def test_what_was_told_to_end_does_not_wait_for_another_run(open_db: OpenDb, ending: Ending) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        await house.store.request_cancel(run.task.id)
        task = await house.store.settle(run, ending)
        assert task.status is Status.CANCELLED
        assert await house.store.settle(run, ending, again=True) == task
        assert [kind for _, kind in await house.log(task.id)][2:] == [EventType.CANCEL_REQUESTED, EventType.CANCELLED]

    at_home(open_db, story)


# Cancelling


def test_cancelling_what_waits_ends_it(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        asking = await house.run()
        await house.questions.ask(asking, "k", Question(text="Which?"), QuestionRules())
        await house.store.settle(asking, WAITS)
        for task_id in ((await house.queued()).id, asking.task.id):
            task = await house.store.request_cancel(task_id)
            assert (task.status, task.finished_at) == (Status.CANCELLED, NOON)
            assert task == await house.store.get(task_id)
            assert (await house.log(task_id))[-1][1] is EventType.CANCELLED
            assert await house.store.claim_one(task_id, MINE) is None

    at_home(open_db, story)


def test_cancelling_what_runs_tells_its_worker_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run, other = await house.run(), await house.run()
        assert await house.store.renew(MINE, [run.id, other.id]) == {run.id: Wishes(), other.id: Wishes()}
        for _ in range(3):
            task = await house.store.request_cancel(run.task.id)
            assert (task.status, task.cancel_requested) == (Status.RUNNING, True)
        assert [kind for _, kind in await house.log(run.task.id)].count(EventType.CANCEL_REQUESTED) == 1
        assert await house.store.wishes("worker-1") == {run.id: Wishes(cancel=True)}
        assert await house.store.wishes("worker-2") == {}
        assert await house.store.renew(MINE, [run.id, other.id]) == {run.id: Wishes(cancel=True), other.id: Wishes()}

    at_home(open_db, story)


@pytest.mark.parametrize("ending", [DONE, FAILED, cancelled()], ids=lambda ending: ending.status.value)
def test_what_has_ended_cannot_be_cancelled(open_db: OpenDb, ending: Ending) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        before = await house.store.settle(run, ending)
        with pytest.raises(AlreadyEnded):
            await house.store.request_cancel(run.task.id)
        assert await house.store.get(run.task.id) == before
        assert len(await house.log(run.task.id)) == 3

    at_home(open_db, story)


def test_a_cancellation_is_not_lost_while_the_task_goes_back_into_the_queue(new_postgres: Callable[[], str]) -> None:
    """Only PostgreSQL lets two transactions meet like this."""
    from agents.src.services.postgres import PostgresDb

    url = new_postgres()

    async def story(house: House) -> None:
        run = await house.run()
        with psycopg.connect(url) as requeueing, psycopg.connect(url, autocommit=True) as watching:
            requeueing.execute("update task set status = 'queued', worker = null")
            asked = asyncio.create_task(house.store.request_cancel(run.task.id))
            await eventually(lambda: watching.execute("select 1 from pg_locks where not granted").fetchone() is not None)
            requeueing.commit()
            assert (await asked).status is Status.CANCELLED

    async def live() -> None:
        db = PostgresDb(url)
        try:
            await story(a_house(db))
        finally:
            await db.close()

    asyncio.run(live())


# Leases


def test_leases_are_renewed_only_for_the_runs_that_are_named(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        kept, unsettled, foreign = await house.run(), await house.run(), await house.run(THEIRS)
        house.clock.time = NOON + 15
        held = await house.store.renew(Claim("worker-1", NOON + 35), [kept.id, foreign.id])
        assert held == {kept.id: Wishes()}
        house.clock.time = NOON + 21
        assert {run.id for run in await house.store.abandoned([])} == {unsettled.id, foreign.id}
        assert await house.store.workers() == {"worker-1", "worker-2"}

    at_home(open_db, story)


def test_a_renewal_tells_of_the_attempt_that_holds_the_lease(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        stale = await house.run()
        await house.store.settle(stale, again_at(NOON))
        fresh = await house.store.claim_one(stale.task.id, MINE)
        assert fresh
        assert await house.store.renew(MINE, [stale.id]) == {fresh.id: Wishes()}

    at_home(open_db, story)


def test_abandoned_by_expiry_and_by_name(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        mine, theirs = await house.run(MINE), await house.run(THEIRS)
        await house.queued()
        assert await house.store.abandoned([]) == ()
        assert await house.store.abandoned(["worker-2", "worker-3"]) == (theirs,)
        house.clock.time = NOON + 21
        assert sorted(run.id for run in await house.store.abandoned([])) == [mine.id, theirs.id]

    at_home(open_db, story)


# Lists


def test_pages_newest_first(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        ids = [(await house.queued()).id for _ in range(5)][::-1]
        first = await house.store.page(TaskFilter(), None, 2)
        second = await house.store.page(TaskFilter(), first.next, 2)
        third = await house.store.page(TaskFilter(), second.next, 2)
        assert [task.id for page in (first, second, third) for task in page.items] == ids
        assert (first.next, second.next, third.next) == (ids[1], ids[3], None)
        whole = await house.store.page(TaskFilter(), None, 5)
        assert (len(whole.items), whole.next) == (5, None)

    at_home(open_db, story)


def test_pages_of_some(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        adas = await house.queued(skill="planning")
        bobs = await house.queued(caller="bob", skill="planning")
        running = (await house.run(caller="bob")).task

        async def ids(which: TaskFilter, cursor: str | None = None) -> list[str]:
            return [task.id for task in (await house.store.page(which, cursor, 10)).items]

        assert await ids(TaskFilter(caller="ada")) == [adas.id]
        assert await ids(TaskFilter(skill="planning")) == [bobs.id, adas.id]
        assert await ids(TaskFilter(status=Status.RUNNING)) == [running.id]
        assert await ids(TaskFilter(caller="bob", status=Status.QUEUED, skill="planning")) == [bobs.id]
        assert await ids(TaskFilter(caller="bob"), running.id) == [bobs.id]
        assert await ids(TaskFilter(caller="nobody")) == []

    at_home(open_db, story)


# Telling


def test_every_change_is_published_with_the_numbers_of_the_log(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        heard: list[Event] = []
        house.hub.listeners.append(heard.extend)
        key = Key("k", "print")
        task = (await house.store.add(a_task(), a_brief(), key)).task
        await house.store.add(a_task(), a_brief(), key)  # changes nothing
        run = await house.store.claim_one(task.id, MINE)
        assert run
        await house.store.append(run, [TEXT, TEXT])
        await house.store.request_cancel(task.id)
        await house.store.settle(run, cancelled())
        with pytest.raises(LeaseLost):
            await house.store.append(run, [TEXT])
        assert heard == list(await house.store.events(task.id, 0, 100))

    at_home(open_db, story)


def test_nothing_is_published_before_it_can_be_read(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        looks: list[asyncio.Task[tuple[Event, ...]]] = []
        elsewhere = a_house(open_db())

        def look(events: Sequence[Event]) -> None:
            looks.append(asyncio.create_task(elsewhere.store.events(run.task.id, events[0].seq - 1, len(events))))

        house.hub.listeners.append(look)
        await asyncio.gather(*(house.store.append(run, [TEXT]) for _ in range(10)))
        await house.store.settle(run, DONE)
        assert len(looks) == 11
        assert all(await asyncio.gather(*looks))

    at_home(open_db, story)


def test_the_followers_of_a_task_are_handed_its_end(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        with house.hub.follow(run.task.id) as following:
            await house.store.append(run, [TEXT])
            assert following.task is None
            ended = await house.store.settle(run, DONE)
            assert following.task == ended
            assert [event.seq for events in await following.get() for event in events] == [3, 4]

    at_home(open_db, story)


def test_other_processes_are_told(open_db: OpenDb, database_url: str | None) -> None:
    async def story(house: House) -> None:
        other = a_house(open_db())
        run = await house.run()
        with other.hub.follow(run.task.id) as following:
            other.db.watch(other.hub.signal)
            if database_url:
                assert await following.get(PATIENCE) == [()]  # PostgreSQL says so once it listens
            for change in (house.store.append(run, [TEXT]), house.store.settle(run, DONE)):
                await change
                assert await following.get(PATIENCE) == [()]

    at_home(open_db, story)
