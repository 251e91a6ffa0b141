"""Who has many tasks at once is warned when one more is accepted: what every task store keeps to, on both databases."""

import asyncio

from agents.src.services.crowd_sql import AHEAD, OTHERS
from agents.src.tasks import Added, EventType, Key, Places, Question, QuestionRules
from tests.building import a_brief, a_task
from tests.conftest import OpenDb
from tests.contracts.test_task_store import DONE, MINE, TEXT, House, at_home

MANY = "ada has 3 tasks under way at once, with this one."
FULL = "No more than 2 tasks run at once here: it waits in the queue,"


def warned(added: Added) -> list[str]:
    return [warning.data["message"] for warning in added.warnings]


def test_who_has_more_than_two_tasks_under_way_is_warned_right_after_submitting(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        for _ in range(2):
            assert (await house.store.add(a_task(), a_brief(), places=Places())).warnings == ()
        queued = await house.store.add(a_task(), a_brief(), places=Places())
        assert warned(queued) == [MANY]
        assert list(queued.warnings) == list(await house.store.events(queued.task.id, 1, 9))
        assert await house.log(queued.task.id) == [(1, EventType.SUBMITTED), (2, EventType.WARNING)]
        begun = await house.store.add(a_task(), a_brief(), claim=MINE, places=Places(1))
        assert warned(begun) == [MANY.replace("3", "4")]
        assert [kind for _, kind in await house.log(begun.task.id)] == [
            *(EventType.SUBMITTED, EventType.WARNING, EventType.STARTED),
        ]
        assert begun.run
        await house.store.append(begun.run, [TEXT])
        assert [seq for seq, _ in await house.log(begun.task.id)] == [1, 2, 3, 4]
        assert warned(await house.store.add(a_task(caller="bob"), a_brief(), places=Places())) == []

    at_home(open_db, story)


def test_what_has_ended_or_waits_for_an_answer_is_not_under_way(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        done, asks = await house.run(), await house.run()
        await house.store.settle(done, DONE)
        await house.questions.ask(asks, "k", Question(text="Which?"), QuestionRules())
        for _ in range(2):
            assert (await house.store.add(a_task(), a_brief(), places=Places())).warnings == ()
        assert warned(await house.store.add(a_task(), a_brief(), places=Places())) == [MANY]

    at_home(open_db, story)


def test_one_over_the_cap_is_told_behind_how_many_it_waits(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        for number in range(2):
            await house.run(caller="bob", skill=["other", "noop"][number])
        await house.queued(caller="bob", priority=5, skill="other")
        await house.queued(caller="bob", priority=-5)
        for _ in range(2):
            await house.queued()
        three = await house.store.add(a_task(), a_brief(), places=Places(2))
        assert warned(three) == [f"{MANY} {FULL} behind 3 others."]
        urgent = await house.store.add(a_task(priority=9), a_brief(), places=Places(2))
        assert warned(urgent) == [f"{MANY.replace('3', '4')} {FULL} as the next."]
        of_skill = await house.store.add(a_task(priority=2), a_brief(), places=Places(99, 2))
        full = "No more than 2 tasks of the skill noop run at once here: it waits in the queue, behind 1 other."
        assert warned(of_skill) == [f"{MANY.replace('3', '5')} {full}"]
        assert warned(await house.store.add(a_task(skill="other"), a_brief(), places=Places(99, 9))) == [MANY.replace("3", "6")]

    at_home(open_db, story)


def test_a_known_key_gives_no_second_warning(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        for _ in range(2):
            await house.queued()
        first = await house.store.add(a_task(), a_brief(), Key("k", "print"), places=Places())
        again = await house.store.add(a_task(), a_brief(), Key("k", "print"), places=Places())
        assert (warned(first), again.task, again.warnings) == ([MANY], first.task, ())
        assert await house.log(first.task.id) == [(1, EventType.SUBMITTED), (2, EventType.WARNING)]

    at_home(open_db, story)


def test_counting_stops_at_a_hundred(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await asyncio.gather(*(house.queued() for _ in range(130)))
        last = await house.store.add(a_task(), a_brief(), places=Places(1))
        full = FULL.replace("2 tasks", "1 task").replace("run", "runs")
        assert warned(last) == [f"{MANY.replace('3', 'more than 100')} {full} behind 100 others or more."]

    at_home(open_db, story)


def test_counting_reads_indexes_only_as_far_as_it_counts(open_sqlite: OpenDb) -> None:
    async def story(house: House) -> None:
        others = await house.db.read(lambda tx: tx.run(f"explain query plan {OTHERS}", "ada", 101))
        assert "SEARCH task USING COVERING INDEX task_by_caller_status (caller=? AND status=?)" in [row[3] for row in others]
        ahead = await house.db.read(lambda tx: tx.run(f"explain query plan {AHEAD}", "noop", 1000, "noop", 0, 101))
        reads = {row[3].partition(" USING ")[2] for row in ahead if "task" in row[3]}
        assert reads == {"INDEX task_leases (worker>?)", "INDEX task_queue (status=? AND priority>?)"}

    at_home(open_sqlite, story)
