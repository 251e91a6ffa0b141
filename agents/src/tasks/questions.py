"""The port: where questions are kept. Each change of one, of its task and the event that tells of it are one transaction."""

from dataclasses import dataclass
from typing import Protocol

from agents.src.tasks.event import Draft
from agents.src.tasks.question import Answer, Asked, Question, QuestionRules, QuestionState
from agents.src.tasks.run import Run
from agents.src.tasks.task import Failure, Task
from agents.src.tasks.turns import PassOn


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    """Which questions to list; None means all."""

    caller: str | None = None
    state: QuestionState | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class QuestionPage:
    """Questions, newest first, and the cursor of the next page."""

    items: tuple[Asked, ...]
    next: str | None


class QuestionStore(Protocol):
    """Times are seconds since 1970 UTC. Raises Unavailable where the database is out of reach."""

    async def ask(self, run: Run, key: str, question: Question, rules: QuestionRules, *, likened: bool = False) -> Asked:
        """Keeps a question of a run; its task waits for input. Raises LeaseLost.

        One that this task has asked under the same key is given as it stands, and nothing is asked again. `likened`: so is one
        that asked the same in an earlier attempt; for askers whose keys are new each time, and who have begun anew.
        """

    async def get(self, question_id: str) -> Asked:
        """Raises UnknownQuestion."""

    async def page(self, which: QuestionFilter, cursor: str | None, limit: int) -> QuestionPage: ...

    async def answer(self, question_id: str, answer: Answer) -> tuple[Asked, Task]:
        """The first answer counts. A task that waits for nothing else runs on, or is queued where no run holds it any more.

        Raises UnknownQuestion, AlreadyAnswered.
        """

    async def overdue(self, limit: int, task_id: str | None = None) -> tuple[Asked, ...]:
        """Pending ones whose time is over, the longest first; of one task, or of all."""

    async def next_due(self, task_id: str | None = None) -> float | None:
        """When the next pending question is due; of one task, or of all."""

    async def pass_on(self, asked: Asked, step: PassOn) -> Asked | None:
        """Gives the turn to the next; None where the question no longer stands as it is given here."""

    async def charge(self, task_id: str, spent: Draft) -> None:
        """Keeps the event of what answering for people cost, and adds it to the usage of the task, unless that has ended."""

    async def expire(self, asked: Asked, failure: Failure) -> Task | None:
        """Nobody answered. A task that no run holds fails; a run that holds it has to see to that.

        None where somebody has answered, or the turn has passed on, since the question stood as it is given here.
        """
