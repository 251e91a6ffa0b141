"""What is sent and received about the inbox, as the OpenAPI document shows it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from agents.src.api.question_views import QuestionView
from agents.src.api.views import EXAMPLE_ID, ID, Moment
from agents.src.clock import iso
from agents.src.records import Frozen
from agents.src.tasks import Entry, EntryKind, Status

MOST_SEEN = 1000


class NewsView(BaseModel):
    """One entry of an inbox."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "ended",
                    "id": EXAMPLE_ID,
                    "task": EXAMPLE_ID,
                    "skill": "planning",
                    "status": "completed",
                    "summary": "The plan has six steps.",
                    "question": None,
                    "at": "2026-01-31T09:31:12.004Z",
                }
            ]
        }
    )

    kind: EntryKind
    id: str = Field(description="The task's or the question's: what to send to `/api/inbox/seen`.")
    task: str = Field(description="The task's id.")
    skill: str
    status: Status
    summary: str = Field(
        description="The first paragraph of the result or the question, or why it failed; at most 300 characters."
    )
    question: QuestionView | None
    at: Moment = Field(description="When it ended, or was asked.")

    @classmethod
    def of(cls, entry: Entry) -> "NewsView":
        return cls(
            kind=entry.kind,
            id=entry.id,
            task=entry.task_id,
            skill=entry.skill,
            status=entry.status,
            summary=entry.summary,
            question=QuestionView.of(entry.asked) if entry.asked else None,
            at=iso(entry.at),
        )


class InboxView(BaseModel):
    """What a caller has not seen. Where there is more than was asked for, it is given once these have been seen."""

    items: list[NewsView]


class SeenRequest(Frozen):
    """Which entries somebody has seen."""

    model_config = ConfigDict(strict=True)

    ids: Annotated[
        tuple[Annotated[str, Field(pattern=ID)], ...],
        Field(min_length=1, max_length=MOST_SEEN, description="Their `id`s."),
    ]


class SeenView(BaseModel):
    """How many of them were in the inbox until now."""

    seen: int
