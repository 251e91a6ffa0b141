"""The verb: sends to the callbacks of tasks what the outbox holds for them, again and again until it is taken."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from agents.src.clock import Clock
from agents.src.tasks.event import Event, EventType
from agents.src.tasks.hub import Hub
from agents.src.tasks.notice import Notice, NoticeState
from agents.src.tasks.outbox import AddressRefused, OutboxStore, Post
from agents.src.tasks.question import Asked, QuestionState
from agents.src.tasks.questions import QuestionStore
from agents.src.tasks.rounds import done, due_or_woken
from agents.src.tasks.schedule import WITHDRAWN, Verdict, refused, verdict
from agents.src.tasks.store import TaskStore
from agents.src.tasks.task import Task
from agents.src.tasks.telling import body_of

log = structlog.get_logger()

AT_ONCE = 20
"""Attempts that are under way at the same time."""
LEASE = 60.0
"""Seconds that one may take, its answer written down; whoever makes them allows less."""
RETRY = 3.0
"""Seconds after which a round is tried again that failed."""
FAREWELL = 3.0
"""Seconds that attempts under way get when the program closes. One that is cut off is made again once its lease has run out."""


@dataclass(frozen=True, slots=True)
class ByCallback:
    """Implements `Reach`: who has named a callback is told of questions there."""

    tasks: TaskStore

    async def human(self, asked: Asked) -> bool:
        return (await self.tasks.get(asked.task_id)).callback is not None


class Callbacks:
    """`spread` gives a number from 0 to 1, another one each time."""

    def __init__(
        self,
        outbox: OutboxStore,
        tasks: TaskStore,
        questions: QuestionStore,
        post: Post,
        hub: Hub,
        clock: Clock,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._tasks = tasks
        self._questions = questions
        self._post = post
        self._hub = hub
        self._clock = clock
        self._spread = spread
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[bool]] = set()
        self._loop: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._hub.listeners.append(self._heard)
        self._hub.ending_listeners.append(self._heard_ending)
        self._loop = asyncio.create_task(self._rounds())

    async def close(self) -> None:
        if self._loop:
            self._hub.listeners.remove(self._heard)
            self._hub.ending_listeners.remove(self._heard_ending)
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=FAREWELL)
            for attempt in late:
                attempt.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._post.close()

    def _heard(self, events: Sequence[Event]) -> None:
        if not events or any(event.type is EventType.QUESTION_PASSED_ON for event in events):
            self._wake.set()

    def _heard_ending(self, task: Task) -> None:
        if task.callback:
            self._wake.set()

    async def _rounds(self) -> None:
        while True:
            self._wake.clear()
            due: float | None = None

            async def begin_what_is_due() -> None:
                nonlocal due
                due = await self._begin_what_is_due()

            went_well = await done(begin_what_is_due, otherwise="callbacks_not_sent")
            await due_or_woken(self._clock, due if went_well else self._clock.now() + RETRY, self._wake)

    async def _begin_what_is_due(self) -> float | None:
        """When the next one will be; None: not before something happens."""
        while (free := AT_ONCE - len(self._sending)) > 0:
            # Looked at first: nearly always nothing is due, and a claim is a write.
            due = await self._outbox.next_due()
            if due is None or due > self._clock.now():
                return due
            for notice in await self._claim(free):
                attempt = asyncio.create_task(self._attempt(notice))
                self._sending.add(attempt)
                attempt.add_done_callback(self._is_over)
        return None

    def _is_over(self, attempt: "asyncio.Task[bool]") -> None:
        self._sending.discard(attempt)
        self._wake.set()

    async def _claim(self, limit: int) -> tuple[Notice, ...]:
        return await self._outbox.claim(limit, self._clock.now() + LEASE)

    async def send_due(self, until: float) -> None:
        """Sends what is due, one lot after the other, and begins none after `until` (seconds since 1970 UTC).

        Raises Unavailable.
        """
        while self._clock.now() < until and (notices := await self._claim(AT_ONCE)):
            await asyncio.gather(*(self._attempt(notice) for notice in notices))

    async def _attempt(self, notice: Notice) -> bool:
        """One that breaks off is made again once its lease has run out."""
        return await done(lambda: self._send(notice), otherwise="callback_broke")

    async def _send(self, notice: Notice) -> None:
        outcome = await self._outcome(notice)
        if await self._outbox.settle(notice, outcome) and outcome.state in (NoticeState.GIVEN_UP, NoticeState.REFUSED):
            told = {"task": notice.task_id, "kind": notice.kind.value, "attempts": notice.attempts}
            log.warning(f"callback_{outcome.state}", **told, status=outcome.status, reason=outcome.reason or None)

    async def _outcome(self, notice: Notice) -> Verdict:
        task = await self._tasks.get(notice.task_id)
        asked = await self._questions.get(notice.question_id) if notice.question_id else None
        if task.callback is None or (asked and asked.state is not QuestionState.PENDING):
            return WITHDRAWN
        try:
            reply = await self._post.post(task.callback, notice.id, body_of(notice, task, asked), self._clock.now())
        except AddressRefused as refusal:
            return refused(str(refusal))
        return verdict(reply, notice.attempts, self._clock.now(), self._spread())
