"""What the lesson store keeps to, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from agents.src.errors import IllegalMove, UnknownLesson
from agents.src.memory import Act, Lesson, LessonState, Taught
from agents.src.services.lesson_store import SqlLessonStore
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import Claim, Draft, EventType, Hub, LeaseLost, Run, remembered
from tests.building import NOON, PATIENCE, SteppedClock, a_brief, a_task
from tests.conftest import OpenDb

ARGON = Lesson(action=Act.ADD, id="a167aa41ae7e", text="use argon2 🙂\nnot bcrypt", section="Auth")
FPS = Lesson(action=Act.CORRECT, id="b167aa41ae7e", text="videos are 50 fps", rev="r1")
MONDAY = Lesson(action=Act.FORGET, id="c167aa41ae7e", rev="r2")


@dataclass
class House:
    tasks: SqlTaskStore
    lessons: SqlLessonStore
    clock: SteppedClock

    async def run(self, skill: str = "planning", caller: str = "ada") -> Run:
        added = await self.tasks.add(a_task(skill=skill, caller=caller), a_brief(), claim=Claim("worker-1", NOON + 20))
        assert added.run
        return added.run

    async def learn(self, run: Run, *lessons: Lesson, held: bool = False) -> None:
        await self.tasks.append(run, [remembered(lesson, held=held) for lesson in lessons])


def a_house(open_db: OpenDb) -> House:
    db, clock = open_db(), SteppedClock()
    return House(SqlTaskStore(db, Hub(), clock), SqlLessonStore(db, clock), clock)


def tell(open_db: OpenDb, story: Callable[[House], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE):
            await story(a_house(open_db))

    asyncio.run(live())


def test_lessons_come_in_with_their_events_in_order(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        house.clock.time = NOON + 3
        await house.tasks.append(run, [Draft(EventType.TEXT, {"text": "a"}), remembered(ARGON, held=False)])
        await house.learn(run, FPS, MONDAY)
        first = Taught(1, run.task.id, "planning", "ada", ARGON, LessonState.NEW, NOON + 3)
        second, third = replace(first, number=2, lesson=FPS), replace(first, number=3, lesson=MONDAY)
        assert await house.lessons.waiting() == (first, second, third)
        assert await house.lessons.get(2) == second
        events = await house.tasks.events(run.task.id, 2, 10)
        assert [event.data for event in events[1:]] == [
            lesson.model_dump(mode="json", exclude_defaults=True) for lesson in (ARGON, FPS, MONDAY)
        ]

    tell(open_db, story)


def test_those_that_wait_are_of_one_skill_or_of_all_and_those_that_are_held_wait_elsewhere(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await house.learn(await house.run(), ARGON)
        await house.learn(await house.run("media"), FPS)
        await house.learn(await house.run("media"), MONDAY, held=True)
        await house.learn(await house.run(), FPS, held=True)
        numbers: Callable[[tuple[Taught, ...]], list[int]] = lambda found: [taught.number for taught in found]  # noqa: E731
        assert numbers(await house.lessons.waiting()) == [1, 2]
        assert numbers(await house.lessons.waiting("media")) == [2]
        assert numbers(await house.lessons.waiting("nobody")) == []
        assert numbers(await house.lessons.held()) == [3, 4]
        assert numbers(await house.lessons.held(frozenset({"media", "x"}))) == [3]
        assert numbers(await house.lessons.held(frozenset())) == []
        assert (await house.lessons.get(4)).state is LessonState.HELD

    tell(open_db, story)


def test_a_lesson_moves_from_where_it_stands_and_nowhere_else(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await house.learn(await house.run(), ARGON, held=True)
        moved = await house.lessons.move(1, LessonState.HELD, LessonState.NEW, "accepted")
        assert (moved.state, moved.note, moved.lesson) == (LessonState.NEW, "accepted", ARGON)
        assert moved == await house.lessons.get(1)
        with pytest.raises(IllegalMove, match="Lesson 1 is new, not held"):
            await house.lessons.move(1, LessonState.HELD, LessonState.REJECTED)
        taken = await house.lessons.move(1, LessonState.NEW, LessonState.TAKEN)
        assert (taken.state, taken.note) == (LessonState.TAKEN, "")
        assert await house.lessons.waiting() == await house.lessons.held() == ()
        for asking in (house.lessons.get(2), house.lessons.move(2, LessonState.NEW, LessonState.TAKEN)):
            with pytest.raises(UnknownLesson, match="no lesson 2"):
                await asking

    tell(open_db, story)


def test_of_many_who_move_it_at_once_one_does(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        await house.learn(await house.run(), ARGON)
        other = a_house(open_db)
        moving = [
            [house, other][number % 2].lessons.move(1, LessonState.NEW, LessonState.TAKEN, str(number)) for number in range(8)
        ]
        outcomes = await asyncio.gather(*moving, return_exceptions=True)
        assert sum(isinstance(outcome, Taught) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, IllegalMove) for outcome in outcomes) == 7

    tell(open_db, story)


def test_numbers_are_given_once_however_many_learn_at_once(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        other = a_house(open_db)
        runs = [await house.run() for _ in range(6)]
        await asyncio.gather(*([house, other][number % 2].learn(run, ARGON, FPS) for number, run in enumerate(runs * 3)))
        waiting = await house.lessons.waiting()
        assert [taught.number for taught in waiting] == list(range(1, 37))
        assert [taught.lesson for taught in waiting] == [ARGON, FPS] * 18

    tell(open_db, story)


def test_a_run_that_lost_its_lease_teaches_nothing(open_db: OpenDb) -> None:
    async def story(house: House) -> None:
        run = await house.run()
        with pytest.raises(LeaseLost):
            await house.learn(replace(run, worker="impostor"), ARGON)
        assert await house.lessons.waiting() == ()
        await house.learn(run, ARGON)
        assert [taught.number for taught in await house.lessons.waiting()] == [1]

    tell(open_db, story)
