"""Tasks ask, people answer, pause and talk to them or do not, workers die, time passes, in any order; and what must be true.

python -m tests.rooms.life_of_questions --examples 20000 [--seed 1] [--steps 30] [--processes 2]
"""

import argparse
import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from agents.src.errors import AlreadyAnswered, AlreadyEnded, CannotPause, CannotSay, EngineFailed, NotPaused, Problem
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.steering_store import SqlSteeringStore
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import (
    Action,
    Answer,
    Answering,
    Asked,
    Claim,
    Draft,
    Ending,
    Escalation,
    Event,
    EventType,
    Hub,
    LeaseLost,
    OnCrash,
    Question,
    QuestionRules,
    QuestionState,
    Recovery,
    Response,
    Result,
    Retries,
    Run,
    Status,
    Steering,
    Task,
    Turn,
    Usage,
    Wishes,
    cancelled,
    parked,
)
from agents.src.tasks.asking import answer_of
from agents.src.tasks.event import TERMINAL
from agents.src.tasks.hearing import Hearing
from agents.src.tasks.policy import after_failure
from agents.src.tasks.run import completed
from agents.src.tasks.task import MOVES
from tests.building import NOON, Nowhere, SteppedClock, a_brief, a_task
from tests.rooms.memory.house import InlineDb

T = TypeVar("T")
LEASE = 20.0
WORKERS = ["ant", "bee"]
PEOPLE, MODEL = (Turn.CALLER, Turn.HUMAN), Turn.RESPONDER
ORDERS = [(Turn.CALLER,), (Turn.CALLER, Turn.HUMAN, Turn.RESPONDER), (Turn.HUMAN, Turn.CALLER), (Turn.RESPONDER,), ()]
HAPPENED: Counter[str] = Counter()
"""What happened in all lives of this process."""


@dataclass
class Known:
    """What must be true of a question."""

    asked: Asked
    state: QuestionState = QuestionState.PENDING
    answer: Answer | None = None


@dataclass
class Expected:
    """What must be true of a task."""

    status: Status = Status.QUEUED
    holder: str | None = None
    attempt: int = 0
    resumed: int = 0
    lease_until: float = 0.0
    run_at: float = NOON
    cancel_requested: bool = False
    converses: bool = False
    paused: bool = False
    closing: bool = False
    """Whether the run that holds it takes no more messages."""
    session: bool = False
    """Whether the next attempt goes on with what an earlier one began."""
    said: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """What the conversation that is gone on with has heard."""
    questions: dict[str, Known] = field(default_factory=dict)
    """By their keys."""
    ended: Task | None = None

    @property
    def waiting(self) -> list[Known]:
        return [known for known in self.questions.values() if known.state is QuestionState.PENDING]

    def goes_on(self, now: float) -> None:
        """After the last answer."""
        if self.status is Status.INPUT_REQUIRED and not self.waiting:
            if self.holder:
                self.status = Status.RUNNING
            else:
                self.run_at = now
                self.status = Status.INPUT_REQUIRED if self.paused else Status.QUEUED

    def begins_anew(self) -> None:
        self.session, self.kept = False, []

    def ends(self, status: Status) -> None:
        self.status, self.paused = status, False

    def withdraws(self) -> None:
        for known in self.waiting:
            known.state = QuestionState.WITHDRAWN


@dataclass
class Ear:
    """What one run has heard, as its engine is given it."""

    hearing: Hearing
    texts: list[str]


class Oracle:
    """Implements `Reach` and `Responder`."""

    def __init__(self) -> None:
        self.human_there = self.knows = True

    async def human(self, asked: Asked) -> bool:
        return self.human_there

    async def respond(self, asked: Asked, prompt: str, events: Sequence[Event]) -> Response:
        assert any(event.type is EventType.QUESTION_ASKED and event.data["id"] == asked.id for event in events)
        answer = Answer(action=Action.ACCEPT, text="so says the model", by=Turn.RESPONDER) if self.knows else None
        return Response(answer, Draft(EventType.USAGE, usage=Usage(output_tokens=1)))


class Life(RuleBasedStateMachine):
    @initialize(human=st.booleans(), responder=st.sampled_from(["none", "knows", "knows", "does not know"]))
    def open(self, human: bool, responder: str) -> None:
        self.runner = asyncio.Runner()
        self.clock, self.db, hub = SteppedClock(), InlineDb(), Hub()
        self.tasks = SqlTaskStore(self.db, hub, self.clock)
        self.questions = SqlQuestionStore(self.db, hub, self.clock)
        self.answering = Answering(self.questions, Nowhere())
        self.steering = Steering(SqlSteeringStore(self.db, hub, self.clock), Nowhere())
        self.oracle = Oracle()
        self.oracle.human_there, self.oracle.knows = human, responder == "knows"
        self.has_responder = responder != "none"
        oracle = self.oracle if self.has_responder else None
        self.escalation = Escalation(self.answering, self.tasks, hub, self.clock, self.oracle, oracle)
        self.known: dict[str, Expected] = {}
        self.runs: list[Run] = []
        self.ears: dict[str, Ear] = {}
        for retries in range(2):
            self.submit(OnCrash.REQUEUE, retries, converses=True)
        self.claim("ant", 1)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.all_is_answered_or_expires()
            self.runner.close()
            self.db.tx.connection.close()
            HAPPENED["histories"] += 1

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def holds(self, run: Run) -> bool:
        task = self.known[run.task.id]
        return (task.attempt, task.holder) == (run.task.attempt, run.worker)

    def some_run(self, which: int) -> Run:
        """Mostly one that holds its task."""
        holding = [run for run in self.runs if self.holds(run)]
        return holding[which % len(holding)] if holding and which < 5 else self.runs[which % len(self.runs)]

    def begins(self, run: Run) -> None:
        task = self.known[run.task.id]
        task.status, task.attempt, task.holder = Status.RUNNING, task.attempt + 1, run.worker
        task.lease_until = self.clock.time + LEASE
        assert not task.paused, "what is paused does not run"
        assert run.goes_on is task.session
        task.resumed += task.session
        task.session, task.closing = True, False
        assert (run.task.attempt, run.task.resumed) == (task.attempt, task.resumed)
        self.runs.append(run)
        hearing = Hearing(lambda after: self.tasks.said(run.task.id, after), run.task.said, run.task.heard)
        given = self.do(hearing.told(run.brief, goes_on=run.goes_on)).said
        self.ears[run.id] = Ear(hearing, [*(task.kept if run.goes_on else []), *given])
        for known in task.questions.values():
            if known.answer:  # what was answered is there for whoever asks again
                again = self.do(self.questions.ask(run, known.asked.key, known.asked.question, QuestionRules()))
                assert answer_of(again) == known.answer
                HAPPENED["answers found again"] += 1

    # What happens to tasks

    @rule(on_crash=st.sampled_from(OnCrash), retries=st.integers(0, 2), converses=st.booleans())
    def submit(self, on_crash: OnCrash, retries: int, *, converses: bool) -> None:
        task = a_task(created_at=self.clock.time)
        engine = "claude" if converses else "script"
        brief = a_brief(engine=engine, on_crash=on_crash, retries=Retries(max_retries=retries, initial_delay=5.0))
        self.do(self.tasks.add(task, brief))
        self.known[task.id] = Expected(run_at=self.clock.time, converses=converses)

    @precondition(lambda self: any(task.status is Status.QUEUED for task in self.known.values()))
    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        due = {which for which, task in self.known.items() if task.status is Status.QUEUED and task.run_at <= self.clock.time}
        claimed = self.do(self.tasks.claim(Claim(worker, self.clock.time + LEASE), limit)).runs
        assert len(claimed) == min(limit, len(due)) and {run.task.id for run in claimed} <= due
        for run in claimed:
            self.begins(run)

    @precondition(lambda self: self.runs)
    @rule(
        which=st.integers(0, 4),
        keys=st.sampled_from(["a", "b", "ab", "abc"]),
        order=st.sampled_from(ORDERS[:4]),
        default=st.booleans(),
    )
    def ask_several(self, which: int, keys: str, order: tuple[Turn, ...], default: bool) -> None:
        if any(self.holds(run) for run in self.runs):
            run = self.some_run(which)
            for key in keys:
                question = Question(text=f"What of {key}?", default=("nothing",) if default else ())
                self.asks(run, key, question, QuestionRules(ask=order, deadline=60.0))

    @precondition(lambda self: self.runs)
    @rule(
        which=st.integers(0, 5),
        key=st.sampled_from(["a", "b", "c"]),
        order=st.sampled_from(ORDERS),
        deadline=st.sampled_from([60.0, 600.0, None]),
        default=st.booleans(),
    )
    def ask(self, which: int, key: str, order: tuple[Turn, ...], deadline: float | None, default: bool) -> None:
        question = Question(text=f"What of {key}?", default=("nothing",) if default else ())
        self.asks(self.some_run(which), key, question, QuestionRules(ask=order, deadline=deadline))

    def asks(self, run: Run, key: str, question: Question, rules: QuestionRules) -> None:
        task = self.known[run.task.id]
        asking = self.questions.ask(run, key, question, rules)
        if not self.holds(run):
            with pytest.raises(LeaseLost):
                self.do(asking)
            return
        asked = self.do(asking)
        task.kept = list(self.ears[run.id].texts)  # before it asks, an engine keeps what it needs to go on
        HAPPENED["questions"] += 1
        known = task.questions.get(key)
        if known and known.state is not QuestionState.WITHDRAWN:
            assert (asked.id, asked.state) == (known.asked.id, known.state)
            return
        assert asked.state is QuestionState.PENDING and not (known and asked.id == known.asked.id), "it is asked anew"
        task.questions[key] = Known(asked)
        task.status = Status.INPUT_REQUIRED

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 5), how=st.sampled_from(["park", "park", "park", "complete", "close", "fail", "cancel"]))
    def settle(self, which: int, how: str) -> None:
        run = self.some_run(which)
        if how in ("complete", "close") and (not self.may_complete(run) or how == "close"):
            return
        endings: dict[str, Ending] = {
            "park": parked(self.ears[run.id].hearing.given),
            "complete": completed(Result(text="Done.")),
            "fail": after_failure(run, EngineFailed("No."), self.clock.time),
            "cancel": cancelled(),
        }
        settling = self.tasks.settle(run, endings[how])
        if not self.holds(run):
            with pytest.raises(LeaseLost):
                self.do(settling)
            return
        HAPPENED[how] += 1
        if how == "park":
            self.known[run.task.id].kept = list(self.ears[run.id].texts)
        self.left(self.do(settling), endings[how].status)

    def may_complete(self, run: Run) -> bool:
        """As an execution has it: not before all was heard that was said."""
        task, ear = self.known[run.task.id], self.ears[run.id]
        if not task.converses:
            return True
        hushing = self.tasks.hush(run, ear.hearing.given)
        if not self.holds(run):
            with pytest.raises(LeaseLost):
                self.do(hushing)
            return False
        if not self.do(hushing):
            assert ear.hearing.given < len(task.said)
            HAPPENED["completions refused"] += 1
            ear.hearing.more(ear.hearing.given + 1)
            ear.texts.append(self.do(ear.hearing.next()) or "")
            return False
        task.closing = True
        assert set(ear.texts) == set(task.said), "something said was lost"
        return True

    def left(self, task: Task, meant: Status) -> None:
        """A run has let go of its task."""
        expected = self.known[task.id]
        if meant is Status.QUEUED:
            expected.begins_anew()
            expected.withdraws()
            meant = Status.INPUT_REQUIRED if expected.paused else Status.QUEUED
        elif meant is Status.INPUT_REQUIRED and not expected.waiting and not expected.paused:
            meant = Status.QUEUED
        if expected.cancel_requested and not meant.ended:
            meant = Status.CANCELLED
        assert task.status is meant
        expected.status, expected.holder, expected.run_at = meant, None, task.run_at
        if meant.ended:
            expected.withdraws()
            expected.ends(meant)

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        task_id = list(self.known)[-1 - which % len(self.known)]
        expected = self.known[task_id]
        if expected.status.ended:
            with pytest.raises(AlreadyEnded):
                self.do(self.tasks.request_cancel(task_id))
            return
        expected.cancel_requested = True
        if expected.holder is None:
            expected.ends(Status.CANCELLED)
            expected.withdraws()
        assert self.do(self.tasks.request_cancel(task_id)).status is expected.status

    @rule(seconds=st.sampled_from([1.0, 6.0, 21.0, 61.0, 601.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker: str) -> None:
        mine = {run.id: run for run in self.runs if run.worker == worker and self.holds(run)}
        held = self.do(self.tasks.renew(Claim(worker, self.clock.time + LEASE), list(mine)))
        assert held == {run_id: self.wishes(run) for run_id, run in mine.items()}
        assert self.do(self.tasks.wishes(worker)) == {
            run_id: wishes for run_id, run in mine.items() if (wishes := self.wishes(run)) != Wishes()
        }
        for run in mine.values():
            self.known[run.task.id].lease_until = self.clock.time + LEASE

    def wishes(self, run: Run) -> Wishes:
        task = self.known[run.task.id]
        return Wishes(task.cancel_requested, task.paused, len(task.said))

    @rule(gone=st.sets(st.sampled_from(WORKERS)))
    def workers_die(self, gone: set[str]) -> None:
        now = self.clock.time
        lost = {which for which, task in self.known.items() if task.holder in gone or (task.holder and task.lease_until < now)}

        async def no_processes(run: Run) -> None:
            assert run.task.id in lost

        held = {which for which in lost if self.known[which].waiting}
        settled = self.do(Recovery(self.tasks, self.clock, gone.__contains__, no_processes).recover())
        assert {task.id for task in settled} == lost
        for task in settled:
            if task.id in held and not self.known[task.id].cancel_requested:
                assert task.status is Status.INPUT_REQUIRED, "a question outlives the worker that held it"
                HAPPENED["held runs that died"] += 1
                self.left(task, Status.INPUT_REQUIRED)
            else:
                self.left(task, task.status if task.status.ended else Status.QUEUED)

    # Their callers

    def some_task(self, which: int) -> tuple[str, Expected]:
        """Rather one that a run holds and that can be spoken to."""
        task_id = sorted(self.known, key=lambda each: (bool(self.known[each].holder and self.known[each].converses), each))[
            -1 - which % len(self.known)
        ]
        return task_id, self.known[task_id]

    def refused(self, asking: Coroutine[Any, Any, Task], kind: type[Problem]) -> None:
        HAPPENED[kind.slug()] += 1
        with pytest.raises(kind):
            self.do(asking)

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5))
    def pause(self, which: int) -> None:
        task_id, task = self.some_task(which)
        pausing = self.steering.pause(task_id)
        if task.status.ended:
            self.refused(pausing, AlreadyEnded)
        elif task.cancel_requested or (task.holder and not task.converses):
            self.refused(pausing, CannotPause)
        else:
            HAPPENED[f"pauses of {'held' if task.holder else task.status}"] += not task.paused
            task.paused = True
            if not task.holder:
                task.status = Status.INPUT_REQUIRED
            assert self.do(pausing).status is task.status

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5))
    def resume(self, which: int) -> None:
        task_id, task = self.some_task(which)
        resuming = self.steering.resume(task_id)
        if task.status.ended:
            self.refused(resuming, AlreadyEnded)
        elif not task.paused:
            self.refused(resuming, NotPaused)
        else:
            HAPPENED["resumptions"] += 1
            task.paused = False
            if not task.holder and not task.waiting:
                task.status = Status.QUEUED
            resumed = self.do(resuming)
            assert resumed.status is task.status
            if not task.holder:
                assert resumed.run_at == max(task.run_at, self.clock.time)
                task.run_at = resumed.run_at

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5))
    def say(self, which: int) -> None:
        task_id, task = self.some_task(which)
        text = f"{len(task.said) + 1} at {self.clock.time}"
        saying = self.steering.say(task_id, text, "ada")
        if task.status.ended:
            self.refused(saying, AlreadyEnded)
        elif not task.converses or task.cancel_requested or (task.closing and task.holder):
            self.refused(saying, CannotSay)
        else:
            HAPPENED["messages"] += 1
            task.said.append(text)
            assert self.do(saying).said == len(task.said)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 4))
    def hear(self, which: int) -> None:
        run = self.some_run(which)
        wishes = self.do(self.tasks.wishes(run.worker)).get(run.id, Wishes())
        ear = self.ears[run.id]
        ear.hearing.more(wishes.said)
        if self.holds(run) and ear.hearing.given < wishes.said:
            ear.texts.append(self.do(ear.hearing.next()) or "")
            HAPPENED["heard"] += 1

    # People, and who stands in for them

    @precondition(lambda self: any(task.questions for task in self.known.values()))
    @rule(which=st.integers(0, 9), action=st.sampled_from(Action), name=st.sampled_from(["ada", "bob"]))
    def answer(self, which: int, action: Action, name: str) -> None:
        asked = [(task_id, known) for task_id, task in self.known.items() for known in task.questions.values()]
        task_id, known = asked[-1 - which % len(asked)]
        text = f"{name} at {self.clock.time}" if action is Action.ACCEPT else ""
        answer = Answer(action=action, text=text, name=name)
        answering = self.answering.answer(known.asked, answer)
        if known.answer == answer:
            assert self.do(answering).answer == answer  # its reply was lost, and it is given once more
            HAPPENED["answers given twice"] += 1
            return
        if known.state is not QuestionState.PENDING:
            with pytest.raises(AlreadyAnswered) as refused:
                self.do(answering)
            assert refused.value.members["state"] == known.state
            HAPPENED["answers that came too late"] += 1
            return
        assert self.do(answering).answer == answer
        HAPPENED["answers"] += 1
        self.is_answered(task_id, known, answer)

    def is_answered(self, task_id: str, known: Known, answer: Answer) -> None:
        known.state, known.answer = QuestionState.ANSWERED, answer
        self.known[task_id].goes_on(self.clock.time)

    @rule()
    def those_who_are_asked_change(self) -> None:
        async def pass_on() -> None:
            await self.escalation.round()
            while self.escalation._responding:
                await asyncio.gather(*self.escalation._responding)

        self.do(pass_on())
        for task_id, task in self.known.items():
            for known in task.waiting:
                self.learn(task_id, task, known)

    def learn(self, task_id: str, task: Expected, known: Known) -> None:
        """What the round did with a question that was pending."""
        asked = self.do(self.questions.get(known.asked.id))
        assert asked.turn >= known.asked.turn
        if asked.state is QuestionState.PENDING:
            assert asked.due_at is None or asked.due_at > self.clock.time
            assert asked.whose_turn is not None
            assert (asked.whose_turn is not MODEL) and (asked.whose_turn is not Turn.HUMAN or self.oracle.human_there)
            HAPPENED["passed on"] += asked.turn > known.asked.turn
            known.asked = asked
        elif asked.state is QuestionState.ANSWERED:
            assert asked.answer
            if asked.answer.by is Turn.DEFAULT:
                assert asked.question.default
            else:
                assert asked.answer.by is MODEL and self.has_responder and MODEL in asked.turns
            HAPPENED[f"answered by the {asked.answer.by}"] += 1
            self.is_answered(task_id, known, asked.answer)
        else:
            self.is_expired(task, known, asked)

    def is_expired(self, task: Expected, known: Known, asked: Asked) -> None:
        if asked.state is QuestionState.EXPIRED:
            assert not asked.question.default
            HAPPENED["expired"] += 1
        known.state = asked.state
        if task.holder is None:
            task.ends(Status.FAILED)
        elif not task.waiting:
            task.status = Status.RUNNING

    # What is always true

    @invariant()
    def every_task_is_as_it_must_be(self) -> None:
        for task_id, expected in getattr(self, "known", {}).items():
            if expected.ended:
                continue  # nothing moves any more; `all_is_answered_or_expires` looks once more
            task = self.do(self.tasks.get(task_id))
            assert (task.status, task.attempt, task.resumed) == (expected.status, expected.attempt, expected.resumed)
            assert task.waiting == len(expected.waiting)
            assert (task.paused, task.said) == (expected.paused, len(expected.said))
            waits = task.waiting > 0 or (task.paused and expected.holder is None)
            assert (task.status is Status.INPUT_REQUIRED) == waits, "it waits for what nobody was asked"
            for known in expected.questions.values():
                asked = self.do(self.questions.get(known.asked.id))
                assert (asked.state, asked.answer) == (known.state, known.answer), "an answer was lost, or another counted"
            self.log_is_whole(task)
            if task.status.ended:
                expected.ended = task

    def log_is_whole(self, task: Task) -> None:
        log = self.do(self.tasks.events(task.id, 0, 10_000))
        assert [event.seq for event in log] == list(range(1, len(log) + 1))
        assert [event.type in TERMINAL for event in log] == [False] * (len(log) - 1) + [task.status.ended]
        moves = moves_of(log)
        assert all(there in MOVES[here] for here, there in pairwise(moves) if here is not there)
        assert moves[-1] is task.status
        told = Counter(event.data["id"] for event in log if event.type is EventType.QUESTION_ASKED)
        assert set(told.values()) <= {1}
        answered = Counter(event.data["id"] for event in log if event.type is EventType.QUESTION_ANSWERED)
        assert set(answered.values()) <= {1} and answered.keys() <= told.keys()
        assert task.usage.output_tokens == sum(event.type is EventType.USAGE for event in log)

    @invariant()
    def no_task_has_two_holders(self) -> None:
        holding = [run.task.id for run in getattr(self, "runs", ()) if self.holds(run)]
        assert len(holding) == len(set(holding))

    # What must be true in the end

    def all_is_answered_or_expires(self) -> None:
        """Everything that waits is answered and resumed; then every task runs to its end, and finds each of its answers."""
        for task_id, task in self.known.items():
            for known in task.waiting:
                answer = Answer(action=Action.ACCEPT, text="at last")
                self.do(self.answering.answer(known.asked, answer))
                self.is_answered(task_id, known, answer)
        self.workers_die(set(WORKERS))
        for task_id in [task_id for task_id, task in self.known.items() if task.paused]:
            self.do(self.steering.resume(task_id))
            self.known[task_id].paused = False
        self.clock.time += 3600
        for run in self.do(self.tasks.claim(Claim("cat", self.clock.time + LEASE), 1000)).runs:
            self.begins(run)
            while not self.may_complete(run):
                pass
            self.left(self.do(self.tasks.settle(run, completed(Result()))), Status.COMPLETED)
        for task_id, expected in self.known.items():
            stands = self.do(self.tasks.get(task_id))
            assert stands.status.ended and (expected.ended is None or stands == expected.ended)


HOLDS = {EventType.STARTED: True, EventType.REQUEUED: False, EventType.PARKED: False, EventType.PAUSED: False}
STANDS_STILL = {EventType.PAUSE_REQUESTED: True, EventType.PAUSED: True, EventType.RESUMED: False}


def moves_of(log: Sequence[Event]) -> list[Status]:
    """The statuses that a log tells of, one after each event."""
    moves: list[Status] = []
    held = paused = False
    waiting = 0
    for event in log:
        held, paused = HOLDS.get(event.type, held), STANDS_STILL.get(event.type, paused)
        waiting = event.data.get("waiting", waiting + (event.type is EventType.QUESTION_ASKED))
        if event.type is EventType.REQUEUED:  # nobody is to answer what the next attempt asks anew
            waiting = 0
        if event.type in TERMINAL:
            moves.append(Status(event.type.value))
        elif held:
            moves.append(Status.INPUT_REQUIRED if waiting else Status.RUNNING)
        else:
            moves.append(Status.INPUT_REQUIRED if waiting or paused else Status.QUEUED)
    return moves


def live(examples: int, number: int, steps: int, *, shrink: bool = True) -> Counter[str]:
    """So many lives; what happened in them. Raises where something was not as it must be."""
    HAPPENED.clear()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(seed(number)(Life), settings=how)
    return Counter(HAPPENED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    share = 250
    runs = -(-wanted.examples // share)
    total: Counter[str] = Counter()
    with ProcessPoolExecutor(wanted.processes) as pool:
        seeds = range(wanted.seed * 1_000_000, wanted.seed * 1_000_000 + runs)
        for number, happened in enumerate(pool.map(live, [share] * runs, seeds, [wanted.steps] * runs), 1):
            total += happened
            if number % 10 == 0 or number == runs:
                print(f"{number * share:,} histories: {dict(total.most_common())}", flush=True)


if __name__ == "__main__":
    main()
