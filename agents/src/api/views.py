"""What is sent and received, as the OpenAPI document shows it."""

from typing import Annotated, Any, Generic, Self, TypeVar, cast
from urllib.parse import quote

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from agents.src.clock import iso
from agents.src.memory import Lesson
from agents.src.skills import Skill
from agents.src.tasks import (
    Event,
    EventType,
    Failure,
    FileInfo,
    Notice,
    NoticeState,
    Status,
    Task,
    Today,
    Totals,
    Usage,
    summary_of_result,
)

T = TypeVar("T")
ID = r"^[0-9a-hjkmnp-tv-z]{26}$"
EXAMPLE_ID = "01kagq8s5c2v8m3r7x9t4n6w0z"
DATE = {"format": "date-time", "examples": ["2026-01-31T09:30:00.123Z"]}

TaskId = Annotated[str, Path(pattern=ID, description="The task's id.", examples=[EXAMPLE_ID])]
FileId = Annotated[str, Path(pattern=ID, description="The file's id.", examples=[EXAMPLE_ID])]
Cursor = Annotated[str | None, Query(pattern=ID, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Entries on a page.")]
Moment = Annotated[str, Field(json_schema_extra=DATE)]


class Listing(BaseModel, Generic[T]):
    """One page. `next` is the cursor of the page that follows, null on the last."""

    items: list[T]
    next: str | None = None


class ArtifactView(BaseModel):
    """A file that the task left."""

    name: str
    size: int = Field(description="Bytes.")
    media_type: str
    url: str = Field(description="Where to get it, relative to this server.")


class ResultView(BaseModel):
    """What came of the task."""

    text: str
    summary: str = Field(description="In a line: the engine's own, or else the first paragraph of the text.")
    data: Any = None
    artifacts: list[ArtifactView]
    remembered: list[Lesson] = Field(description="What it learned, for later tasks of the skill, in order.")


class CallbackView(BaseModel):
    """Where word of the task is sent to, and how far the last one has come. The secret is never shown."""

    url: str
    state: NoticeState | None = Field(description="Null while there was nothing to tell.")
    attempts: int
    last_status: int | None = Field(description="What the last attempt was answered; null where it was not.")

    @classmethod
    def of(cls, task: Task, notice: Notice | None) -> "CallbackView | None":
        if task.callback is None:
            return None
        url = task.callback.url
        if notice is None:
            return cls.model_construct(url=url, state=None, attempts=0, last_status=None)
        return cls.model_construct(url=url, state=notice.state, attempts=notice.attempts, last_status=notice.last_status)


class TaskView(BaseModel):
    """One request to a skill."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "skill": "planning",
                    "task": "Create auth system plan",
                    "args": {},
                    "status": "completed",
                    "result": {
                        "text": "The plan has six steps …",
                        "summary": "The plan has six steps …",
                        "data": None,
                        "artifacts": [
                            {
                                "name": "plan.md",
                                "size": 5120,
                                "media_type": "text/markdown",
                                "url": f"/api/tasks/{EXAMPLE_ID}/artifacts/plan.md",
                            }
                        ],
                        "remembered": [
                            {"action": "add", "id": "a167aa41ae7e", "text": "Use argon2, not bcrypt.", "section": "", "rev": None}
                        ],
                    },
                    "error": None,
                    "usage": {
                        "input_tokens": 5200,
                        "output_tokens": 1800,
                        "cache_read_tokens": 0,
                        "cache_creation_tokens": 0,
                        "cost_usd": 0.07,
                        "compute_seconds": 71.88,
                        "compute_usd": 0.0011,
                    },
                    "caller": "root",
                    "conversation": None,
                    "workdir": None,
                    "budget_usd": 3.0,
                    "attempt": 1,
                    "questions": 0,
                    "paused": False,
                    "priority": 0,
                    "metadata": {},
                    "created_at": "2026-01-31T09:30:00.123Z",
                    "started_at": "2026-01-31T09:30:00.125Z",
                    "finished_at": "2026-01-31T09:31:12.004Z",
                    "callback": {
                        "url": "https://example.com/hooks/tasks",
                        "state": "delivered",
                        "attempts": 1,
                        "last_status": 204,
                    },
                }
            ]
        }
    )

    id: str
    skill: str
    task: str
    args: dict[str, Any]
    status: Status
    result: ResultView | None
    error: Failure | None
    usage: Usage
    caller: str
    conversation: str | None = Field(description="The name of the conversation that it belongs to.")
    workdir: str | None = Field(description="The server's folder that it works in; null: in one of its own.")
    budget_usd: float | None = Field(description="US dollars that it may spend, as far as that was raised; null: no limit.")
    attempt: int = Field(description="How many runs have begun.")
    questions: int = Field(description="How many of its questions wait for an answer.")
    paused: bool = Field(
        description="Whether its caller has it stand still; while a run makes way, the status is not changed yet."
    )
    priority: int
    metadata: dict[str, Any]
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    callback: CallbackView | None

    @classmethod
    def of(cls, task: Task, notice: Notice | None = None, **more: Any) -> Self:
        """`notice`: the last one that its callback is to have. `more`: what is shown of it besides."""
        # Built from checked parts: validating them again would cost more than all the rest of the answer.
        view = cls.model_construct(
            id=task.id,
            skill=task.skill,
            task=task.prompt,
            args=task.args,
            status=task.status,
            result=result_of(task),
            error=task.error,
            usage=task.usage,
            caller=task.caller,
            conversation=task.conversation,
            workdir=task.workdir,
            budget_usd=task.budget_usd,
            attempt=task.attempt,
            questions=task.waiting,
            paused=task.paused,
            priority=task.priority,
            metadata=task.metadata,
            created_at=iso(task.created_at),
            started_at=iso(task.started_at) if task.started_at else None,
            finished_at=iso(task.finished_at) if task.finished_at else None,
            callback=CallbackView.of(task, notice),
            **more,
        )
        return cast("Self", view)  # pydantic's plugin for mypy says TaskView


def result_of(task: Task) -> ResultView | None:
    if task.result is None:
        return None
    artifacts = [
        ArtifactView.model_construct(
            name=artifact.name,
            size=artifact.size,
            media_type=artifact.media_type,
            url=f"/api/tasks/{task.id}/artifacts/{quote(artifact.name, safe='')}",
        )
        for artifact in task.result.artifacts
    ]
    result = task.result
    return ResultView.model_construct(
        text=result.text,
        summary=summary_of_result(result),
        data=result.data,
        artifacts=artifacts,
        remembered=list(result.remembered),
    )


class EventView(BaseModel):
    """The data of one server-sent event."""

    seq: int
    type: EventType
    at: Moment
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> "EventView":
        return cls.model_construct(seq=event.seq, type=event.type, at=iso(event.at), data=event.data)


class FileView(BaseModel):
    """A file that was handed over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": EXAMPLE_ID, "name": "clip.mov", "size": 1048576, "media_type": "video/quicktime", "sha256": "9f86d0…"}
            ]
        }
    )

    id: str
    name: str = Field(description="The safe form of the name it was given.")
    size: int = Field(description="Bytes.")
    media_type: str
    sha256: str

    @classmethod
    def of(cls, file: FileInfo) -> "FileView":
        return cls(id=file.id, name=file.name, size=file.size, media_type=file.media_type, sha256=file.sha256)


class SkillView(BaseModel):
    """One entry of the catalogue."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "planning",
                    "description": "Writes an implementation plan for a task.",
                    "engine": "claude",
                    "arguments": None,
                    "timeout": 1800,
                    "resources": {"cpu": 1.0, "memory": 2048},
                }
            ]
        }
    )

    name: str
    description: str
    engine: str
    arguments: dict[str, Any] | None = Field(description="JSON Schema of `args`; null where the skill takes none.")
    timeout: float = Field(description="Seconds that an attempt may take.")
    resources: dict[str, Any] = Field(description="What its container has, as its info.md declares it.")

    @classmethod
    def of(cls, skill: Skill, default_timeout: float) -> "SkillView":
        return cls(
            name=skill.name,
            description=skill.description,
            engine=skill.engine,
            arguments=skill.arguments,
            timeout=skill.timeout or default_timeout,
            resources=skill.resources.model_dump(mode="json", exclude_defaults=True, exclude={"secrets"}),
        )


class HealthView(BaseModel):
    """The server answers."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])


class TodayView(BaseModel):
    """What is spent in this day (UTC), and what may be."""

    day: str = Field(examples=["2026-01-31"])
    spent_usd: float
    limit_usd: float | None = Field(description="As far as it was raised for this day; null: there is no limit.")


class StatusView(BaseModel):
    """What is going on, for this caller's tasks (the root token's: all tasks)."""

    running: int
    queued: int
    by_status: dict[Status, int]
    usage: Usage
    today: TodayView = Field(description="What this caller's tasks (the root token's: all tasks) spend in a day.")
    caller: str
    version: str

    @classmethod
    def of(cls, totals: Totals, today: Today, caller: str, version: str) -> "StatusView":
        by_status = {status: totals.by_status.get(status, 0) for status in Status}
        return cls(
            running=by_status[Status.RUNNING],
            queued=by_status[Status.QUEUED],
            by_status=by_status,
            usage=totals.usage,
            today=TodayView(day=today.day, spent_usd=today.spent_usd, limit_usd=today.limit_usd),
            caller=caller,
            version=version,
        )


class ProblemKindView(BaseModel):
    """What a problem's `type` stands for."""

    type: str = Field(examples=["/problems/unknown-skill"])
    title: str = Field(examples=["The catalogue has no skill of this name."])
    status: int | None = Field(description="Null where only a failed task's `error` is of this kind.", examples=[404])
