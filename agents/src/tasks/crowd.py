"""Decides whether a caller is told that their tasks are many at once. Pure: nothing is counted here."""

from dataclasses import dataclass

from agents.src.tasks.event import Draft, EventType
from agents.src.tasks.task import Task

UNREMARKABLE = 2
"""Tasks that a caller may have under way at once without a word."""
MOST_COUNTED = 100
"""Counting goes one further and no more, so that it is cheap however many there are."""


@dataclass(frozen=True, slots=True)
class Places:
    """How many tasks may run at once: of all, and of the task's skill. None: as many as there are."""

    server: int | None = None
    skill: int | None = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """Who is there before a task that has to queue: those that hold a place, and the first in the queue.

    Each of all, and of its skill.
    """

    running: int
    running_skill: int
    queued: int
    queued_skill: int


def warning_of(task: Task, others: int, places: Places, ahead: Ahead | None) -> Draft | None:
    """`others`: the tasks that its caller has queued or running besides. `ahead`: None where it runs at once."""
    if others < UNREMARKABLE:
        return None
    number = str(others + 1) if others < MOST_COUNTED else f"more than {MOST_COUNTED}"
    message = f"{task.caller} has {number} tasks under way at once, with this one."
    if ahead:
        message = f"{message} {wait_of(task, places, ahead)}".rstrip()
    return Draft(EventType.WARNING, {"code": "concurrency_warning", "message": message})


def wait_of(task: Task, places: Places, ahead: Ahead) -> str:
    """Why it waits, and behind how many; empty where there is a place for it."""
    at_least = ahead.queued > MOST_COUNTED
    if places.skill is not None and ahead.running_skill + ahead.queued_skill >= places.skill:
        return told(places.skill, f"of the skill {task.skill} ", ahead.queued_skill, at_least)
    if places.server is not None and ahead.running + ahead.queued >= places.server:
        return told(places.server, "", ahead.queued, at_least)
    return ""


def told(most: int, which: str, ahead: int, at_least: bool) -> str:
    others = f"behind {min(ahead, MOST_COUNTED)} other{'' if ahead == 1 else 's'}" if ahead else "as the next"
    few = f"1 task {which}runs" if most == 1 else f"{most} tasks {which}run"
    return f"No more than {few} at once here: it waits in the queue, {others}{' or more' if at_least else ''}."
