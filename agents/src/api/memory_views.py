"""What the memory's routes send and receive, as the OpenAPI document shows it."""

from enum import StrEnum
from typing import Annotated, Any, Self

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from agents.src.api.views import EXAMPLE_ID, Moment
from agents.src.clock import iso
from agents.src.memory import Act, Hit, LessonState, MemoryEntry, Taught
from agents.src.records import Frozen

ENTRY_ID = r"[0-9a-f]{12}(?:~[0-9a-f]{8}){0,16}"
PAGE = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
LONGEST_TEXT = 4000
LONGEST_QUERY = 2000
"""Characters."""
EXAMPLE_ENTRY: dict[str, Any] = {
    "skill": "planning",
    "id": "a167aa41ae7e",
    "text": "Use argon2, not bcrypt.",
    "section": "Passwords",
    "rev": "5f0c2d9a7b31e846",
    "source": "http",
    "author": "root",
    "sibling_of": None,
    "created_at": "2026-01-31T09:30:00.123Z",
    "changed_at": "2026-01-31T09:30:00.123Z",
}

EntryId = Annotated[
    str,
    Path(
        pattern=f"^{ENTRY_ID}$",
        description="The entry's id; that of a conflict's other side has a `~` in it.",
        examples=["a167aa41ae7e"],
    ),
]
EntrySkill = Annotated[
    str, Path(min_length=1, max_length=200, description="The skill whose memory it is.", examples=["planning"])
]
OfSkill = Annotated[
    str | None, Query(min_length=1, max_length=200, description="Only entries of this skill.", examples=["planning"])
]
MemoryCursor = Annotated[str | None, Query(pattern=PAGE, description="`next` of the page before.")]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, description="The fact, in one or a few sentences.")]


class EntryRequest(Frozen):
    """A fact that a skill is to know."""

    skill: str = Field(min_length=1, max_length=200, description="The skill's name.")
    text: Text
    section: str = Field("", max_length=200, description="The heading in memory.md that it belongs under.")


class CorrectionRequest(Frozen):
    """What an entry says from now on."""

    text: Text


class Verdict(StrEnum):
    """A person's word on what a task learned."""

    ACCEPT = "accept"
    REJECT = "reject"


class VerdictRequest(Frozen):
    """Whether what a task learned goes into the memory."""

    action: Verdict


class EntryView(BaseModel):
    """One learned fact."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ENTRY]})

    skill: str
    id: str
    text: str
    section: str = Field(description="The heading it stands under; empty for none.")
    rev: str = Field(description="The revision, as in `ETag`.")
    source: str = Field(description="From where it was written: `local`, `cloud`, `http`, or `task:` and the task's id.")
    author: str
    sibling_of: str | None = Field(description="The entry that it is in conflict with, if that is still there.")
    created_at: Moment
    changed_at: Moment

    @classmethod
    def of(cls, entry: MemoryEntry) -> Self:
        return cls(**members(entry))


def members(entry: MemoryEntry) -> dict[str, Any]:
    return {
        **entry.model_dump(include={"skill", "id", "text", "section", "rev", "source", "author"}),
        "sibling_of": entry.id.rpartition("~")[0] or None,
        "created_at": iso(entry.created_at),
        "changed_at": iso(entry.changed_at),
    }


class HitView(EntryView):
    """A found fact. Scores of different searches cannot be compared."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**EXAMPLE_ENTRY, "score": 3.2}]})

    score: float = Field(description="How well it fits; higher is better.")

    @classmethod
    def of_hit(cls, hit: Hit) -> Self:
        return cls(**members(hit.entry), score=hit.score)


class RevisionView(BaseModel):
    """What an entry said at a time."""

    rev: str
    text: str
    forgotten: bool = Field(description="Whether it was deleted with this revision; the text is then the last it had.")
    source: str
    author: str
    changed_at: Moment

    @classmethod
    def of(cls, entry: MemoryEntry) -> Self:
        kept = entry.model_dump(include={"rev", "text", "source", "author"})
        return cls(**kept, forgotten=entry.dead, changed_at=iso(entry.changed_at))


class LessonView(BaseModel):
    """What a task learned."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": 7,
                    "task_id": EXAMPLE_ID,
                    "skill": "planning",
                    "action": "add",
                    "id": "a167aa41ae7e",
                    "text": "Use argon2, not bcrypt.",
                    "section": "Passwords",
                    "state": "held",
                    "note": "",
                    "at": "2026-01-31T09:30:00.123Z",
                }
            ]
        }
    )

    number: int
    task_id: str
    skill: str
    action: Act
    id: str = Field(description="The entry that it is about, or that it will be.")
    text: str = Field(description="Empty where the entry is to be forgotten.")
    section: str
    state: LessonState
    note: str = Field(description="Why it stands there.")
    at: Moment

    @classmethod
    def of(cls, taught: Taught) -> Self:
        return cls(
            **taught.lesson.model_dump(include={"action", "id", "text", "section"}),
            number=taught.number,
            task_id=taught.task_id,
            skill=taught.skill,
            state=taught.state,
            note=taught.note,
            at=iso(taught.at),
        )
