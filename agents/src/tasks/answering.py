"""The verb: takes an answer, whoever gives it, and sees that its task goes on."""

from dataclasses import dataclass

import structlog

from agents.src.errors import AlreadyAnswered, Problem
from agents.src.tasks.question import Answer, Asked
from agents.src.tasks.questions import QuestionStore
from agents.src.tasks.runner import Runner
from agents.src.tasks.task import Status

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answering:
    """Without a `runner`, whoever works on the queue finds the task there."""

    questions: QuestionStore
    runner: Runner | None

    async def answer(self, asked: Asked, answer: Answer) -> Asked:
        """The question as it stands then: durable, when this returns. Raises InvalidAnswer, AlreadyAnswered, UnknownQuestion."""
        try:
            answered, task = await self.questions.answer(asked.id, answer.checked(asked.question))
        except AlreadyAnswered:
            known = await self.questions.get(asked.id)
            if not known.was_answered_with(answer):
                raise
            return known
        if self.runner and task.status is Status.QUEUED:
            try:
                await self.runner.start(task)
            except Problem as error:
                # The answer is kept; recovery starts the task.
                log.warning("start_failed", task=task.id, detail=error.detail)
        return answered
