"""Nobody answers: the next in turn is asked, then the default counts, then the task fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from agents.src.errors import ModelOverloaded
from agents.src.services.budget_store import SqlBudgets
from agents.src.services.database import Db
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.steering_store import SqlSteeringStore
from agents.src.tasks import (
    Action,
    Answer,
    Answering,
    Asked,
    Choice,
    Draft,
    Escalation,
    Event,
    EventType,
    Question,
    QuestionFilter,
    QuestionRules,
    QuestionState,
    Response,
    Run,
    Status,
    Turn,
    Usage,
    parked,
)
from agents.src.tasks.escalation import RESPONDING
from agents.src.tasks.turns import PATIENCE as RESPONDERS_TIME
from tests.building import NOON, PATIENCE, Nowhere, a_brief, a_task, eventually
from tests.conftest import OpenDb
from tests.contracts.test_task_store import MINE, House, a_house

GO_ON = Question(text="Go on?", choices=(Choice(label="yes"), Choice(label="no")))
CAREFUL = GO_ON.model_copy(update={"default": ("no",)})
ALL = (Turn.CALLER, Turn.HUMAN, Turn.RESPONDER)
RULES = QuestionRules(deadline=600.0, ask=ALL)
YES = Answer(action=Action.ACCEPT, choices=("yes",), by=Turn.RESPONDER)


@dataclass
class Model:
    """A responder that does what it is told: answers, cannot decide, raises, or takes until `go` is set."""

    answer: Answer | Exception | None = YES
    elsewhere: bool = False
    """Whether another process is to see to it."""
    spent: Draft | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    shown: list[tuple[str, list[EventType]]] = field(default_factory=list)

    async def respond(self, asked: Asked, prompt: str, events: Sequence[Event]) -> Response | None:
        self.shown.append((prompt, [event.type for event in events]))
        await self.go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return None if self.elsewhere else Response(self.answer, self.spent)


@dataclass
class Reachable:
    """Who is there beside the caller."""

    is_there: bool = True
    unreadable: set[str] = field(default_factory=set)
    """Ids of tasks of which that cannot be told."""

    async def human(self, asked: Asked) -> bool:
        if asked.task_id in self.unreadable:
            raise RuntimeError("Its callback cannot be read.")
        return self.is_there


@dataclass
class Office:
    """A house with the loop open in it."""

    house: House
    escalation: Escalation

    async def asked(self, question: Question = GO_ON, rules: QuestionRules = RULES, *more: Question) -> tuple[Asked, Run]:
        """A question of a task that was parked."""
        run = (await self.house.store.add(a_task(prompt="Tidy up."), a_brief(questions=rules), claim=MINE)).run
        assert run
        asked = [await self.house.questions.ask(run, f"{n}", each, rules) for n, each in enumerate((question, *more))]
        await self.house.store.settle(run, parked())
        return asked[0], run

    async def now(self, asked: Asked) -> Asked:
        return await self.house.questions.get(asked.id)

    async def until(self, asked: Asked, condition: Callable[[Asked], bool]) -> Asked:
        async def holds() -> bool:
            return condition(await self.now(asked))

        await eventually(holds)
        return await self.now(asked)

    async def turn(self, asked: Asked, turn: Turn) -> Asked:
        """The question once it is this one's turn."""
        return await self.until(asked, lambda now: now.whose_turn is turn)

    async def pass_time(self, seconds: float) -> None:
        """Once the loop has nothing left to do but to sleep."""
        await eventually(lambda: self.house.clock.sleeping == 1)
        await self.house.clock.advance(seconds)

    async def told(self, asked: Asked) -> list[tuple[EventType, str | None]]:
        """What was told of the task's questions, with whom it names."""
        events = await self.house.store.events(asked.task_id, 0, 100)
        kinds = {EventType.QUESTION_PASSED_ON: "to", EventType.QUESTION_ANSWERED: "by", EventType.QUESTION_EXPIRED: "nobody"}
        return [(event.type, event.data.get(kinds[event.type])) for event in events if event.type in kinds]


@asynccontextmanager
async def office(
    db: Db,
    *,
    human: Reachable | None = None,
    model: Model | None = None,
    beside: House | None = None,
    opened: bool = True,
    store: type[SqlQuestionStore] = SqlQuestionStore,
    daily: float | None = None,
) -> AsyncIterator[Office]:
    house = a_house(db, beside.clock if beside else None)
    house.questions = store(db, house.hub, house.clock)
    db.watch(house.hub.signal)
    answering = Answering(house.questions, Nowhere())
    budgets = SqlBudgets(db, house.hub, house.clock, daily)
    escalation = Escalation(answering, house.store, house.hub, house.clock, human or Reachable(), model, budgets)
    if opened:
        escalation.open()
    try:
        yield Office(house, escalation)
    finally:
        await escalation.close()


def tell(story: Callable[[], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE):
            await story()

    asyncio.run(live())


PASSED, ANSWERED, GONE = EventType.QUESTION_PASSED_ON, EventType.QUESTION_ANSWERED, EventType.QUESTION_EXPIRED


def test_caller_then_human_then_responder_are_asked_and_the_responder_answers(open_db: OpenDb) -> None:
    async def story() -> None:
        model = Model()
        async with office(open_db(), model=model) as here:
            asked, run = await here.asked()
            await here.pass_time(599)
            assert (await here.now(asked)).whose_turn is Turn.CALLER
            await here.pass_time(1)
            assert (await here.turn(asked, Turn.HUMAN)).due_at == NOON + 1200
            await here.pass_time(600)
            assert (await here.turn(asked, Turn.RESPONDER)).due_at == NOON + 1200 + RESPONDERS_TIME
            model.go.set()
            answered = await here.until(asked, lambda now: now.state is QuestionState.ANSWERED)
            assert answered.answer == YES
            assert await here.told(asked) == [(PASSED, "human"), (PASSED, "responder"), (ANSWERED, "responder")]
            assert (await here.house.store.get(run.task.id)).status is Status.QUEUED
            [(prompt, kinds)] = model.shown
            assert (prompt, kinds[-2:]) == ("Tidy up.", [PASSED, PASSED])

    tell(story)


def test_who_cannot_be_reached_is_passed_over(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        async with office(open_sqlite(), human=Reachable(is_there=False), model=Model()) as here:
            asked, _ = await here.asked()
            await here.pass_time(600)
            await here.turn(asked, Turn.RESPONDER)
            assert await here.told(asked) == [(PASSED, "responder")]

    tell(story)


def test_somebody_else_than_the_caller_is_asked_at_once(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        async with office(open_sqlite(), human=Reachable(is_there=False)) as here:
            asked, _ = await here.asked(rules=QuestionRules(deadline=600.0, ask=(Turn.HUMAN, Turn.RESPONDER, Turn.CALLER)))
            assert (await here.turn(asked, Turn.CALLER)).due_at == NOON + 600

    tell(story)


def test_with_nobody_left_the_default_counts_and_says_so(open_db: OpenDb) -> None:
    async def story() -> None:
        async with office(open_db(), human=Reachable(is_there=False)) as here:
            asked, run = await here.asked(CAREFUL)
            await here.pass_time(600)
            answered = await here.until(asked, lambda now: now.state is QuestionState.ANSWERED)
            assert answered.answer == Answer(action=Action.ACCEPT, choices=("no",), by=Turn.DEFAULT)
            assert await here.told(asked) == [(ANSWERED, "default")]
            assert (await here.house.store.get(run.task.id)).status is Status.QUEUED

    tell(story)


def test_without_a_default_the_task_fails_and_says_what_it_had_to_know(open_db: OpenDb) -> None:
    async def story() -> None:
        async with office(open_db(), human=Reachable(is_there=False)) as here:
            asked, run = await here.asked()
            await here.pass_time(600)
            await here.until(asked, lambda now: now.state is QuestionState.EXPIRED)
            task = await here.house.store.get(run.task.id)
            assert task.error and (task.status, task.error.type) == (Status.FAILED, "question-expired")
            assert "'Go on?'" in task.error.detail
            kinds = [kind for _, kind in await here.house.log(task.id)]
            assert kinds[-2:] == [EventType.QUESTION_EXPIRED, EventType.FAILED]

    tell(story)


def test_one_of_several_that_expires_fails_the_task_and_withdraws_the_others(open_db: OpenDb) -> None:
    async def story() -> None:
        async with office(open_db(), human=Reachable(is_there=False)) as here:
            asked, run = await here.asked(GO_ON, RULES, CAREFUL, Question(text="Where to?"))
            others = [one for one in await everything(here.house, run) if one.id != asked.id]
            await Answering(here.house.questions, None).answer(others[0], Answer(action=Action.ACCEPT, text="Home."))
            await here.pass_time(600)
            await here.until(asked, lambda now: now.state is QuestionState.EXPIRED)
            task = await here.house.store.get(run.task.id)
            assert task.error and (task.status, task.waiting, task.error.type) == (Status.FAILED, 0, "question-expired")
            states = sorted(one.state.value for one in await everything(here.house, run))
            assert states == ["answered", "expired", "withdrawn"]
            assert await here.house.questions.next_due() is None

    tell(story)


async def everything(house: House, run: Run) -> tuple[Asked, ...]:
    return (await house.questions.page(QuestionFilter(task_id=run.task.id), None, 50)).items


@pytest.mark.parametrize("answer", [None, ModelOverloaded("Later."), RuntimeError("odd"), Answer(action=Action.ACCEPT, text="x")])
@pytest.mark.parametrize("last", [True, False])
def test_a_responder_that_gives_no_answer_is_passed_over(
    open_sqlite: OpenDb, answer: Answer | Exception | None, last: bool
) -> None:
    """The last answer does not fit the question."""

    async def story() -> None:
        model = Model(answer)
        model.go.set()
        strict = GO_ON.model_copy(update={"free_text": False})
        turns = (Turn.RESPONDER,) if last else (Turn.RESPONDER, Turn.CALLER)
        async with office(open_sqlite(), model=model) as here:
            asked, run = await here.asked(strict, QuestionRules(deadline=600.0, ask=turns))
            if last:
                await here.until(asked, lambda now: now.state is QuestionState.EXPIRED)
                assert (await here.house.store.get(run.task.id)).status is Status.FAILED
            else:
                assert (await here.turn(asked, Turn.CALLER)).due_at == NOON + 600
            assert len(model.shown) == 1

    tell(story)


def test_a_responder_spends_no_more_than_a_day_has(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model(spent=Draft(EventType.USAGE, {}, Usage(cost_usd=0.5)))
        model.go.set()
        rules = QuestionRules(deadline=600.0, ask=(Turn.RESPONDER, Turn.CALLER))
        async with office(open_sqlite(), model=model, daily=0.5) as here:
            first, _ = await here.asked(rules=rules)
            await here.until(first, lambda now: now.state is QuestionState.ANSWERED)
            second, _ = await here.asked(rules=rules)
            await here.turn(second, Turn.CALLER)
            assert len(model.shown) == 1

    tell(story)


def test_while_a_task_is_paused_no_responder_is_asked(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model()
        model.go.set()
        async with office(open_sqlite(), model=model) as here:
            asked, run = await here.asked(rules=QuestionRules(deadline=600.0, ask=(Turn.CALLER, Turn.RESPONDER, Turn.HUMAN)))
            await SqlSteeringStore(here.house.db, here.house.hub, here.house.clock).pause(run.task.id)
            await here.pass_time(600)
            await here.turn(asked, Turn.HUMAN)
            assert model.shown == []

    tell(story)


def test_a_responder_that_takes_too_long_is_passed_over_and_its_answer_counts_if_it_is_the_first(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model()
        async with office(open_sqlite(), model=model) as here:
            asked, _ = await here.asked(rules=QuestionRules(deadline=600.0, ask=(Turn.RESPONDER, Turn.HUMAN)))
            await here.turn(asked, Turn.RESPONDER)
            await here.pass_time(RESPONDERS_TIME)
            await here.turn(asked, Turn.HUMAN)
            model.go.set()
            answered = await here.until(asked, lambda now: now.state is QuestionState.ANSWERED)
            assert answered.answer == YES

    tell(story)


def test_a_responder_that_comes_too_late_changes_nothing(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model()
        async with office(open_sqlite(), model=model) as here:
            asked, _ = await here.asked(rules=QuestionRules(ask=(Turn.RESPONDER,)))
            await here.turn(asked, Turn.RESPONDER)
            said = Answer(action=Action.DECLINE, by=Turn.HUMAN, name="ada")
            await Answering(here.house.questions, None).answer(asked, said)
            model.go.set()
            await eventually(lambda: not here.escalation._responding)
            assert (await here.now(asked)).answer == said

    tell(story)


def test_two_loops_at_once_take_each_step_once(open_db: OpenDb) -> None:
    async def story() -> None:
        models = Model(), Model()
        async with (
            office(open_db(), model=models[0]) as here,
            office(open_db(), model=models[1], beside=here.house, opened=False) as there,
        ):
            many = [(await here.asked(CAREFUL))[0] for _ in range(RESPONDING)]
            for seconds, turn in ((600.0, Turn.HUMAN), (600.0, Turn.RESPONDER)):
                here.house.clock.time += seconds
                await asyncio.gather(here.escalation.round(), there.escalation.round())
                assert {(await here.now(asked)).whose_turn for asked in many} == {turn}
            await eventually(lambda: len(models[0].shown) + len(models[1].shown) == len(many))
            here.house.clock.time += RESPONDERS_TIME
            await asyncio.gather(here.escalation.round(), there.escalation.round())
            for asked in many:
                assert await here.told(asked) == [(PASSED, "human"), (PASSED, "responder"), (ANSWERED, "default")]
            assert len(models[0].shown) + len(models[1].shown) == len(many)

    tell(story)


def test_what_an_answer_cost_is_the_tasks_though_there_was_none(open_db: OpenDb) -> None:
    async def story() -> None:
        spent = Draft(EventType.USAGE, {"by": "responder"}, Usage(output_tokens=7, cost_usd=0.5))
        for answer in (YES, None):
            model = Model(answer, spent=spent)
            model.go.set()
            async with office(open_db(), model=model, opened=False) as here:
                _, run = await here.asked(CAREFUL, QuestionRules(ask=(Turn.RESPONDER,)))
                await here.escalation.once()
                assert (await here.house.store.get(run.task.id)).usage == spent.usage
                kinds = [kind for _, kind in await here.house.log(run.task.id)]
                assert kinds[-3:] == [PASSED, EventType.USAGE, ANSWERED]

    tell(story)


def test_where_another_process_sees_to_it_nothing_is_done_here_until_its_time_is_over(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model(elsewhere=True)
        model.go.set()
        async with office(open_sqlite(), model=model) as here:
            asked, _ = await here.asked(CAREFUL, QuestionRules(ask=(Turn.RESPONDER,)))
            await here.turn(asked, Turn.RESPONDER)
            await eventually(lambda: bool(model.shown) and not here.escalation._responding)
            await here.pass_time(RESPONDERS_TIME - 1)
            assert await here.told(asked) == [(PASSED, "responder")]
            await here.pass_time(1)
            await here.until(asked, lambda now: now.state is QuestionState.ANSWERED)
            assert await here.told(asked) == [(PASSED, "responder"), (ANSWERED, "default")]

    tell(story)


def test_a_process_that_is_called_for_one_question_answers_it_or_has_the_next_in_turn_asked(open_db: OpenDb) -> None:
    async def story() -> None:
        for model, answers in ((Model(), "responder"), (Model(None), "default"), (None, "default")):
            if model:
                model.go.set()
            caller = Model(elsewhere=True)
            caller.go.set()
            async with (
                office(open_db(), model=caller, opened=False) as here,
                office(open_db(), model=model, beside=here.house, opened=False) as there,
            ):
                asked, _ = await here.asked(CAREFUL, QuestionRules(ask=(Turn.RESPONDER,)))
                await here.escalation.once()
                await there.escalation.respond(asked.id)
                await there.escalation.respond(asked.id)  # a call that is made again
                assert await here.told(asked) == [(PASSED, "responder"), (ANSWERED, answers)]
                assert len(model.shown if model else ()) in {0, 1}

    tell(story)


def test_no_model_is_asked_out_of_its_turn(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model()
        model.go.set()
        async with office(open_sqlite(), model=model, opened=False) as here:
            asked, _ = await here.asked()
            await here.escalation.respond(asked.id)
            assert ((await here.now(asked)).whose_turn, model.shown) == (Turn.CALLER, [])

    tell(story)


def test_only_so_many_are_asked_at_once_and_whose_time_is_over_is_not_asked_any_more(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model()
        async with office(open_sqlite(), model=model) as here:
            rules = QuestionRules(ask=(Turn.RESPONDER,))
            many = [(await here.asked(CAREFUL, rules))[0] for _ in range(RESPONDING + 2)]
            for asked in many:
                await here.turn(asked, Turn.RESPONDER)
            await eventually(lambda: len(model.shown) == RESPONDING)
            await here.pass_time(RESPONDERS_TIME)
            for asked in many:
                await here.until(asked, lambda now: now.state is QuestionState.ANSWERED)
            model.go.set()
            await eventually(lambda: not here.escalation._responding)
            assert len(model.shown) == RESPONDING

    tell(story)


def test_one_at_which_something_goes_wrong_keeps_none_of_the_others(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        human = Reachable()
        async with office(open_sqlite(), human=human) as here:
            before, broken, after = [(await here.asked())[0] for _ in range(3)]
            human.unreadable = {broken.task_id}
            await here.pass_time(600)
            await here.turn(before, Turn.HUMAN)
            await here.turn(after, Turn.HUMAN)
            assert (await here.now(broken)).whose_turn is Turn.CALLER
            human.unreadable = set()
            await here.pass_time(3)
            await here.turn(broken, Turn.HUMAN)

    tell(story)


class Counting(SqlQuestionStore):
    """Counts how often it is asked what is due."""

    asked = 0

    async def next_due(self, task_id: str | None = None) -> float | None:
        self.asked += 1
        return await super().next_due(task_id)


def test_between_two_questions_nothing_is_looked_at(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        async with office(open_sqlite(), store=Counting) as here:
            assert isinstance(here.house.questions, Counting)
            asked, _ = await here.asked()
            await eventually(lambda: here.house.clock.sleeping == 1)
            seen = here.house.questions.asked
            for _ in range(599):
                await here.house.clock.advance(1)
            assert (here.house.questions.asked, here.house.clock.sleeping) == (seen, 1)
            await here.house.clock.advance(1)
            await here.turn(asked, Turn.HUMAN)

    tell(story)


def test_a_question_that_is_due_earlier_is_not_overslept(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        async with office(open_sqlite()) as here:
            await here.asked()
            await eventually(lambda: here.house.clock.sleeping == 1)
            sooner, _ = await here.asked(rules=QuestionRules(deadline=60.0, ask=ALL))
            await eventually(lambda: sleeps_until(here, 60))
            await here.house.clock.advance(60)
            await here.turn(sooner, Turn.HUMAN)

    tell(story)


def sleeps_until(here: Office, seconds: float) -> bool:
    return any(due == NOON + seconds and not awake.done() for due, awake in here.house.clock._sleepers)


def test_a_process_that_only_looks_in_waits_for_what_the_responder_says(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        model = Model()
        model.go.set()
        async with office(open_sqlite(), model=model, opened=False) as here:
            asked, run = await here.asked(rules=QuestionRules(ask=(Turn.RESPONDER,)))
            await here.escalation.once()
            assert (await here.now(asked)).answer == YES
            assert (await here.house.store.get(run.task.id)).status is Status.QUEUED

    tell(story)


def test_of_one_task_only(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        async with office(open_sqlite(), opened=False) as here:
            mine, run = await here.asked()
            other, _ = await here.asked()
            here.escalation.open(run.task.id)
            await here.pass_time(600)
            await here.turn(mine, Turn.HUMAN)
            assert (await here.now(other)).whose_turn is Turn.CALLER

    tell(story)
