"""The `script` engine with programs that ask, on both event loops. `test_script_parked.py` has them in the whole house."""

import asyncio
import stat
from dataclasses import dataclass, field
from typing import Any

import pytest

from agents.src.errors import ProgramFailed, QuestionExpired, TaskFailed, Unavailable
from agents.src.services.script_messages import MOST_QUESTIONS
from agents.src.tasks import (
    Action,
    Answer,
    Choice,
    Draft,
    EventType,
    LeaseLost,
    Nobody,
    Parked,
    Question,
    Result,
    Turn,
)
from tests.building import eventually
from tests.services.test_script import ASKING_IN_PYTHON, ASKING_IN_SHELL, PAGE, Stage, stage

__all__ = ["stage"]

ASKING = """
document = json.loads(sys.stdin.readline())
def question(text, **more): say(type="question", text=text, **more)
def answer(): return json.loads(sys.stdin.readline())
def ask(text, **more): question(text, **more); return answer()
"""
RED = Answer(action=Action.ACCEPT, choices=("red",), name="ada")


@dataclass
class Scripted(Nobody):
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
def test_what_comes_instead_of_an_answer_ends_the_program_and_comes_out(stage: Stage, error: Exception) -> None:
    ask = Scripted({"Which?": error})
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    with pytest.raises(type(error)) as caught:
        play(stage, ask, ASKING + deaf + "subprocess.Popen(['sleep', '60'])\nask('Which?')\ntime.sleep(60)")
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
