"""A run that reaches a budget: it asks, and goes on or ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.src.bootstrap import Parts
from agents.src.errors import BudgetExhausted, EngineFailed
from agents.src.settings import Rate
from agents.src.skills import SkillRequest, Token, hashed
from agents.src.tasks import (
    Action,
    Answer,
    Ask,
    Asked,
    Brief,
    Caller,
    Choice,
    ClaudeOptions,
    Draft,
    Event,
    EventType,
    Question,
    QuestionRules,
    Result,
    Status,
    Task,
    Turn,
    Usage,
    Whose,
    Workspace,
)
from agents.src.tasks.policy import after_crash
from tests.building import NOON, SteppedClock, a_skill, ended, eventually, immediately, in_process, new_id, parts, running
from tests.rooms.test_asking import parked, pending

A_DAY = 86400.0
EVENING = NOON + A_DAY / 2
STOP = Answer(action=Action.ACCEPT, choices=("Stop",))


def by(amount: str) -> Answer:
    return Answer(action=Action.ACCEPT, text=amount)


@dataclass
class Model:
    """Has so much to say, and takes `price` for each of it, over as many runs as it needs. After each it looks whether its budget
    is over, and when it ends it says what it cost: as Claude Code does."""

    answers: int = 3
    price: float = 0.4
    given: Counter[str] = field(default_factory=Counter)
    budgets: list[float | None] = field(default_factory=list)
    """What each run was allowed to spend."""
    went_on: list[bool] = field(default_factory=list)

    async def __call__(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        budget, spent, session = brief.claude.budget_usd, 0.0, workspace.session
        self.budgets.append(None if budget is None else round(budget, 6))
        self.went_on.append(workspace.goes_on)
        while self.given[session] < self.answers and (budget is None or spent < budget):
            self.given[session] += 1
            spent += self.price
        yield Draft(EventType.USAGE, {}, Usage(output_tokens=1, cost_usd=spent))
        if self.given[session] < self.answers:
            raise BudgetExhausted("All spent.")
        yield Result(text=f"{self.given[session]} answers.")


async def submit(here: Parts, caller: str = "ada", **fields: Any) -> Task:
    request = SkillRequest(skill="noop", task="Please.", **fields)
    return (await here.dispatcher.dispatch(request, Caller(caller), new_id())).task


async def log(here: Parts, task: Task, kind: EventType) -> list[Event]:
    return [event for event in await here.store.events(task.id, 0, 100) if event.type is kind]


async def asked_of(here: Parts, task: Task) -> Asked:
    [asked] = await pending(here, task)
    return asked


async def with_token(here: Parts, budget: float | None, name: str = "ada") -> None:
    await here.tokens.add(Token(name, hashed(name), None, Rate(60, 60), NOON, budget_usd=budget))


Story = Callable[[Parts, Model], Awaitable[None]]


def tell(state_dir: Path, story: Story, *, model: Model | None = None, skill: float | None = None, **more: Any) -> None:
    """On one process that can go on with what it parked. `skill`: its budget."""
    model = model or Model()
    rules = more.pop("questions", QuestionRules())

    async def live() -> None:
        noop = a_skill(engine="claude", claude=ClaudeOptions(budget_usd=skill), questions=rules)
        engines = {"claude": in_process({"noop": model}, uses_folder=True, goes_on=True)}
        here = parts(state_dir, skills=[noop], engines=engines, **more)
        async with running(here):
            await story(here, model)

    asyncio.run(live())


# The task's own


def test_without_a_budget_nothing_is_asked(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        done = await ended(here, await submit(here))
        assert (done.status, done.usage.cost_usd, done.budget_usd, model.budgets) == (Status.COMPLETED, 1.2, None, [None])

    tell(state_dir, story)


def test_within_its_budget_nothing_is_asked(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        done = await ended(here, await submit(here, budget_usd=1.5))
        assert (done.status, done.budget_usd, model.budgets) == (Status.COMPLETED, 1.5, [1.5])

    tell(state_dir, story, skill=2.0)


@pytest.mark.parametrize("hold", [60, 0])
def test_at_its_limit_it_asks_and_goes_on_once_it_is_raised(state_dir: Path, hold: float) -> None:
    async def story(here: Parts, model: Model) -> None:
        task = await submit(here)
        asked = await asked_of(here, task)
        if hold == 0:
            await parked(here, task)
        waiting = await here.store.get(task.id)
        assert (waiting.status, waiting.usage.cost_usd, waiting.budget_usd) == (Status.INPUT_REQUIRED, 0.8, 0.5)
        assert asked.question.text.startswith("It has spent $0.80 of the $0.50")
        await here.answering.answer(asked, by("0.3"))
        asked = await asked_of(here, task)  # it wants 0.40 more, and spent all of 0.30
        await here.answering.answer(asked, Answer(action=Action.ACCEPT, choices=(asked.question.choices[0].label,)))
        done = await ended(here, task)
        assert (done.status, done.usage.cost_usd, done.budget_usd) == (Status.COMPLETED, 1.6, 2.3)
        assert done.result and done.result.text == "4 answers."
        assert (model.budgets, model.went_on) == ([0.5, 0.3, 1.1], [False, True, True])
        raises = [event.data for event in await log(here, task, EventType.BUDGET_RAISED)]
        assert raises == [
            {"whose": "task", "by_usd": 0.6, "to_usd": 1.1},
            {"whose": "task", "by_usd": 1.2, "to_usd": 2.3},
        ]
        assert done.attempt == (1 if hold else 3)

    tell(state_dir, story, model=Model(answers=4), skill=0.5, question_hold_seconds=hold)


@pytest.mark.parametrize("hold", [60, 0])
@pytest.mark.parametrize("answer", [STOP, Answer(action=Action.DECLINE), Answer(action=Action.CANCEL)])
def test_it_ends_where_it_is_to_stop(state_dir: Path, answer: Answer, hold: float) -> None:
    async def story(here: Parts, model: Model) -> None:
        task = await submit(here, budget_usd=0.5)
        asked = await asked_of(here, task)
        if hold == 0:
            await parked(here, task)
        await here.answering.answer(asked, answer)
        done = await ended(here, task)
        assert done.error and (done.status, done.error.type) == (Status.FAILED, "budget-exhausted")
        assert "$0.80 of the $0.50" in done.error.detail
        assert (len(model.budgets), done.budget_usd) == (1, 0.5)

    tell(state_dir, story, question_hold_seconds=hold)


def test_where_the_skill_asks_only_somebody_who_cannot_be_reached_the_caller_is_asked(state_dir: Path) -> None:
    async def story(here: Parts, _: Model) -> None:
        task = await submit(here, budget_usd=0.5)  # without a callback

        async def is_passed_on() -> bool:
            return bool(await log(here, task, EventType.QUESTION_PASSED_ON))

        await eventually(is_passed_on)
        asked = await asked_of(here, task)
        assert asked.whose_turn is Turn.CALLER
        await here.answering.answer(asked, by("5"))
        assert (await ended(here, task)).status is Status.COMPLETED

    tell(state_dir, story, questions=QuestionRules(ask=(Turn.HUMAN, Turn.RESPONDER)))


def test_where_nobody_answers_it_stops_and_no_model_is_asked(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        task = await submit(here)
        asked = await asked_of(here, task)
        assert asked.turns == (Turn.CALLER,)
        await here.clock.advance(61)  # type: ignore[attr-defined]  # it is a SteppedClock
        done = await ended(here, task)
        assert done.error and done.error.type == "budget-exhausted"
        [answered] = await log(here, task, EventType.QUESTION_ANSWERED)
        assert (answered.data["by"], answered.data["choices"]) == ("default", ["Stop"])

    own = QuestionRules(deadline=60.0, ask=(Turn.CALLER, Turn.RESPONDER), choices=(Choice(label="yes"),), default=("yes",))
    tell(state_dir, story, skill=0.5, questions=own, clock=SteppedClock())


def test_a_retry_has_what_the_earlier_attempts_left(state_dir: Path) -> None:
    """An attempt that fails has spent what it has spent."""
    tried: list[float | None] = []

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        tried.append(brief.claude.budget_usd)
        yield Draft(EventType.USAGE, {}, Usage(cost_usd=0.4))
        if len(tried) < 3:
            raise EngineFailed("It was made to break.")
        yield Result(text="Done after all.")

    async def live() -> None:
        noop = a_skill(retries=immediately(3), claude=ClaudeOptions(budget_usd=1.0))
        async with running(parts(state_dir, works={"noop": work}, skills=[noop], goes_on=True)) as here:
            done = await ended(here, await submit(here))
            assert (done.status, tried) == (Status.COMPLETED, [1.0, 0.6, 0.2])

    asyncio.run(live())


def test_other_questions_of_the_task_are_not_taken_for_it(state_dir: Path) -> None:
    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        answer = await ask(Question(text="Go on?"))
        yield Draft(EventType.USAGE, {}, Usage(cost_usd=0.1))
        yield Result(text=answer.action.value)

    async def live() -> None:
        noop = a_skill(claude=ClaudeOptions(budget_usd=1.0))
        here = parts(state_dir, works={"noop": work}, skills=[noop], goes_on=True, question_hold_seconds=0)
        async with running(here):
            task = await submit(here)
            await parked(here, task)
            await here.answering.answer(await asked_of(here, task), Answer(action=Action.DECLINE))
            done = await ended(here, task)
            assert done.result and (done.status, done.result.text) == (Status.COMPLETED, "decline")

    asyncio.run(live())


def test_an_engine_that_stops_at_its_budget_and_spends_nothing_does_not_go_round_in_circles(state_dir: Path) -> None:
    runs: list[float | None] = []

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        runs.append(brief.claude.budget_usd)
        if len(runs) in (1, 3):
            yield Draft(EventType.USAGE, {}, Usage(cost_usd=0.1))
        raise BudgetExhausted("All spent, it says.")

    async def live() -> None:
        noop = a_skill(claude=ClaudeOptions(budget_usd=1.0))
        async with running(parts(state_dir, works={"noop": work}, skills=[noop], goes_on=True)) as here:
            done = await ended(here, await submit(here))
            assert done.error and done.error.detail == "All spent, it says."
            assert runs == [1.0, 0.9, 0.9, 0.8, 0.8, 0.8]
            assert await log(here, done, EventType.QUESTION_ASKED) == []

    asyncio.run(live())


def test_an_engine_that_cannot_go_on_is_not_held_to_budgets(state_dir: Path) -> None:
    async def live() -> None:
        model = Model()
        noop = a_skill(claude=ClaudeOptions(budget_usd=0.5))
        async with running(parts(state_dir, works={"noop": model}, skills=[noop])) as here:
            done = await ended(here, await submit(here))
            assert done.error and done.error.detail == "All spent."
            assert await log(here, done, EventType.QUESTION_ASKED) == []

    asyncio.run(live())


# Its token's, and the server's


def test_a_tokens_day_counts_all_its_tasks_and_no_others(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        await with_token(here, 2.0)
        await with_token(here, 2.0, "bob")
        assert (await ended(here, await submit(here))).usage.cost_usd == 1.2
        assert (await ended(here, await submit(here, caller="bob"))).usage.cost_usd == 1.2
        task = await submit(here)
        asked = await asked_of(here, task)
        assert asked.question.budget and asked.question.budget.whose is Whose.TOKEN
        assert "have spent $2.00 of the $2.00" in asked.question.text
        assert model.budgets == [2.0, 2.0, 0.8]
        # Another task of the token asks before it has begun; one of another token does not.
        other = await submit(here)
        await asked_of(here, other)
        assert (await ended(here, await submit(here, caller="root"))).status is Status.COMPLETED
        assert model.budgets == [2.0, 2.0, 0.8, None]
        # What is raised is raised for all tasks of that day.
        await here.answering.answer(asked, by("9"))
        await ended(here, task)
        assert model.budgets[4:] == [9.0]
        await here.answering.answer(await asked_of(here, other), by("1"))
        await ended(here, other)
        assert model.went_on[4:] == [True, False]
        assert (model.budgets[5:], (await here.budgets.today("ada")).limit_usd) == ([8.6], 11.0)
        assert await log(here, other, EventType.BUDGET_RAISED) == []

    tell(state_dir, story)


def test_the_servers_day_counts_all_tasks(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        await with_token(here, 5.0)
        for caller in ("ada", "root"):
            await ended(here, await submit(here, caller=caller))
        task = await submit(here, caller="root", budget_usd=5)
        asked = await asked_of(here, task)
        assert asked.question.budget and asked.question.budget.whose is Whose.DAY
        await here.answering.answer(asked, by("4"))
        done = await ended(here, task)
        assert (done.status, done.budget_usd, model.budgets) == (Status.COMPLETED, 5, [3.0, 1.8, 0.6, 4.0])
        assert [event.data["whose"] for event in await log(here, task, EventType.BUDGET_RAISED)] == ["day"]

    tell(state_dir, story, daily_budget_usd=3.0)


def test_the_next_day_is_free_again(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        await with_token(here, 1.0)
        first = await submit(here)
        await asked_of(here, first)
        here.clock.time += A_DAY  # type: ignore[attr-defined]
        model.answers = 2
        done = await ended(here, await submit(here))
        assert (done.status, done.usage.cost_usd, model.budgets) == (Status.COMPLETED, 0.8, [1.0, 1.0])

    tell(state_dir, story, model=Model(answers=4), clock=SteppedClock())


def test_an_answer_of_the_next_day_raises_nothing_and_lets_it_go_on(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        await with_token(here, 1.0)
        task = await submit(here)
        asked = await asked_of(here, task)
        await parked(here, task)
        here.clock.time += A_DAY / 2  # type: ignore[attr-defined]
        await here.answering.answer(asked, by("7"))
        done = await ended(here, task)
        assert (done.status, model.budgets) == (Status.COMPLETED, [1.0, 1.0])
        assert (await here.budgets.today("ada")).limit_usd == 1.0
        assert await log(here, task, EventType.BUDGET_RAISED) == []

    tell(state_dir, story, model=Model(answers=4), clock=SteppedClock(EVENING), question_hold_seconds=0)


def test_who_said_stop_is_heard_on_the_next_day_too(state_dir: Path) -> None:
    async def story(here: Parts, model: Model) -> None:
        await with_token(here, 1.0)
        task = await submit(here)
        asked = await asked_of(here, task)
        await parked(here, task)
        here.clock.time += A_DAY / 2  # type: ignore[attr-defined]
        await here.answering.answer(asked, STOP)
        done = await ended(here, task)
        assert done.error and (done.error.type, len(model.budgets)) == ("budget-exhausted", 1)

    tell(state_dir, story, model=Model(answers=4), clock=SteppedClock(EVENING), question_hold_seconds=0)


# Across processes and crashes


def test_a_task_that_was_parked_at_its_limit_goes_on_in_another_process(state_dir: Path) -> None:
    async def live() -> None:
        model, noop = Model(), a_skill(claude=ClaudeOptions(budget_usd=0.5))

        def process() -> Parts:
            return parts(state_dir, works={"noop": model}, skills=[noop], goes_on=True)

        async with running(process()) as here:
            task = await submit(here)
            await asked_of(here, task)
        async with running(process()) as there:
            asked = await asked_of(there, task)
            assert [event.type for event in await there.store.events(task.id, 0, 100)][-1] is EventType.PARKED
            await there.answering.answer(asked, by("1"))
            done = await ended(there, task)
            assert (done.status, done.attempt, model.budgets) == (Status.COMPLETED, 2, [0.5, 1.0])
            assert len(await log(there, task, EventType.QUESTION_ASKED)) == 1

    asyncio.run(live())


@pytest.mark.parametrize("kept", [False, True])
def test_a_crash_between_answer_and_raise_loses_neither_and_raises_once(state_dir: Path, kept: bool) -> None:
    """`kept`: it dies after the raise was kept, and before the work went on."""

    async def live() -> None:
        model, noop = Model(), a_skill(claude=ClaudeOptions(budget_usd=0.5))
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(
                running(parts(state_dir, works={"noop": model}, skills=[noop], goes_on=True, question_hold_seconds=0, name="one"))
            )
            task = await submit(here)
            asked = await asked_of(here, task)
            await parked(here, task)
        dead = parts(state_dir, works={"noop": model}, skills=[noop], goes_on=True, name="dead")
        await dead.answering.questions.answer(asked.id, by("1"))
        run = await dead.store.claim_one(task.id, dead.worker._underway.claim())  # type: ignore[union-attr]
        assert run and asked.question.budget
        if kept:
            await dead.budgets.raise_to(run, asked.question.budget, asked.question.budget.raised_by(1))
        await dead.close()
        async with running(parts(state_dir, works={"noop": model}, skills=[noop], goes_on=True, name="two")) as there:
            await there.store.settle(run, after_crash(run, "Its worker is gone.", there.clock.now()))
            await there.worker.start(task)  # type: ignore[union-attr]
            done = await ended(there, task)
            assert (done.status, done.budget_usd) == (Status.COMPLETED, 1.8)
            assert len(await log(there, task, EventType.BUDGET_RAISED)) == 1
            assert len(await log(there, task, EventType.QUESTION_ASKED)) == 1
            assert model.budgets == [0.5, 1.0]

    asyncio.run(live())
