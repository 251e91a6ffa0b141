"""The OpenAPI document: how problems are described, and the parts that FastAPI cannot see."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import JsonSchemaMode

from agents.src import errors
from agents.src.api.conversation_views import ExportView, MessageRequest, MessageView, RenameRequest
from agents.src.api.errors import MEDIA_TYPE, render, status_of
from agents.src.api.inbox_views import NewsView, SeenRequest
from agents.src.api.memory_views import CorrectionRequest, EntryRequest, EntryView, HitView, VerdictRequest
from agents.src.api.question_views import AnswerRequest, AnswersRequest, OutcomeView, QuestionInFull, QuestionView
from agents.src.api.steering_views import SayRequest
from agents.src.api.task_views import AcceptedView, WholeTaskView
from agents.src.api.views import EventView, SkillView, TaskView
from agents.src.errors import Problem
from agents.src.skills import SkillRequest

OPEN = {"/api/health", "/problems/{kind}"}
EXAMPLES: dict[type[Problem], str] = {
    errors.NotAuthenticated: "Send `Authorization: Bearer <token>`.",
    errors.SkillNotAllowed: "This token does not allow the skill 'planning'; it allows media-processing.",
    errors.WorkdirNotAllowed: "Tasks run in containers here, which do not see this folder. Send files with `files`.",
    errors.RaiseNotAllowed: "Only the root token may raise the token's budget. You may answer 'Stop'.",
    errors.Refused: "Only the root token may name another `?caller=`; leave it out for your own conversations.",
    errors.NotFound: "There is no such problem; there are: already-ended, budget-exhausted, …",
    errors.UnknownSkill: 'There is no skill "planing"; did you mean planning?',
    errors.UnknownTask: "There is no task of this id, or it is not yours.",
    errors.UnknownFile: "There is no file of this id, or it is not yours.",
    errors.UnknownArtifact: "The task has no artifact of this name.",
    errors.UnknownEntry: "The memory of planning has no entry a167aa41ae7e.",
    errors.UnknownLesson: "There is no lesson of this number, or it is of a skill that this token does not allow.",
    errors.UnknownQuestion: "There is no question of this id, or it is not yours.",
    errors.AlreadyAnswered: "The question was answered already, by human: SQLite",
    errors.InvalidAnswer: "choices: the question does not offer 'MySQL'; it offers 'PostgreSQL', 'SQLite'.",
    errors.UnknownConversation: "There is no conversation 'auth-system', or it is somebody else's.",
    errors.UnknownWorkdir: "There is no such folder. Make it, or correct the path.",
    errors.NameTaken: "There is a conversation named 'auth-system' already; choose another name.",
    errors.IllegalMove: "Lesson 7 is taken, not held; `agents memory review` shows those that wait.",
    errors.RevisionMoved: "The entry a167aa41ae7e is at revision 5f0c2d9a7b31e846 now. Look at it, then decide.",
    errors.RevisionRequired: 'Send `If-Match: "REV"` with the revision you have seen (`ETag` has it), or `If-Match: *`.',
    errors.InvalidMemory: "text: There is nothing in it.",
    errors.LooksSecret: "It looks like a secret (AWS Access Key), and is not shared. Keep it in a vault, and say where it lies.",
    errors.AlreadyEnded: "The task has already ended: it is completed.",
    errors.CannotPause: "It is a program, and a run of it is under way: it cannot stop and go on, only begin anew. "
    "Cancel the task, or let it end.",
    errors.NotPaused: "The task is running, and nobody has paused it.",
    errors.CannotSay: "It is a program, and reads no messages; only tasks of the claude engine do.",
    errors.TooLarge: "The body may have at most 1048576 bytes.",
    errors.UnsupportedMediaType: "Send the request as application/json.",
    errors.UnsatisfiableRange: "The file has only 5120 bytes.",
    errors.InvalidRequest: "#/task: Field required",
    errors.InvalidArguments: "The arguments do not fit the skill thumbnails: #/args/width: 0 is less than the minimum of 1.",
    errors.KeyReused: "This Idempotency-Key came with another request before; use a new key for a new request.",
    errors.RateLimited: "This token may submit 60/minute; try again in 2 s.",
    errors.InternalError: "Something went wrong here; the server's log has it as incident 4f0c62ab91de.",
    errors.Unavailable: "The database cannot be written now: database is locked.",
}
MEMBERS: dict[type[Problem], dict[str, Any]] = {
    errors.AlreadyEnded: {"task_status": "completed"},
    errors.AlreadyAnswered: {
        "state": "answered",
        "answer": {"action": "accept", "text": "", "choices": ["SQLite"], "by": "human", "name": "grace"},
    },
    errors.UnsatisfiableRange: {"size": 5120},
    errors.InvalidRequest: {"errors": [{"pointer": "#/task", "detail": "Field required"}]},
    errors.InvalidArguments: {"errors": [{"pointer": "#/args/width", "detail": "0 is less than the minimum of 1"}]},
    errors.RateLimited: {"retry_after": 1.4, "limit": 60, "period": 60},
}
EVERYWHERE = (errors.NotAuthenticated, errors.RateLimited, errors.InternalError, errors.Unavailable)


class ProblemView(BaseModel):
    """RFC 9457. Further members may follow, by type."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The kind of problem, a relative reference that this server answers.")
    title: str
    status: int
    detail: str = Field(description="What is wrong this time, and what to do.")


def header(description: str, example: str | int, always: bool = False) -> dict[str, Any]:
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "required": always, "schema": {"type": kind}, "example": example}


RATE = {
    "RateLimit-Policy": header("The token's rate: so many (`q`) in so many seconds (`w`).", '"default";q=60;w=60'),
    "RateLimit": header("What is left of it (`r`), and in how many seconds (`t`) all is back.", '"default";r=59;t=1'),
}
RETRY = header("Seconds to wait.", 2, always=True)
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": header("How to authenticate.", "Bearer", always=True)},
    416: {"Content-Range": header("The file's size.", "bytes */5120", always=True)},
    429: {"Retry-After": RETRY, **RATE},
    503: {"Retry-After": RETRY},
}


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """What to say about these problems in the OpenAPI document: one response for each status, one example for each problem."""
    responses: dict[int | str, dict[str, Any]] = {}
    for status in sorted({status_of(problem) for problem in problems}):
        kinds = [problem for problem in problems if status_of(problem) == status]
        examples = {kind.slug(): {"value": render(example_of(kind))} for kind in kinds}
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}, "examples": examples}}
        responses[status] = {"description": " ".join(kind.title() for kind in kinds), "content": content}
        if status in HEADERS:
            responses[status]["headers"] = HEADERS[status]
    return responses


def body_of(model: type[BaseModel], **examples: Any) -> dict[str, Any]:
    """How to describe a JSON body that a route reads by itself; the model is one of `own_schemas`."""
    named = {name: {"value": value} for name, value in examples.items()}
    content = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "examples": named}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def example_of(problem: type[Problem]) -> Problem:
    return problem(EXAMPLES[problem], **MEMBERS.get(problem, {}))


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document["components"]
        components["schemas"] |= own_schemas()
        components["schemas"].pop("HTTPValidationError", None)
        components["schemas"].pop("ValidationError", None)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, operations in document["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN else [{"token": []}]
                for parameter in operation.get("parameters", ()):
                    parameter["schema"] = without_null(parameter["schema"])
        app.openapi_schema = document
    return app.openapi_schema


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an optional parameter: it is left out, never sent as null."""
    kinds: list[dict[str, Any]] = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return kinds[0] | {name: value for name, value in schema.items() if name != "anyOf"}


def own_schemas() -> dict[str, Any]:
    """Schemas of what the routes read and write by themselves, and of views whose examples have nulls: FastAPI drops those."""
    schemas: dict[str, Any] = {}
    modes: dict[type[BaseModel], JsonSchemaMode] = {
        SkillRequest: "validation",
        EntryRequest: "validation",
        CorrectionRequest: "validation",
        VerdictRequest: "validation",
        AnswerRequest: "validation",
        AnswersRequest: "validation",
        MessageRequest: "validation",
        RenameRequest: "validation",
        SeenRequest: "validation",
        SayRequest: "validation",
        ProblemView: "serialization",
        EventView: "serialization",
        SkillView: "serialization",
        TaskView: "serialization",
        AcceptedView: "serialization",
        WholeTaskView: "serialization",
        NewsView: "serialization",
        EntryView: "serialization",
        HitView: "serialization",
        QuestionView: "serialization",
        QuestionInFull: "serialization",
        OutcomeView: "serialization",
        MessageView: "serialization",
        ExportView: "serialization",
    }
    for model, mode in modes.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode=mode)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    return schemas
