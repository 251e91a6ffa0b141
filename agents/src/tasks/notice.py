"""The noun: word of one event, on its way to the callback of the event's task."""

from dataclasses import dataclass
from enum import StrEnum

from agents.src.tasks.event import Event, EventType
from agents.src.tasks.question import Turn


class NoticeKind(StrEnum):
    """What a callback is told of."""

    COMPLETED = "task.completed"
    FAILED = "task.failed"
    CANCELLED = "task.cancelled"
    ASKED = "question.asked"
    """The caller left a question open, and whoever is behind the callback may answer it."""


ENDINGS = {
    EventType.COMPLETED: NoticeKind.COMPLETED,
    EventType.FAILED: NoticeKind.FAILED,
    EventType.CANCELLED: NoticeKind.CANCELLED,
}


class NoticeState(StrEnum):
    """How far it has come."""

    WAITING = "waiting"
    """For its first attempt, or for the next."""
    DELIVERED = "delivered"
    """It was answered with 2xx."""
    GIVEN_UP = "given_up"
    """It was not, however often it was tried; or the answer was 410: nobody is there any more."""
    REFUSED = "refused"
    """It was to go to an address that callbacks do not go to."""
    WITHDRAWN = "withdrawn"
    """Its question no longer waits for an answer."""


@dataclass(frozen=True, slots=True)
class Notice:
    """As it stands in the outbox. Times are seconds since 1970 UTC; `at`: when the event was. `id` stays, whatever attempt.

    `attempts`: how many have begun. `last_status`: what the last one that is over was answered; None: it was not.
    """

    id: str
    task_id: str
    seq: int
    kind: NoticeKind
    question_id: str | None
    at: float
    state: NoticeState = NoticeState.WAITING
    attempts: int = 0
    due_at: float | None = None
    last_status: int | None = None


def notice_of(event: Event) -> Notice | None:
    """What a callback is told of this event, at once; None: nothing."""
    kind, question_id = ENDINGS.get(event.type), None
    if event.type is EventType.QUESTION_PASSED_ON and event.data["to"] == Turn.HUMAN:
        kind, question_id = NoticeKind.ASKED, event.data["id"]
    if kind is None:
        return None
    return Notice(f"{event.task_id}-{event.seq}", event.task_id, event.seq, kind, question_id, event.at, due_at=event.at)
