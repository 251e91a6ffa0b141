"""The verb: how a run asks, and waits for the answer with its process alive, for a while."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from pydantic import ValidationError

from agents.src.errors import InvalidQuestion, QuestionExpired
from agents.src.tasks.event import Event, EventType
from agents.src.tasks.hearing import Hearing
from agents.src.tasks.hub import Following, Hub
from agents.src.tasks.question import Answer, Asked, Question, QuestionRules, QuestionState
from agents.src.tasks.questions import QuestionStore
from agents.src.tasks.run import Run
from agents.src.tasks.tail import IDLE
from agents.src.tasks.time_limit import TimeLimit

CLOSES = frozenset({EventType.QUESTION_ANSWERED, EventType.QUESTION_EXPIRED})
EXPIRED = "Nobody answered in time: {text!r}. Submit the task again when somebody can, or give the question a default."


class Parked(Exception):
    """The run has waited for an answer as long as it may: its process has to end. The next one goes on."""


class Ask(Protocol):
    """How an engine asks. Raises Parked, QuestionExpired, InvalidQuestion, LeaseLost, Unavailable."""

    async def __call__(self, question: Question, key: str | None = None, *, likened: bool = False) -> Answer:
        """The answer, checked against the question. What is open in the question, the skill's rules fill in.

        `key` is the asker's own name for the question: asked again under it, also by a later attempt, it has the same answer.
        Without one it is what is asked, and how often that was before in this attempt. `likened` as in `QuestionStore.ask`.
        """

    async def heard(self) -> str | None:
        """What the caller says to the run next; None: the run is to end its processes now, keep what it needs, and raise Parked.

        Waits until there is something; may be cancelled while it does. What it gave is the engine's to hand over: it is not given
        again, unless the work begins anew.
        """


class Asking:
    """Of one run. `hold` in seconds; `flush` writes what events the run still has to write; `limit` stands still meanwhile.
    `hearing` is what its caller says.
    """

    def __init__(
        self,
        run: Run,
        store: QuestionStore,
        hub: Hub,
        hold: float,
        flush: Callable[[], Awaitable[None]],
        limit: TimeLimit,
        hearing: Hearing,
    ) -> None:
        self._run = run
        self._store = store
        self._hub = hub
        self._hold = hold
        self._flush = flush
        self._limit = limit
        self._hearing = hearing
        self._asked: Counter[str] = Counter()
        self._held: set[Following] = set()
        self.is_over = False
        """Whether all that asks is to be parked."""
        self.was_held = False
        """Whether something was being asked when that began: then a run that does not make way has left what it needs."""

    @property
    def is_held(self) -> bool:
        return bool(self._held)

    def park(self) -> None:
        """Ends the wait, and every later one."""
        self.is_over, self.was_held = True, self.is_held
        self._hearing.end()
        for following in self._held:
            following.put(())

    async def __call__(self, question: Question, key: str | None = None, *, likened: bool = False) -> Answer:
        rules = self._run.brief.questions
        question = filled(question, rules)
        if key is None:
            self._asked[question.digest] += 1
            key = f"{question.digest}:{self._asked[question.digest]}"
        asked = await self.put(question, key, rules, likened=likened)
        return answer_of(asked)

    async def put(self, question: Question, key: str, rules: QuestionRules, *, likened: bool = False) -> Asked:
        """The question as it stands once it is closed; asked as it is given. Raises Parked, LeaseLost, Unavailable."""
        await self._flush()
        with self._limit.standing_still(), self._hub.follow(self._run.task.id) as following:
            asked = await self._store.ask(self._run, key, question, rules, likened=likened)
            return await self._held_for(asked, following) if asked.state is QuestionState.PENDING else asked

    async def heard(self) -> str | None:
        return await self._hearing.next()

    async def _held_for(self, asked: Asked, following: Following) -> Asked:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._hold
        self._held.add(following)
        try:
            while asked.state is QuestionState.PENDING:
                if self.is_over or (remaining := give_up - loop.time()) <= 0:
                    raise Parked
                arrived = await following.get(min(remaining, IDLE))
                if not arrived or any(tells_of(asked.id, events) for events in arrived):
                    asked = await self._store.get(asked.id)
        finally:
            self._held.discard(following)
        return asked


def tells_of(question_id: str, events: Sequence[Event]) -> bool:
    """Whether the question may have been answered; no events are word of another process."""
    return not events or any(event.type in CLOSES and event.data["id"] == question_id for event in events)


def filled(question: Question, rules: QuestionRules) -> Question:
    """The question with what the skill's rules say of all its questions, where it says nothing itself.

    A default of the rules may be meant for other choices; then it is none. Raises InvalidQuestion where the question's own
    default is none that the rules let it have.
    """
    open_to_all = {"choices": rules.choices, "several": rules.several, "free_text": rules.free_text}
    given = open_to_all | question.model_dump(exclude_unset=True)
    with suppress(ValidationError):
        return Question(**{"default": rules.default} | given)
    try:
        return Question(**given)
    except ValidationError as error:
        why = error.errors()[0]["ctx"]["error"]
        raise InvalidQuestion(f"{question.text[:200]!r}, with what the skill says of all its questions: {why}") from None


def answer_of(asked: Asked) -> Answer:
    """Raises QuestionExpired where nobody gave one."""
    if asked.answer is None:
        raise QuestionExpired(EXPIRED.format(text=asked.question.text))
    return asked.answer


class Nobody:
    """An `Ask` where there is nobody."""

    async def __call__(self, question: Question, key: str | None = None, *, likened: bool = False) -> Answer:  # noqa: ARG002
        """Raises QuestionExpired where the question has no default."""
        if default := question.answered_by_default():
            return default
        raise QuestionExpired(f"It asked {question.text!r}, and there is nobody here who could answer.")

    async def heard(self) -> str | None:
        """Waits for ever."""
        await asyncio.Event().wait()
        return None


unanswered = Nobody()
