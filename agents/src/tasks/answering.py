"""The verb: takes an answer, whoever gives it, and sees that its task goes on."""

from dataclasses import dataclass

from agents.src.errors import AlreadyAnswered
from agents.src.tasks.question import Answer, Asked
from agents.src.tasks.questions import QuestionStore
from agents.src.tasks.runner import Runner, get_going


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
        await get_going(self.runner, task)
        return answered
