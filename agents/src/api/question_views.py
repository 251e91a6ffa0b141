"""What the questions' routes send and receive, as the OpenAPI document shows it."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from agents.src.api.views import EXAMPLE_ID, ID, EventView, Moment
from agents.src.clock import iso
from agents.src.records import Frozen
from agents.src.skills import Text
from agents.src.tasks import (
    LONGEST_TEXT,
    MOST_CHOICES,
    Action,
    Answer,
    Asked,
    Budget,
    Caller,
    Choice,
    Event,
    QuestionState,
    Status,
    Task,
    Turn,
)

QUESTION_ID = ID.strip("^$")
MOST_ANSWERS = 50
EXAMPLE_QUESTION: dict[str, Any] = {
    "id": "01kagqa7d2h5m8q1t4w7y0z3b6",
    "task_id": EXAMPLE_ID,
    "skill": "planning",
    "caller": "root",
    "text": "Which database is it to be?",
    "header": "Database",
    "choices": [{"label": "PostgreSQL", "description": "A server of its own."}, {"label": "SQLite", "description": ""}],
    "several": False,
    "free_text": True,
    "default": ["SQLite"],
    "budget": None,
    "state": "pending",
    "to": "caller",
    "asked_at": "2026-01-31T09:30:20.000Z",
    "due_at": "2026-02-01T09:30:20.000Z",
    "closed_at": None,
    "answer": None,
}
EXAMPLE_ANSWERED: dict[str, Any] = {
    **EXAMPLE_QUESTION,
    "state": "answered",
    "due_at": None,
    "closed_at": "2026-01-31T09:31:00.000Z",
    "answer": {"action": "accept", "text": "", "choices": ["PostgreSQL"], "by": "caller", "name": "root"},
}
EXAMPLE_IN_FULL: dict[str, Any] = {
    **EXAMPLE_QUESTION,
    "task": {"id": EXAMPLE_ID, "skill": "planning", "task": "Create auth system plan", "status": "input_required"},
    "events": [{"seq": 2, "type": "started", "at": "2026-01-31T09:30:00.125Z", "data": {"attempt": 1}}],
}
EXAMPLE_PROBLEM: dict[str, Any] = {
    "type": "/problems/already-answered",
    "title": "The question no longer waits for an answer.",
    "status": 409,
    "detail": "The question was answered already, by human: SQLite",
    "state": "answered",
}

QuestionId = Annotated[
    str, Path(pattern=f"^{QUESTION_ID}$", description="The question's id.", examples=["01kagqa7d2h5m8q1t4w7y0z3b6"])
]
OfTask = Annotated[str | None, Query(pattern=ID, description="Only questions of this task.", examples=[EXAMPLE_ID])]
WhichStand = Annotated[QuestionState | None, Query(description="Only questions that stand there.")]
Said = Annotated[Text, Field(max_length=LONGEST_TEXT, description="The answer in words.")]
Chosen = Annotated[tuple[Text, ...], Field(max_length=MOST_CHOICES, description="Labels of the choices that are taken.")]


class AnswerRequest(Frozen):
    """What somebody does with a question."""

    action: Action = Field(description="`accept` answers, `decline` says that there will be no answer, `cancel` puts it away.")
    text: Said = ""
    choices: Chosen = ()

    def of(self, caller: Caller, asked: Asked) -> Answer:
        """The answer as this caller gives it."""
        by = Turn.CALLER if caller.name == asked.caller else Turn.HUMAN
        return Answer(action=self.action, text=self.text, choices=self.choices, by=by, name=caller.name)


class OneAnswer(AnswerRequest):
    """An answer, and to which question."""

    id: Annotated[str, Field(pattern=f"^{QUESTION_ID}$", description="The question's id.")]


class AnswersRequest(Frozen):
    """Several answers at once."""

    answers: Annotated[tuple[OneAnswer, ...], Field(min_length=1, max_length=MOST_ANSWERS, description="Each to another one.")]


class AnswerView(BaseModel):
    """What was answered."""

    action: Action
    text: str
    choices: list[str]
    by: Turn = Field(description="Who gave it: `caller`, `human`, `responder` (a model), or `default` (nobody).")
    name: str = Field(description="Under which token, or the responder's model; empty where there was none.")


class QuestionView(BaseModel):
    """Something that a task has to know."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_QUESTION, EXAMPLE_ANSWERED]})

    id: str
    task_id: str
    skill: str
    caller: str = Field(description="Who submitted the task.")
    text: str
    header: str = Field(description="A word or two for it; may be empty.")
    choices: list[Choice]
    several: bool = Field(description="Whether more than one choice may be taken.")
    free_text: bool = Field(description="Whether something else than the choices may be answered. Without choices, it may.")
    default: list[str] = Field(description="What counts in the end if nobody answers: labels, or one text; empty for nothing.")
    budget: Budget | None = Field(description="The budget that is to be raised, where that is what is asked.")
    state: QuestionState
    to: Turn | None = Field(description="Who is asked now; null while somebody is looked for.")
    asked_at: Moment
    due_at: Moment | None = Field(description="When the next in turn is asked; null for never.")
    closed_at: Moment | None = Field(description="When it was answered, or expired.")
    answer: AnswerView | None

    @classmethod
    def of(cls, asked: Asked) -> Self:
        return cls(**members(asked))


def members(asked: Asked) -> dict[str, Any]:
    return {
        **asked.question.model_dump(),
        "id": asked.id,
        "task_id": asked.task_id,
        "skill": asked.skill,
        "caller": asked.caller,
        "state": asked.state,
        "to": asked.whose_turn,
        "asked_at": iso(asked.asked_at),
        "due_at": iso(asked.due_at) if asked.due_at else None,
        "closed_at": iso(asked.answered_at) if asked.answered_at else None,
        "answer": asked.answer and asked.answer.model_dump(),
    }


class TaskOfQuestion(BaseModel):
    """The task that asks."""

    id: str
    skill: str
    task: str = Field(description="What it is to do, in its caller's words.")
    status: Status


class QuestionInFull(QuestionView):
    """A question with what somebody needs to answer it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_IN_FULL]})

    task: TaskOfQuestion
    events: list[EventView] = Field(description="What happened in the task last, in order.")

    @classmethod
    def of_task(cls, asked: Asked, task: Task, events: Sequence[Event]) -> Self:
        told = TaskOfQuestion(id=task.id, skill=task.skill, task=task.prompt, status=task.status)
        return cls(**members(asked), task=told, events=[EventView.of(event) for event in events])


class OutcomeView(BaseModel):
    """What came of one of several answers: the question as it stands, or the problem (RFC 9457) that kept it from being taken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": EXAMPLE_QUESTION["id"], "question": EXAMPLE_ANSWERED, "problem": None},
                {"id": EXAMPLE_QUESTION["id"], "question": None, "problem": EXAMPLE_PROBLEM},
            ]
        }
    )

    id: str
    question: QuestionView | None
    problem: dict[str, Any] | None


class OutcomesView(BaseModel):
    """What came of several answers, in their order."""

    items: list[OutcomeView]
