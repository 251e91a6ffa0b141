"""The `script` engine with programs that ask, on both event loops; and with the real store, parked and gone on with."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.src.bootstrap import Parts
from agents.src.clock import Clock
from agents.src.errors import ProgramFailed, QuestionExpired, TaskFailed, Unavailable
from agents.src.services.processes import processes_of
from agents.src.services.script import ScriptEngine
from agents.src.services.script_messages import MOST_QUESTIONS
from agents.src.skills import SkillRequest
from agents.src.tasks import (
    Action,
    Answer,
    Asked,
    Caller,
    Choice,
    Draft,
    Engine,
    EventType,
    Failure,
    LeaseLost,
    Parked,
    Question,
    QuestionFilter,
    QuestionState,
    Result,
    Status,
    Task,
    Turn,
)
from tests.building import a_skill, ended, eventually, immediately, parts, running
from tests.conftest import OpenDb
from tests.services.test_script import ASKING_IN_PYTHON, ASKING_IN_SHELL, PAGE, PYTHON, Stage, stage

__all__ = ["stage"]

ASKING = """
document = json.loads(sys.stdin.readline())
def question(text, **more): say(type="question", text=text, **more)
def answer(): return json.loads(sys.stdin.readline())
def ask(text, **more): question(text, **more); return answer()
"""
RED = Answer(action=Action.ACCEPT, choices=("red",), name="ada")
NOBODY = Failure(type="question-expired", title="Nobody answered what the task had to know.", detail="Nobody.")
Story = Callable[[Parts], Awaitable[None]]


@dataclass
class Scripted:
    """An `Ask`: answers by the question's text, at once, or once `told` says so. An exception is raised."""

    answers: dict[str, Answer | Exception]
    asked: list[tuple[Question, str | None]] = field(default_factory=list)
    told: dict[str, asyncio.Event] = field(default_factory=dict)

    async def __call__(self, question: Question, key: str | None = None, *, likened: bool = False) -> Answer:
        self.asked.append((question, key))
        if wait := self.told.get(question.text):
            await wait.wait()
        answer = self.answers[question.text]
        if isinstance(answer, Exception):
            raise answer
        return answer


def play(stage: Stage, ask: Scripted, program: str, name: str = "main.py") -> tuple[list[Draft], Result]:
    stage.ask = ask
    return stage.run(program, name, asks=True)


def fail(stage: Stage, program: str, **brief: Any) -> TaskFailed:
    return stage.fail(ASKING + program, **{"asks": True, **brief})


# Question and answer


def test_a_program_asks_and_reads_its_answer(stage: Stage) -> None:
    ask = Scripted({"Which?": RED})
    program = """
        got = ask("Which?", id="colour", header="Colour", choices=["red", {"label": "blue", "description": "As the sky."}],
                  several=True, free_text=False, default=["red", "blue"])
        say(type="result", data=got)
    """
    drafts, result = play(stage, ask, ASKING + program.replace("\n        ", "\n"))
    choices = (Choice(label="red"), Choice(label="blue", description="As the sky."))
    asked = Question(text="Which?", header="Colour", choices=choices, several=True, free_text=False, default=("red", "blue"))
    assert ask.asked == [(asked, "colour")]
    said = {"type": "answer", "id": "colour", "action": "accept", "text": "", "choices": ["red"], "by": "caller"}
    assert (drafts, result.data) == ([], said)


def test_what_a_question_leaves_open_stays_open(stage: Stage) -> None:
    ask = Scripted({"Which?": Answer(action=Action.DECLINE, text="No.", by=Turn.HUMAN)})
    _, result = play(stage, ask, ASKING + "say(type='result', data=ask('Which?', default='red', id=None))")
    [(question, key)] = ask.asked
    assert (question.model_fields_set, question.default, key) == ({"text", "default"}, ("red",), None)
    said = {"type": "answer", "id": "1", "action": "decline", "text": "No.", "choices": [], "by": "human"}
    assert result.data == said


def test_several_are_asked_before_an_answer_is_read_and_answers_come_as_they_are_given(stage: Stage) -> None:
    ask = Scripted({text: Answer(action=Action.ACCEPT, text=text) for text in ("first", "second", "third")})

    program = """
question("first"); question("second", id="my own"); question("third")
for _ in range(3): say(type="text", text=answer()["id"])
"""

    async def give(order: list[str], heard: asyncio.Queue[object]) -> None:
        await eventually(lambda: len(ask.asked) == 3)
        for text in order:
            ask.told[text].set()
            await heard.get()

    async def scene() -> list[str]:
        ask.told = {text: asyncio.Event() for text in ask.answers}
        stage.ask = ask
        heard: asyncio.Queue[object] = asyncio.Queue()
        giving = asyncio.create_task(give(["third", "first", "second"], heard))
        ids = []
        async for item in stage.generator(ASKING + program, asks=True):
            heard.put_nowait(item)
            if isinstance(item, Draft):
                ids.append(item.data["text"])
        await giving
        return ids

    assert stage.play(scene) == ["3", "1", "my own"]


def test_a_program_works_on_while_it_waits(stage: Stage) -> None:
    ask = Scripted({"Which?": RED})
    program = """
say(type="text", text="before")
question("Which?")
print("meanwhile", file=sys.stderr, flush=True)
say(type="progress", fraction=0.5)
say(type="result", data=answer()["choices"])
"""

    async def scene() -> list[Draft | Result]:
        ask.told["Which?"] = asyncio.Event()
        stage.ask = ask
        said = []
        async for item in stage.generator(ASKING + program, asks=True):
            said.append(item)
            if len(said) == 3:
                assert len(ask.asked) == 1
                ask.told["Which?"].set()
        return said

    first, *meanwhile, result = stage.play(scene)
    assert first == Draft(EventType.TEXT, {"text": "before"})
    assert {draft.type for draft in meanwhile} == {EventType.STDERR, EventType.PROGRESS}
    assert result == Result(data=["red"])


def test_what_was_said_before_is_handed_on_before_it_is_asked(stage: Stage) -> None:
    ask = Scripted({"Which?": RED})

    async def scene() -> None:
        stage.ask = ask
        program = "say(type='text', text='1'); print('2', flush=True); question('Which?'); answer(); say(type='text', text='3')"
        seen = []
        async for item in stage.generator(ASKING + program, asks=True):
            if isinstance(item, Draft):
                await asyncio.sleep(0.05)
                seen.append((item.data["text"], len(ask.asked)))
        assert seen == [("1", 0), ("2", 0), ("3", 1)]

    stage.play(scene)


# How it can go otherwise


def test_a_program_that_does_not_wait_ends_as_it_says(stage: Stage) -> None:
    async def scene() -> list[Draft | Result]:
        stage.ask = Scripted({"Which?": RED}, told={"Which?": asyncio.Event()})
        return [item async for item in stage.generator(ASKING + "question('Which?'); say(type='result', text='blue')", asks=True)]

    assert stage.play(scene) == [Result(text="blue")]
    assert isinstance(stage.ask, Scripted) and len(stage.ask.asked) == 1


@pytest.mark.parametrize("closes", ["", "sys.stdin.close(); os.close(0)"])
def test_an_answer_that_nobody_reads_does_no_harm(stage: Stage, closes: str) -> None:
    ask = Scripted({"Which?": Answer(action=Action.ACCEPT, text="x" * 16_000)})
    program = f"{closes}\nfor _ in range(100): question('Which?')\nsay(type='result', text='done')"
    assert play(stage, ask, ASKING + program)[1] == Result(text="done")
    assert len(ask.asked) == 100


ERRORS = [Parked(), QuestionExpired("Nobody."), LeaseLost("x:1"), Unavailable("The database is away.")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("deaf", [False, True])
def test_what_comes_instead_of_an_answer_ends_the_program_and_comes_out(stage: Stage, error: Exception, deaf: bool) -> None:
    ask = Scripted({"Which?": error})
    program = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    with pytest.raises(type(error)) as caught:
        play(stage, ask, ASKING + program + "subprocess.Popen(['sleep', '60'])\nask('Which?')\ntime.sleep(60)")
    assert caught.value is error


def test_a_program_is_told_to_end_before_it_is_made_to(stage: Stage) -> None:
    tidy = "def tidy(*_):\n    open('output/tidy', 'w').close()\n    sys.exit()\nsignal.signal(signal.SIGTERM, tidy)\n"
    with pytest.raises(Parked):
        play(stage, Scripted({"Which?": Parked()}), ASKING + tidy + "ask('Which?')")
    assert (stage.workspace.output / "tidy").exists()


def test_what_is_asked_in_the_same_breath_as_a_parked_question_is_asked_too(stage: Stage) -> None:
    ask = Scripted({text: Parked() for text in "abcde"})
    with pytest.raises(Parked):
        play(stage, ask, ASKING + "for text in 'abcde': question(text)\nanswer()")
    assert [question.text for question, _ in ask.asked] == [*"abcde"]


def test_a_run_that_is_cancelled_asks_no_longer(stage: Stage) -> None:
    async def scene() -> None:
        ask = Scripted({"Which?": RED}, told={"Which?": asyncio.Event()})
        stage.ask = ask

        async def read() -> None:
            async for _ in stage.generator(ASKING + "ask('Which?')", asks=True):
                raise AssertionError

        reading = asyncio.create_task(read())
        await eventually(lambda: bool(ask.asked))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert reading.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    stage.play(scene)


# What is refused


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ("", "question.text: Field required"),
        ("text=1", "question.text: Input should be a valid string"),
        ("text=' '", "question.text: is empty"),
        ("text='x' * 16_001", "question.text: has 16,001 characters; at most 16,000"),
        ("text='Which?', id=''", "question.id: "),
        ("text='Which?', id='a\\nb'", "question.id: "),
        ("text='Which?', id=7", "question.id: "),
        ("text='Which?', several='yes'", "question.several: "),
        ("text='Which?', choices='red'", "question.choices: "),
        ("text='Which?', choices=[1]", "question.choices.0: "),
        ("text='Which?', choices=[{'description': 'x'}]", "question.choices.0.label: "),
        ("text='Which?', choices=['red', {'label': 'red'}]", "question.choices: 'red' is there twice"),
        ("text='Which?', choices=[str(n) for n in range(51)]", "question.choices: there are 51; at most 50"),
        ("text='Which?', choices=['red'], default='blue', free_text=False", "question.default: 'blue' is none of the choices"),
        ("text='Which?', default=None", "question.default: "),
    ],
)
def test_a_malformed_question_fails(stage: Stage, members: str, fault: str) -> None:
    error = fail(stage, f"say(type='question', {members}); time.sleep(60)")
    assert isinstance(error, ProgramFailed)
    assert error.detail.startswith(f"The program wrote a message that is not of the documented form: {fault}")


def test_a_program_that_may_not_ask_is_told_how(stage: Stage) -> None:
    error = fail(stage, "question('Which?'); time.sleep(60)", asks=False)
    assert isinstance(error, ProgramFailed)
    assert "write `asks: true` there" in error.detail


def test_a_program_that_never_stops_asking_is_stopped(stage: Stage) -> None:
    stage.ask = Scripted({"Which?": RED})
    error = fail(stage, "while True: question('Which?')")
    assert isinstance(error, ProgramFailed)
    assert f"asked more than {MOST_QUESTIONS} questions" in error.detail
    assert f"One run can ask {MOST_QUESTIONS} questions" in PAGE


# stdin


@pytest.mark.parametrize("asks", [False, True])
def test_the_document_is_one_line_and_only_without_asks_the_file_ends(stage: Stage, asks: bool) -> None:
    program = "line = sys.stdin.readline()\nsay(type='result', data=[line, None if document_alone else sys.stdin.read()])"
    _, result = stage.run(f"document_alone = {asks}\n{program}", prompt="two\nlines", asks=asks)
    line, rest = result.data
    assert (line.count("\n"), line[-1], rest) == (1, "\n", None if asks else "")


def test_the_example_in_python_asks(stage: Stage) -> None:
    for answer, said in ({"choices": ("letter",)}, "letter"), ({"text": "a3"}, "a3"):
        ask = Scripted({"Which paper?": Answer.model_validate({"action": "accept", **answer})})
        assert play(stage, ask, ASKING_IN_PYTHON)[1] == Result(text=f"Printed on {said}.")
        assert ask.asked[0][1] == "paper"
    stage.ask = Scripted({"Which paper?": Answer(action=Action.CANCEL)})
    assert "nothing can be printed" in stage.fail(ASKING_IN_PYTHON, asks=True).detail


def test_the_example_in_shell_asks(stage: Stage) -> None:
    (stage.skill / stage.write("", "main.sh")).chmod(stat.S_IRWXU)
    for label, said in (("yes", "keeping it"), ("no", "removing it")):
        ask = Scripted({"Keep the old report?": Answer(action=Action.ACCEPT, choices=(label,))})
        assert play(stage, ask, ASKING_IN_SHELL, "main.sh")[1] == Result(text=said)


# With the real store


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
        (Path(f"/proc/{process}/cwd") / "input" / "go").touch()
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
        (Path(f"/proc/{process}/cwd") / "input" / "go").touch()

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
