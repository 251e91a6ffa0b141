"""Tasks are paused and resumed, and more is said to them, while runs hold them or do not."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from agents.src.bootstrap import Parts
from agents.src.errors import AlreadyEnded, CannotPause, CannotSay, InvalidRequest, ModelOverloaded, NotPaused
from agents.src.tasks import (
    Action,
    Answer,
    Ask,
    Brief,
    Draft,
    EventType,
    OnCrash,
    Parked,
    Question,
    QuestionFilter,
    Result,
    Status,
    Task,
    Workspace,
    execution,
)
from tests.building import Work, a_skill, ended, eventually, immediately, in_process, parts, running, submit

CLAUDE = a_skill(engine="claude", retries=immediately(1))
WHICH = Question(text="Which?")
RED = Answer(action=Action.ACCEPT, text="red")


def a_place(state_dir: Path, work: Work, goes_on: bool = True, **more: object) -> Parts:
    """Where an engine named claude does this work."""
    engines = {"claude": in_process({"noop": work}, uses_folder=True, goes_on=goes_on)}
    return parts(state_dir, works={"noop": work}, skills=[CLAUDE], engines=engines, **more)  # type: ignore[arg-type]


async def listening(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
    """Says what it hears until it hears "end"; what it was given before lies in its folder."""
    notes = workspace.folder / "notes"
    lines = notes.read_text().splitlines() if notes.exists() else list(brief.said_before)
    lines += brief.said
    yield Draft(EventType.TEXT, {"text": f"{workspace.run_id[-1]}: {lines}"})
    while "end" not in lines:
        text = await ask.heard()
        if text is None:
            notes.write_text("\n".join(lines))
            raise Parked
        lines.append(text)
        yield Draft(EventType.TEXT, {"text": text})
    yield Result(text=" ".join(lines))


async def deaf(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
    """Asks something, and otherwise only reads what it is given at its start."""
    notes = workspace.output / "notes"
    known = notes.read_text() if notes.exists() else ""
    notes.write_text(f"{known}[{' '.join(brief.said)}]")
    if not workspace.goes_on:
        await ask(WHICH)
    yield Result(text=notes.read_text())


def stubborn(starts: list[Brief]) -> Work:
    """Does not make way."""

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        starts.append(brief)
        yield Draft(EventType.TEXT, {"text": "I begin."})
        while await ask.heard() not in (None, "end"):
            yield Draft(EventType.TEXT, {"text": "I heard."})
        await asyncio.Event().wait()

    return work


async def told(here: Parts, task: Task) -> list[EventType]:
    return [event.type for event in await here.store.events(task.id, 0, 200)]


async def until(here: Parts, task: Task, kind: EventType, times: int = 1) -> None:
    async def is_so() -> bool:
        return (await told(here, task)).count(kind) == times

    await eventually(is_so)


async def asked_of(here: Parts, task: Task) -> str:
    """The id of its question, once there is one."""
    await until(here, task, EventType.QUESTION_ASKED)
    return (await here.questions.page(QuestionFilter(task_id=task.id), None, 1)).items[0].id


async def told_one(here: Parts) -> Task:
    """A task whose run has heard "one"."""
    task = await submit(here)
    await until(here, task, EventType.TEXT)
    await here.steering.say(task.id, "one", "ada")
    await until(here, task, EventType.TEXT, 2)
    return task


async def answer(here: Parts, question_id: str) -> None:
    await here.answering.answer(await here.questions.get(question_id), RED)


# Pause and resume


def test_a_run_makes_way_and_the_next_goes_on_where_it_was(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening)) as here:
            task = await told_one(here)
            asked = await here.steering.pause(task.id)
            assert (asked.status, asked.paused) == (Status.RUNNING, True)
            await until(here, task, EventType.PAUSED)
            paused = await here.store.get(task.id)
            assert (paused.status, paused.paused, paused.heard, paused.attempt) == (Status.INPUT_REQUIRED, True, 1, 1)
            await here.steering.say(task.id, "two", "ada")
            await here.steering.resume(task.id)
            await here.steering.say(task.id, "end", "ada")
            done = await ended(here, task)
            assert done.result and (done.status, done.result.text) == (Status.COMPLETED, "one two end")
            assert (done.attempt, done.resumed, done.paused, done.said) == (2, 1, False, 3)
            kinds = await told(here, task)
            assert [kind for kind in kinds if kind in (EventType.PAUSE_REQUESTED, EventType.PAUSED, EventType.RESUMED)] == [
                EventType.PAUSE_REQUESTED,
                EventType.PAUSED,
                EventType.RESUMED,
            ]

    asyncio.run(story())


def test_pausing_twice_is_as_once_and_what_is_not_paused_is_not_resumed(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening)) as here:
            task = await submit(here)
            with pytest.raises(NotPaused):
                await here.steering.resume(task.id)
            for _ in range(3):
                assert (await here.steering.pause(task.id)).paused
            await until(here, task, EventType.PAUSED)
            assert (await here.steering.pause(task.id)).paused
            kinds = await told(here, task)
            assert (kinds.count(EventType.PAUSE_REQUESTED), kinds.count(EventType.PAUSED)) == (1, 1)
            assert not (await here.steering.resume(task.id)).paused
            with pytest.raises(NotPaused):
                await here.steering.resume(task.id)

    asyncio.run(story())


def test_a_run_that_is_resumed_while_it_makes_way_goes_straight_on(state_dir: Path) -> None:
    gate, leaving = asyncio.Event(), asyncio.Event()

    async def slow(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        if workspace.goes_on:
            yield Result(text="On it went.")
            return
        yield Draft(EventType.TEXT, {"text": "I begin."})
        assert await ask.heard() is None
        leaving.set()
        await gate.wait()
        raise Parked

    async def story() -> None:
        async with running(a_place(state_dir, slow)) as here:
            task = await submit(here)
            await until(here, task, EventType.TEXT)
            await here.steering.pause(task.id)
            await leaving.wait()
            resumed = await here.steering.resume(task.id)
            assert (resumed.status, resumed.paused) == (Status.RUNNING, False)
            gate.set()
            done = await ended(here, task)
            assert done.result and (done.result.text, done.attempt, done.resumed) == ("On it went.", 2, 1)
            kinds = await told(here, task)
            assert EventType.PARKED in kinds and EventType.PAUSED not in kinds

    asyncio.run(story())


def test_a_run_that_is_held_by_a_question_is_paused_and_the_answer_alone_does_not_start_it(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, deaf)) as here:
            task = await submit(here)
            question_id = await asked_of(here, task)
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            await answer(here, question_id)
            answered = await here.store.get(task.id)
            assert (answered.status, answered.waiting, answered.paused) == (Status.INPUT_REQUIRED, 0, True)
            assert (await here.steering.resume(task.id)).status is Status.QUEUED
            done = await ended(here, task)
            assert (done.status, done.attempt, done.resumed) == (Status.COMPLETED, 2, 1)

    asyncio.run(story())


def test_a_task_that_is_resumed_before_it_is_answered_waits_for_the_answer(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, deaf, question_hold_seconds=0)) as here:
            task = await submit(here)
            question_id = await asked_of(here, task)
            await until(here, task, EventType.PARKED)
            assert (await here.steering.pause(task.id)).status is Status.INPUT_REQUIRED
            assert (await here.steering.resume(task.id)).status is Status.INPUT_REQUIRED
            await answer(here, question_id)
            assert (await ended(here, task)).status is Status.COMPLETED

    asyncio.run(story())


def test_pausing_uses_up_no_retry(state_dir: Path) -> None:
    tries = iter(range(10))

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        if not workspace.goes_on:
            assert await ask.heard() is None
            raise Parked
        if next(tries) == 0:
            raise ModelOverloaded("Not now.")
        yield Result(text="Done.")

    async def story() -> None:
        async with running(a_place(state_dir, work)) as here:
            task = await submit(here)
            for number in (1, 2):  # the attempt that is tried again begins anew, and is paused as well
                await until(here, task, EventType.STARTED, 2 * number - 1)
                await here.steering.pause(task.id)
                await until(here, task, EventType.PAUSED, number)
                await here.steering.resume(task.id)
            done = await ended(here, task)
            assert (done.status, done.attempt, done.resumed) == (Status.COMPLETED, 4, 2)

    asyncio.run(story())


def test_a_run_that_does_not_make_way_is_ended_and_the_task_begins_anew(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "PARKING", 0.05)
    starts: list[Brief] = []

    async def story() -> None:
        async with running(a_place(state_dir, stubborn(starts))) as here:
            task = await told_one(here)
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            assert (await told(here, task))[-2:] == [EventType.REQUEUED, EventType.PAUSED]
            paused = await here.store.get(task.id)
            assert (paused.status, paused.paused, paused.session) == (Status.INPUT_REQUIRED, True, None)
            await here.steering.resume(task.id)
            await eventually(lambda: len(starts) == 2)
            assert (starts[1].said, starts[1].said_before) == (("one",), ())
            await here.store.request_cancel(task.id)
            assert (await ended(here, task)).status is Status.CANCELLED

    asyncio.run(story())


def test_a_run_that_must_not_begin_anew_fails_where_it_does_not_make_way(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "PARKING", 0.05)

    async def story() -> None:
        engines = {"claude": in_process({"noop": stubborn([])})}
        skill = a_skill(engine="claude", on_crash=OnCrash.INTERRUPT)
        async with running(parts(state_dir, skills=[skill], engines=engines)) as here:
            task = await submit(here)
            await until(here, task, EventType.TEXT)
            await here.steering.pause(task.id)
            done = await ended(here, task)
            assert done.error and (done.error.type, done.paused) == ("interrupted", False)

    asyncio.run(story())


def test_a_run_that_is_cancelled_while_it_makes_way_is_ended_at_once(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, stubborn([]))) as here:
            task = await submit(here)
            await until(here, task, EventType.TEXT)
            await here.steering.pause(task.id)
            await here.store.request_cancel(task.id)
            with pytest.raises(CannotPause):
                await here.steering.pause(task.id)
            done = await ended(here, task)
            assert (done.status, done.paused) == (Status.CANCELLED, False)

    asyncio.run(story())


def test_a_paused_task_is_cancelled_at_once(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening)) as here:
            task = await submit(here)
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            done = await here.store.request_cancel(task.id)
            assert (done.status, done.paused) == (Status.CANCELLED, False)
            for late in (here.steering.pause(task.id), here.steering.resume(task.id), here.steering.say(task.id, "x", "ada")):
                with pytest.raises(AlreadyEnded):
                    await late

    asyncio.run(story())


def test_a_program_is_paused_only_where_no_run_of_it_is_under_way(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"noop": deaf}, uses_folder=True, question_hold_seconds=0.3)) as here:
            task = await submit(here)
            question_id = await asked_of(here, task)
            with pytest.raises(CannotPause, match="is a program"):
                await here.steering.pause(task.id)
            with pytest.raises(CannotSay, match="is a program"):
                await here.steering.say(task.id, "Hurry.", "ada")
            await until(here, task, EventType.PARKED)
            assert (await here.steering.pause(task.id)).paused
            await answer(here, question_id)
            assert (await here.store.get(task.id)).status is Status.INPUT_REQUIRED
            await here.steering.resume(task.id)
            assert (await ended(here, task)).status is Status.COMPLETED

    asyncio.run(story())


def test_another_process_pauses_and_says(state_dir: Path) -> None:
    async def story() -> None:
        other = a_place(state_dir, listening, alone=True)
        async with running(a_place(state_dir, listening)) as here:
            task = await submit(here)
            await until(here, task, EventType.TEXT)
            await other.steering.say(task.id, "one", "bob")
            await until(here, task, EventType.TEXT, 2)
            await other.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            await other.store.get(task.id)
            await other.steering.store.resume(task.id)
            await other.steering.say(task.id, "end", "bob")
            done = await ended(here, task)
            assert done.result and done.result.text == "one end"
        await other.close()

    asyncio.run(story())


def test_a_paused_task_outlives_its_server(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening)) as here:
            task = await told_one(here)
            await here.steering.pause(task.id)
            # closed while the run makes way
        async with running(a_place(state_dir, listening)) as here:
            assert (await here.store.get(task.id)).status is Status.INPUT_REQUIRED
            await here.steering.resume(task.id)
            await here.steering.say(task.id, "end", "ada")
            done = await ended(here, task)
            assert done.result and done.result.text == "one end"

    asyncio.run(story())


def test_a_runner_of_single_tasks_lets_a_paused_one_go_and_takes_it_up_again(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening, alone=True)) as here:
            assert here.solo
            task = await submit(here)
            await until(here, task, EventType.TEXT)
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            assert await here.solo.run(task.id) is None
            await here.steering.resume(task.id)
            await here.steering.say(task.id, "end", "ada")
            assert (await ended(here, task)).status is Status.COMPLETED

    asyncio.run(story())


# Say


def test_what_was_said_is_given_once_and_in_order(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening)) as here:
            task = await submit(here)
            words = [f"word{number}" for number in range(20)]
            for word in [*words, "end"]:
                await here.steering.say(task.id, word, "ada")
            done = await ended(here, task)
            assert done.result and done.result.text.split() == [*words, "end"]
            said = [event.data for event in await here.store.events(task.id, 0, 200) if event.type is EventType.SAID]
            assert said[-1] == {"text": "end", "by": "ada", "number": 21}

    asyncio.run(story())


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_task_does_not_complete_before_all_was_heard_that_was_said(state_dir: Path, goes_on: bool) -> None:
    """An engine that does not listen is run again, in the same folder, with what it missed."""

    async def story() -> None:
        async with running(a_place(state_dir, deaf, goes_on)) as here:
            task = await submit(here)
            question_id = await asked_of(here, task)
            for word in ("one", "two"):
                await here.steering.say(task.id, word, "ada")
            await answer(here, question_id)
            done = await ended(here, task)
            assert done.result and (done.result.text, done.attempt) == ("[][one two]", 1)
            assert [artifact.name for artifact in done.result.artifacts] == ["notes"]

    asyncio.run(story())


def test_an_engine_that_does_not_go_on_is_given_all_again(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening, goes_on=False)) as here:
            task = await told_one(here)
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            await here.steering.say(task.id, "end", "ada")
            await here.steering.resume(task.id)
            done = await ended(here, task)
            assert done.result and done.result.text == "one end"

    asyncio.run(story())


def test_an_attempt_that_begins_anew_is_given_all_that_was_ever_said(state_dir: Path) -> None:
    async def failing_once(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        if workspace.run_id.endswith(":1"):
            yield Draft(EventType.TEXT, {"text": "I begin."})
            assert await ask.heard() == "one"
            raise ModelOverloaded("Not now.")
        yield Result(text=" ".join(brief.said))

    async def story() -> None:
        async with running(a_place(state_dir, failing_once)) as here:
            task = await submit(here)
            await until(here, task, EventType.TEXT)
            await here.steering.say(task.id, "one", "ada")
            done = await ended(here, task)
            assert done.result and (done.result.text, done.attempt) == ("one", 2)

    asyncio.run(story())


def test_a_retry_that_comes_while_a_pause_is_asked_for_waits_for_its_resumption(state_dir: Path) -> None:
    async def failing(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        if workspace.run_id.endswith(":1"):
            yield Draft(EventType.TEXT, {"text": "I begin."})
            assert await ask.heard() is None
            raise ModelOverloaded("Not now.")
        yield Result(text="Done.")

    async def story() -> None:
        async with running(a_place(state_dir, failing)) as here:
            task = await submit(here)
            await until(here, task, EventType.TEXT)
            await here.steering.pause(task.id)
            await until(here, task, EventType.PAUSED)
            assert (await told(here, task))[-2:] == [EventType.REQUEUED, EventType.PAUSED]
            assert (await here.store.get(task.id)).attempt == 1
            await here.steering.resume(task.id)
            assert (await ended(here, task)).status is Status.COMPLETED

    asyncio.run(story())


@pytest.mark.parametrize(("text", "fault"), [(" \n", "is empty"), ("x" * 16_001, "16,001 characters")])
def test_what_cannot_be_said(state_dir: Path, text: str, fault: str) -> None:
    async def story() -> None:
        async with running(a_place(state_dir, listening)) as here:
            task = await submit(here)
            with pytest.raises(InvalidRequest, match=fault):
                await here.steering.say(task.id, text, "ada")
            await here.store.request_cancel(task.id)

    asyncio.run(story())
