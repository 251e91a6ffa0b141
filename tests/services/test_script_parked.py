"""Programs that ask, in the whole house: with the real store, on both databases, held, parked, and gone on with."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from agents.src.bootstrap import Parts
from agents.src.clock import Clock
from agents.src.services.processes import processes_of
from agents.src.services.script import ScriptEngine
from agents.src.skills import SkillRequest
from agents.src.tasks import (
    Action,
    Answer,
    Asked,
    Caller,
    Engine,
    EventType,
    Failure,
    QuestionFilter,
    QuestionState,
    Status,
    Task,
)
from tests.building import a_skill, ended, eventually, immediately, parts, running
from tests.conftest import OpenDb
from tests.services.test_script import PYTHON
from tests.services.test_script_questions import ASKING, RED

NOBODY = Failure(type="question-expired", title="Nobody answered what the task had to know.", detail="Nobody.")
Story = Callable[[Parts], Awaitable[None]]


def at_home(skill: Path, open_db: OpenDb, state_dir: Path, program: str, story: Story, hold: float = 60, **fields: Any) -> None:
    """The program as the skill `noop`, in the whole house."""
    skill.mkdir(exist_ok=True)
    (skill / "work.py").write_text(PYTHON + ASKING + program)

    async def live() -> None:
        engines: dict[str, Engine] = {"script": ScriptEngine(lambda _: skill)}
        skills = [a_skill(asks=True, **fields)]
        async with running(parts(state_dir, engines=engines, skills=skills, db=open_db(), question_hold_seconds=hold)) as here:
            await story(here)

    asyncio.run(live())


async def submitted(here: Parts) -> Task:
    """Under an id that no other test has, whose processes would be taken for this one's."""
    request = SkillRequest(skill="noop", task="Please.")
    return (await here.dispatcher.dispatch(request, Caller("ada"), Clock().new_id())).task


async def pending(here: Parts, task: Task, number: int = 1) -> list[Asked]:
    """Its open questions, once there are so many, the oldest first."""
    found: list[Asked] = []

    async def there() -> bool:
        which = QuestionFilter(task_id=task.id, state=QuestionState.PENDING)
        found[:] = reversed((await here.questions.page(which, None, 50)).items)
        return len(found) == number

    await eventually(there)
    return found


async def told(here: Parts, task: Task) -> list[EventType]:
    return [event.type for event in await here.store.events(task.id, 0, 100)]


async def parked(here: Parts, task: Task) -> None:
    async def is_parked() -> bool:
        return EventType.PARKED in await told(here, task)

    await eventually(is_parked)


COLOUR = """
print("began", flush=True)
open("output/trace", "x").close()
got = ask("Which?", id="colour", choices=["red", "blue"])
say(type="result", text=", ".join(got["choices"]), data=got)
"""


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    return tmp_path / "skill"


def test_a_held_program_goes_on_with_its_answer(skill: Path, open_db: OpenDb, state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        task = await submitted(here)
        [asked] = await pending(here, task)
        assert (asked.key, (await here.store.get(task.id)).status) == ("colour", Status.INPUT_REQUIRED)
        assert processes_of(f"{task.id}:1")
        await here.answering.answer(asked, RED)
        done = await ended(here, task)
        assert done.result and (done.result.text, done.result.data["by"], done.attempt) == ("red", "caller", 1)
        asking, answering = EventType.QUESTION_ASKED, EventType.QUESTION_ANSWERED
        assert (await told(here, task))[2:] == [EventType.TEXT, asking, answering, EventType.COMPLETED]

    at_home(skill, open_db, state_dir, COLOUR, story)


def test_a_parked_program_is_gone_and_begins_again_in_a_fresh_folder(skill: Path, open_db: OpenDb, state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        task = await submitted(here)
        await parked(here, task)
        assert processes_of(f"{task.id}:1") == set()
        [asked] = await pending(here, task)
        await here.answering.answer(asked, RED)
        done = await ended(here, task)
        assert done.result and (done.result.text, done.attempt, done.resumed) == ("red", 2, 1)
        assert [artifact.name for artifact in done.result.artifacts] == ["trace"]
        assert (await told(here, task)).count(EventType.QUESTION_ASKED) == 1

    at_home(skill, open_db, state_dir, COLOUR, story, hold=0)


def test_a_server_that_stops_parks_the_program_and_another_goes_on(skill: Path, open_db: OpenDb, state_dir: Path) -> None:
    tasks: list[Task] = []

    async def before(here: Parts) -> None:
        tasks.append(await submitted(here))
        await pending(here, tasks[0])

    async def after(here: Parts) -> None:
        [task] = tasks
        assert (await told(here, task))[-1] is EventType.PARKED
        [asked] = await pending(here, task)
        await here.answering.answer(asked, RED)
        done = await ended(here, task)
        assert done.result and done.result.text == "red"

    at_home(skill, open_db, state_dir, COLOUR, before)
    at_home(skill, open_db, state_dir, COLOUR, after)


def test_several_that_are_parked_together_are_answered_together(skill: Path, open_db: OpenDb, state_dir: Path) -> None:
    program = """
for _ in range(3): question("Which?")
got = [answer() for _ in range(3)]
say(type="result", data=[one["text"] for one in sorted(got, key=lambda one: one["id"])])
"""

    async def story(here: Parts) -> None:
        task = await submitted(here)
        await parked(here, task)
        for asked in await pending(here, task, 3):
            await here.answering.answer(asked, Answer(action=Action.ACCEPT, text=asked.key[-1]))
        done = await ended(here, task)
        assert done.result and (done.result.data, done.attempt) == (["1", "2", "3"], 2)

    at_home(skill, open_db, state_dir, program, story, hold=0)


def test_a_question_that_nobody_waited_for_is_withdrawn(skill: Path, open_db: OpenDb, state_dir: Path) -> None:
    program = """
question("Which?", id="colour")
while not os.path.exists("input/go"): time.sleep(0.01)
say(type="result", text="blue")
"""

    async def story(here: Parts) -> None:
        task = await submitted(here)
        [asked] = await pending(here, task)
        [process] = processes_of(f"{task.id}:1")
        (Path(psutil.Process(process).cwd()) / "input" / "go").touch()
        done = await ended(here, task)
        assert done.result and (done.result.text, done.waiting) == ("blue", 0)
        assert (await here.questions.get(asked.id)).state is QuestionState.WITHDRAWN

    at_home(skill, open_db, state_dir, program, story)


def test_an_attempt_that_failed_with_an_open_question_is_tried_again_and_asks_again(
    skill: Path, open_db: OpenDb, state_dir: Path
) -> None:
    program = """
question("Which?", id="colour", choices=["red"])
while not os.path.exists("input/go") and document["run_id"].endswith(":1"): time.sleep(0.01)
if document["run_id"].endswith(":1"): sys.exit(1)
say(type="result", text=answer()["choices"][0])
"""

    async def story(here: Parts) -> None:
        task = await submitted(here)
        [first] = await pending(here, task)
        [process] = processes_of(f"{task.id}:1")
        (Path(psutil.Process(process).cwd()) / "input" / "go").touch()

        async def asked_anew() -> bool:
            return (await told(here, task)).count(EventType.QUESTION_ASKED) == 2

        await eventually(asked_anew)
        [second] = await pending(here, task)
        assert second.id != first.id
        await here.answering.answer(second, RED)
        done = await ended(here, task)
        assert done.result and (done.result.text, done.attempt) == ("red", 2)

    at_home(skill, open_db, state_dir, program, story, retries=immediately(1))


def test_a_question_that_expires_fails_the_task(skill: Path, open_db: OpenDb, state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        task = await submitted(here)
        [asked] = await pending(here, task)
        await here.questions.expire(asked, NOBODY)
        done = await ended(here, task)
        assert done.error and (done.error.type, done.attempt) == ("question-expired", 1)
        assert processes_of(f"{task.id}:1") == set()

    at_home(skill, open_db, state_dir, COLOUR, story, retries=immediately(3))
