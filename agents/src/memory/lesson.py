"""The noun: what a task learned, on its way into the shared memory. The port: where it waits."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from agents.src.records import Kept


class Recalled(Kept):
    """An entry as a run was given it. `rev` is the revision it had then."""

    id: str
    text: str
    section: str = ""
    rev: str


class Act(StrEnum):
    """What a lesson does to the memory."""

    ADD = "add"
    CORRECT = "correct"
    FORGET = "forget"


class Lesson(Kept):
    """`id` and `rev` name the entry to be corrected or forgotten, as the task had it; for a new entry, `id` is its future one."""

    action: Act
    id: str
    text: str = ""
    section: str = ""
    rev: str | None = None


class LessonState(StrEnum):
    """Where a lesson stands."""

    HELD = "held"
    """Waits until a person accepts it."""
    NEW = "new"
    """Waits to be taken into the memory."""
    TAKEN = "taken"
    """The shared memory has it."""
    REJECTED = "rejected"
    """A person did not accept it, or it could not be taken; the note says why."""


ACCEPTED = "accepted"
"""The note of a lesson that a person has accepted."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A kept lesson. `number` counts all lessons of the database; `at` in seconds since 1970 UTC."""

    number: int
    task_id: str
    skill: str
    caller: str
    lesson: Lesson
    state: LessonState
    at: float
    note: str = ""


class LessonStore(Protocol):
    """Lessons come in with the event that tells of them, in the same transaction. Raises Unavailable."""

    async def waiting(self, skill: str | None = None) -> tuple[Taught, ...]:
        """The new ones, oldest first; of all skills, or of one."""

    async def held(self, skills: frozenset[str] | None = None) -> tuple[Taught, ...]:
        """Those that a person has to look at, oldest first; of these skills, or of all."""

    async def get(self, number: int) -> Taught:
        """Raises UnknownLesson."""

    async def move(self, number: int, before: LessonState, after: LessonState, note: str = "") -> Taught:
        """Raises UnknownLesson, IllegalMove where it does not stand at `before`."""


async def judge(lessons: LessonStore, number: int, *, accept: bool) -> Taught:
    """A person's word on a held lesson. Raises UnknownLesson, IllegalMove where it is not held."""
    if accept:
        return await lessons.move(number, LessonState.HELD, LessonState.NEW, ACCEPTED)
    return await lessons.move(number, LessonState.HELD, LessonState.REJECTED)
