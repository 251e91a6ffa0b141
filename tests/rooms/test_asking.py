"""A run asks: held for a while, then parked; the next attempt goes on."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agents.src.bootstrap import Parts
from agents.src.errors import AlreadyAnswered, InvalidAnswer
from agents.src.tasks import (
    Action,
    Answer,
    Ask,
    Asked,
    Brief,
    Choice,
    Draft,
    EventType,
    Parked,
    Question,
    QuestionFilter,
    QuestionRules,
    QuestionState,
    Result,
    Status,
    Task,
    Turn,
    Workspace,
)
from agents.src.tasks.asking import filled
from tests.building import Work, a_skill, ended, eventually, failing, immediately, parts, running, submit

WHICH = Question(text="Which?", choices=(Choice(label="red"), Choice(label="blue")))
RED = Answer(action=Action.ACCEPT, choices=("red",))


def asking(*questions: Question) -> Work:
    """Asks one after the other, and ends with the answers."""

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield Draft(EventType.TEXT, {"text": f"attempt {workspace.run_id[-1]}"})
        answers = [await ask(question) for question in questions]
        yield Result(text=", ".join(answer.words or answer.action for answer in answers))

    return work


async def pending(here: Parts, task: Task, number: int = 1) -> list[Asked]:
    """Its questions, once there are so many, the oldest first."""
    found: list[Asked] = []

    async def there() -> bool:
        which = QuestionFilter(task_id=task.id, state=QuestionState.PENDING)
        found[:] = reversed((await here.questions.page(which, None, 50)).items)
        return len(found) == number

    await eventually(there)
    return found


async def parked(here: Parts, task: Task) -> None:
    async def is_parked() -> bool:
        return any(event.type is EventType.PARKED for event in await here.store.events(task.id, 0, 100))

    await eventually(is_parked)


async def kinds(here: Parts, task: Task) -> list[EventType]:
    return [event.type for event in await here.store.events(task.id, 0, 100)]


def test_a_held_run_goes_on_with_the_answer(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"noop": asking(WHICH)})) as here:
            task = await submit(here)
            [asked] = await pending(here, task)
            assert (await here.store.get(task.id)).status is Status.INPUT_REQUIRED
            await here.answering.answer(asked, RED)
            done = await ended(here, task)
            assert done.result and (done.status, done.result.text, done.attempt) == (Status.COMPLETED, "red", 1)
            assert EventType.PARKED not in await kinds(here, task)

    asyncio.run(story())


def test_a_run_that_is_not_answered_in_time_is_parked_and_another_goes_on(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"noop": asking(WHICH)}, question_hold_seconds=0)) as here:
            task = await submit(here)
            await parked(here, task)
            waiting = await here.store.get(task.id)
            assert (waiting.status, waiting.attempt) == (Status.INPUT_REQUIRED, 1)
            [asked] = await pending(here, task)
            await here.answering.answer(asked, RED)
            done = await ended(here, task)
            assert done.result and (done.result.text, done.attempt, done.resumed) == ("red", 2, 1)
            assert (await kinds(here, task)).count(EventType.QUESTION_ASKED) == 1

    asyncio.run(story())


def test_the_same_question_again_is_another_and_a_new_attempt_has_both_answers(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"noop": asking(WHICH, WHICH)}, question_hold_seconds=0)) as here:
            task = await submit(here)
            for label in ("red", "blue"):
                [asked] = await pending(here, task)
                await here.answering.answer(asked, Answer(action=Action.ACCEPT, choices=(label,)))
            done = await ended(here, task)
            assert done.result and (done.result.text, done.attempt, done.resumed) == ("red, blue", 3, 2)

    asyncio.run(story())


def test_going_on_after_an_answer_uses_up_no_retry(state_dir: Path) -> None:
    async def story() -> None:
        fails = failing(times=2)

        async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
            await ask(WHICH)
            async for happening in fails(brief, workspace, ask):
                yield happening

        skill = a_skill(retries=immediately(2))
        async with running(parts(state_dir, works={"noop": work}, skills=[skill], question_hold_seconds=0)) as here:
            task = await submit(here)
            [asked] = await pending(here, task)
            await here.answering.answer(asked, RED)
            done = await ended(here, task)
            assert (done.status, done.attempt, done.resumed) == (Status.COMPLETED, 4, 1)

    asyncio.run(story())


def test_a_server_that_stops_parks_what_it_holds(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"noop": asking(WHICH)})) as here:
            task = await submit(here)
            [asked] = await pending(here, task)
        async with running(parts(state_dir, works={"noop": asking(WHICH)})) as here:
            assert (await here.store.get(task.id)).status is Status.INPUT_REQUIRED
            assert (await kinds(here, task))[-1] is EventType.PARKED
            await here.answering.answer(asked, RED)
            done = await ended(here, task)
            assert done.result and done.result.text == "red"

    asyncio.run(story())


def test_waiting_is_not_working(state_dir: Path) -> None:
    """The time limit stands still meanwhile."""

    async def story() -> None:
        async with running(parts(state_dir, works={"noop": asking(WHICH)})) as here:
            task = await submit(here, timeout=0.5)
            [asked] = await pending(here, task)
            await asyncio.sleep(0.8)
            await here.answering.answer(asked, RED)
            assert (await ended(here, task)).status is Status.COMPLETED

    asyncio.run(story())


def test_a_held_run_is_cancelled(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"noop": asking(WHICH)})) as here:
            task = await submit(here)
            await pending(here, task)
            await here.store.request_cancel(task.id)
            assert (await ended(here, task)).status is Status.CANCELLED

    asyncio.run(story())


def test_several_at_once_are_answered_one_by_one(state_dir: Path) -> None:
    async def story() -> None:
        async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
            both = await asyncio.gather(ask(WHICH, "a"), ask(Question(text="Where?"), "b"))
            yield Result(text=" ".join(answer.words for answer in both))

        async with running(parts(state_dir, works={"noop": work})) as here:
            task = await submit(here)
            first, second = await pending(here, task, 2)
            answers = {"a": RED, "b": Answer(action=Action.ACCEPT, text="here")}
            await here.answering.answer(first, answers[first.key])
            assert (await here.store.get(task.id)).status is Status.INPUT_REQUIRED
            await here.answering.answer(second, answers[second.key])
            done = await ended(here, task)
            assert done.result and done.result.text == "red here"

    asyncio.run(story())


def test_an_engine_may_see_to_something_before_it_lets_itself_be_parked(state_dir: Path) -> None:
    seen: list[str] = []

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        try:
            await ask(WHICH)
        except Parked:
            seen.append(workspace.session)
            raise
        yield Result()

    async def story() -> None:
        async with running(parts(state_dir, works={"noop": work}, question_hold_seconds=0)) as here:
            task = await submit(here)
            await parked(here, task)
            assert seen == [f"{task.id}:1"]

    asyncio.run(story())


def test_a_folder_is_there_again_for_an_engine_that_goes_on(state_dir: Path) -> None:
    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        notes = workspace.output / "notes.txt"
        before = notes.read_text() if notes.exists() else ""
        notes.write_text(f"{before}{workspace.goes_on}")
        await ask(WHICH)
        yield Result(text=notes.read_text())

    async def story(goes_on: bool, expected: str) -> None:
        here = parts(state_dir / expected, works={"noop": work}, uses_folder=True, question_hold_seconds=0, goes_on=goes_on)
        async with running(here):
            task = await submit(here)
            [asked] = await pending(here, task)
            await parked(here, task)
            await here.answering.answer(asked, RED)
            done = await ended(here, task)
            assert done.result and done.result.text == expected
            assert await here.files.parked() == ()  # type: ignore[attr-defined]

    asyncio.run(story(True, "FalseTrue"))
    asyncio.run(story(False, "False"))


def test_an_answer_that_is_repeated_is_the_same_answer_and_another_is_refused(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"noop": asking(WHICH)})) as here:
            task = await submit(here)
            [asked] = await pending(here, task)
            mine = RED.model_copy(update={"name": "ada"})
            first = await here.answering.answer(asked, mine)
            assert await here.answering.answer(asked, mine) == first
            for other in (mine.model_copy(update={"name": "eve"}), mine.model_copy(update={"choices": ("blue",)})):
                with pytest.raises(AlreadyAnswered) as refusal:
                    await here.answering.answer(asked, other)
                assert refusal.value.members["answer"] == mine.model_dump(mode="json")
            await ended(here, task)
            assert (await kinds(here, task)).count(EventType.QUESTION_ANSWERED) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(action=Action.ACCEPT, choices=("green",)), "does not offer 'green'; it offers 'red', 'blue'"),
        (Answer(action=Action.ACCEPT, choices=("red", "blue")), "one choice only"),
        (Answer(action=Action.ACCEPT), "Give a text or choices"),
        (Answer(action=Action.ACCEPT, text="green"), "takes its choices only"),
        (Answer(action=Action.DECLINE, choices=("red",)), "with decline nothing is chosen"),
    ],
)
def test_an_answer_has_to_fit(answer: Answer, fault: str) -> None:
    with pytest.raises(InvalidAnswer, match=fault):
        answer.checked(WHICH.model_copy(update={"free_text": False}))


def test_answers_that_fit() -> None:
    for answer in (RED, Answer(action=Action.ACCEPT, text="green"), Answer(action=Action.CANCEL)):
        assert answer.checked(WHICH) is answer
    both = Answer(action=Action.ACCEPT, choices=("red", "blue"), text="or green")
    assert both.checked(WHICH.model_copy(update={"several": True})).words == "red, blue\nor green"


def test_the_skills_rules_fill_in_what_a_question_leaves_open() -> None:
    rules = QuestionRules(choices=(Choice(label="yes"), Choice(label="no")), free_text=False, default=("no",))
    question = filled(Question(text="Go on?"), rules)
    assert [choice.label for choice in question.choices] == ["yes", "no"]
    assert question.answered_by_default() == Answer(action=Action.ACCEPT, choices=("no",), by=Turn.DEFAULT)
    other = filled(Question(text="Go on?", choices=(Choice(label="maybe"),)), rules)  # the rules' default is none of its choices
    assert (other.free_text, other.answered_by_default()) == (False, None)
    own = filled(Question(text="Go on?", choices=(Choice(label="maybe"),), free_text=True, default=()), rules)
    assert ([choice.label for choice in own.choices], own.free_text, own.answered_by_default()) == (["maybe"], True, None)


CHOICES = (Choice(label="red"), Choice(label="blue"))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"text": " "}, "text: is empty"),
        ({"text": "x" * 16_001}, "text: has 16,001 characters; at most 16,000"),
        ({"header": "x" * 201}, "header: has 201 characters; at most 200"),
        ({"choices": tuple(Choice(label=str(n)) for n in range(51))}, "choices: there are 51; at most 50"),
        ({"choices": (*CHOICES, *CHOICES)}, "choices: 'red' is there twice"),
        ({"choices": (Choice(label=""),)}, "choices: a label is empty"),
        ({"choices": (Choice(label="x" * 201),)}, "a label may have 200 characters"),
        ({"choices": (Choice(label="x", description="x" * 1001),)}, "a description 1,000"),
        ({"choices": CHOICES, "default": ("red", "blue")}, "default: has more than one label"),
        (
            {"choices": CHOICES, "default": ("red", "green"), "several": True},
            "default: 'green' is none of the choices; give labels",
        ),
        ({"choices": CHOICES, "default": ("green",), "free_text": False}, "'green' is none of the choices, and nothing else"),
        ({"default": (" ",)}, "default: is empty"),
        ({"default": ("x" * 16_001,)}, "default: has 16,001 characters"),
    ],
)
def test_what_cannot_be_asked(wrong: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        Question(**{"text": "Which?", **wrong})


def test_what_can_be_asked() -> None:
    most = tuple(Choice(label=f"{number:200}", description="x" * 1000) for number in range(50))
    for fine in (
        {"text": "x" * 16_000, "header": "x" * 200, "choices": most},
        {"choices": CHOICES, "default": ("red", "blue"), "several": True, "free_text": False},
        {"choices": CHOICES, "default": ("green",)},
        {"free_text": False, "default": ("anything",)},
    ):
        question = Question(**{"text": "Which?", **fine})
        default = question.answered_by_default()
        assert default is None or default.checked(question)


def test_a_question_that_the_rules_contradict_fails_its_task(state_dir: Path) -> None:
    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        rules = QuestionRules(choices=CHOICES, free_text=False)
        raise AssertionError(filled(Question(text="Which?", default=("green",)), rules))
        yield

    async def story() -> None:
        async with running(parts(state_dir, works={"noop": work})) as here:
            done = await ended(here, await submit(here))
            assert done.error and done.error.type == "invalid-question"
            assert done.error.detail.startswith(
                "'Which?', with what the skill says of all its questions: default: 'green' is none"
            )

    asyncio.run(story())
