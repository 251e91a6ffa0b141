"""The noun: something that happened to a task, numbered from 1 without holes."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agents.src.memory import Lesson
from agents.src.tasks.task import NOTHING_USED, Usage


class EventType(StrEnum):
    """What happened; `docs/events.md` lists each with its data."""

    SUBMITTED = "submitted"
    STARTED = "started"
    PROGRESS = "progress"
    TEXT = "text"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    RECALLED = "recalled"
    REMEMBERED = "remembered"
    STDERR = "stderr"
    USAGE = "usage"
    WARNING = "warning"
    QUESTION_ASKED = "question_asked"
    QUESTION_PASSED_ON = "question_passed_on"
    QUESTION_ANSWERED = "question_answered"
    QUESTION_EXPIRED = "question_expired"
    BUDGET_RAISED = "budget_raised"
    PARKED = "parked"
    SAID = "said"
    PAUSE_REQUESTED = "pause_requested"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCEL_REQUESTED = "cancel_requested"
    REQUEUED = "requeued"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({EventType.COMPLETED, EventType.FAILED, EventType.CANCELLED})
FREEING = frozenset({EventType.REQUEUED, EventType.QUESTION_ANSWERED, EventType.PARKED, EventType.RESUMED})
"""After these a task may be in the queue."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a number. `usage` is what it cost; the store adds it to the task."""

    type: EventType
    data: dict[str, Any] = field(default_factory=dict)
    usage: Usage = NOTHING_USED


def remembered(lesson: Lesson, *, held: bool) -> Draft:
    """The store keeps the lesson with the event; `held`: it waits for a person to accept it."""
    data = lesson.model_dump(mode="json", exclude_defaults=True)
    return Draft(EventType.REMEMBERED, data | {"held": True} if held else data)


@dataclass(frozen=True, slots=True)
class Event:
    """An event in the log. `at` in seconds since 1970 UTC."""

    task_id: str
    seq: int
    type: EventType
    at: float
    data: dict[str, Any]
