"""The verb: asks the next in turn where somebody did not answer in time, down to the default, or the end of the task."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import structlog

from agents.src.clock import Clock
from agents.src.errors import AlreadyAnswered, Problem, QuestionExpired, Unavailable
from agents.src.tasks.answering import Answering
from agents.src.tasks.asking import EXPIRED
from agents.src.tasks.budgets import Budgets
from agents.src.tasks.event import Event, EventType
from agents.src.tasks.hub import Hub
from agents.src.tasks.policy import failure_of
from agents.src.tasks.question import Asked, QuestionState, Turn
from agents.src.tasks.responder import Responder
from agents.src.tasks.rounds import done, due_or_woken
from agents.src.tasks.store import TaskStore
from agents.src.tasks.turns import Expire, PassOn, TakeDefault, next_step

log = structlog.get_logger()

AT_ONCE = 100
"""Questions that are looked at in one go."""
RETRY = 3.0
"""Seconds after which a round is tried again that failed."""
RESPONDING = 4
"""Questions that a responder is asked at the same time: each takes a process of its own."""
SHOWN = 50
"""Events of the task, the last ones, that a responder is shown."""
CONCERN_US = frozenset({EventType.QUESTION_ASKED, EventType.QUESTION_PASSED_ON})


class Reach(Protocol):
    """Who is there to be asked when the caller does not answer."""

    async def human(self, asked: Asked) -> bool:
        """Whether the task names a person who is told of its questions in another way."""


class Escalation:
    """Any number of processes may run it at once: each step is taken once."""

    def __init__(
        self,
        answering: Answering,
        tasks: TaskStore,
        hub: Hub,
        clock: Clock,
        reach: Reach,
        responder: Responder | None,
        budgets: Budgets | None = None,
    ) -> None:
        self._questions = answering.questions
        self._answering = answering
        self._tasks = tasks
        self._hub = hub
        self._clock = clock
        self._reach = reach
        self._responder = responder
        self._budgets = budgets
        self._task_id: str | None = None
        self._wake = asyncio.Event()
        self._responding: set[asyncio.Task[bool]] = set()
        self._places = asyncio.Semaphore(RESPONDING)
        self._loop: asyncio.Task[None] | None = None

    def open(self, task_id: str | None = None) -> None:
        """Looks after the questions of this task only, or of all."""
        self._task_id = task_id
        self._hub.listeners.append(self._heard)
        self._loop = asyncio.create_task(self._rounds())

    async def close(self) -> None:
        if self._heard in self._hub.listeners:
            self._hub.listeners.remove(self._heard)
        works: list[asyncio.Task[Any]] = [*self._responding, *([self._loop] if self._loop else [])]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

    def _heard(self, events: Sequence[Event]) -> None:
        if not events or any(event.type in CONCERN_US for event in events):
            self._wake.set()

    async def _rounds(self) -> None:
        while True:
            self._wake.clear()
            went_well = await done(self.round, otherwise="questions_not_passed_on")
            due = await self._next_due() if went_well else self._clock.now() + RETRY
            await due_or_woken(self._clock, due, self._wake)

    async def _next_due(self) -> float | None:
        due: float | None = None

        async def look() -> None:
            nonlocal due
            due = await self._questions.next_due(self._task_id)

        return due if await done(look, otherwise="questions_unreadable") else self._clock.now() + RETRY

    async def round(self) -> None:
        """Takes a step with each question whose time is over. Raises Unavailable where one has to be looked at again."""
        while overdue := await self._questions.overdue(AT_ONCE, self._task_id):
            # One at which something goes wrong keeps none of the others.
            steps = [await done(partial(self._step, asked), otherwise="question_not_passed_on") for asked in overdue]
            if not all(steps):
                raise Unavailable(f"{steps.count(False)} of {len(steps)} questions could not be passed on.")

    async def once(self) -> None:
        """One round, and what the responder says in it. For a process that is called now and then. Raises Unavailable."""
        await self.round()
        await asyncio.gather(*self._responding)

    async def _step(self, asked: Asked) -> None:
        human = Turn.HUMAN in asked.turns[asked.turn + 1 :] and await self._reach.human(asked)
        match next_step(asked, self._clock.now(), human=human, responder=self._responder is not None):
            case PassOn() as step:
                passed = await self._questions.pass_on(asked, step)
                if passed and passed.whose_turn is Turn.RESPONDER:
                    self._respond_to(passed)
            case TakeDefault(answer):
                with suppress(AlreadyAnswered):
                    await self._answering.answer(asked, answer)
            case Expire():
                await self._questions.expire(asked, failure_of(QuestionExpired(EXPIRED.format(text=asked.question.text))))

    def _respond_to(self, asked: Asked) -> None:
        work = asyncio.create_task(self._when_there_is_a_place(asked.id))
        self._responding.add(work)
        work.add_done_callback(self._responding.discard)

    async def _when_there_is_a_place(self, question_id: str) -> bool:
        async with self._places:
            return await done(partial(self.respond, question_id), otherwise="question_not_passed_on")

    async def respond(self, question_id: str) -> None:
        """Has the responder answer, where it still is its turn; where it does not, the next in turn is asked.

        Raises UnknownQuestion, Unavailable.
        """
        asked = await self._questions.get(question_id)
        if asked.state is QuestionState.PENDING and asked.whose_turn is Turn.RESPONDER and not await self._is_seen_to(asked):
            await self._step(asked)

    async def _is_spent(self, caller: str) -> bool:
        """Whether the caller, or all together, may spend nothing more today."""
        days = [await self._budgets.today(whose) for whose in (caller, None)] if self._budgets else []
        return any(day.is_spent for day in days)

    async def _is_seen_to(self, asked: Asked) -> bool:
        """Whether the responder has answered, or another process goes on from here."""
        if self._responder is None or await self._is_spent(asked.caller):
            return False
        try:
            task = await self._tasks.get(asked.task_id)
            if task.paused:  # nothing is paid for
                return False
            events = await self._tasks.last_events(asked.task_id, SHOWN)
            response = await self._responder.respond(asked, task.prompt, events)
            if response is None:
                return True
            if response.spent:
                await self._questions.charge(asked.task_id, response.spent)
            if response.answer:
                with suppress(AlreadyAnswered):
                    await self._answering.answer(asked, response.answer)
                return True
        except Problem as error:
            log.warning("responder_failed", question=asked.id, detail=error.detail)
        except Exception:  # a model's odd answer must not end the loop that all questions rest on
            log.exception("responder_broke", question=asked.id)
        return False
