"""Routes of the tasks room: looking, cancelling, following, fetching artifacts."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.downloads import DOWNLOADED, download
from agents.src.api.openapi import EVERYWHERE, documented
from agents.src.api.showing import all_shown, last_notice, shown
from agents.src.api.task_views import OutputView, WholeTaskView
from agents.src.api.views import Cursor, EventView, Limit, Listing, TaskId, TaskView
from agents.src.bootstrap import Parts
from agents.src.tasks import Caller, Status, Task, TaskFilter, tail

router = APIRouter(tags=["tasks"])

log = structlog.get_logger()

PING = b": ping\n\n"
RETRY = b"retry: 1000\n\n"
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
FRAME = 'id: 3\nevent: progress\ndata: {"seq":3,"type":"progress","at":"2026-01-31T09:30:01.000Z","data":{"fraction":0.4}}\n\n'
ONE_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": r"^[1-9][0-9]*$"},
        "event": {"$ref": "#/components/schemas/EventType"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/EventView"},
        },
    },
    "required": ["id", "event", "data"],
}
# OpenAPI 3.2 knows `itemSchema`; readers of earlier versions pass it over.
FRAMES = {"itemSchema": ONE_EVENT, "example": FRAME}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The events, one frame each.", "content": {"text/event-stream": FRAMES}}
}
LAST_EVENT_ID = Header(
    alias="Last-Event-ID", ge=0, le=2**31 - 1, description="As `after`, which it goes before; an EventSource sends it."
)
NAME = Path(min_length=1, max_length=200, description="As in the task's `result.artifacts`.", examples=["plan.md"])
SkillName = Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,64}$", description="Only tasks of this skill.")]


async def own_task(request: Request, task_id: TaskId, caller: Annotated[Caller, Depends(caller_of)]) -> Task:
    """A dependency: the task, if the caller may see it."""
    parts: Parts = request.app.state.parts
    task = await parts.store.get(task_id)
    if caller.sees not in (None, task.caller):
        raise errors.UnknownTask("There is no task of this id, or it is not yours.")
    return task


OwnTask = Annotated[Task, Depends(own_task)]


@router.get("/api/tasks", response_description="One page of tasks.", responses=documented(errors.InvalidRequest, *EVERYWHERE))
async def list_tasks(
    request: Request,
    caller: Annotated[Caller, Depends(caller_of)],
    status: Annotated[Status | None, Query(description="Only tasks that stand there.")] = None,
    skill: SkillName = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Listing[TaskView]:
    """The caller's tasks (the root token's: all), newest first."""
    parts: Parts = request.app.state.parts
    page = await parts.store.page(TaskFilter(caller.sees, status, skill), cursor, limit)
    return Listing(items=await all_shown(parts.outbox, page.items), next=page.next)


@router.get(
    "/api/tasks/{task_id}",
    response_description="The task.",
    responses=documented(errors.UnknownTask, errors.InvalidRequest, *EVERYWHERE),
)
async def show_task(request: Request, task: OwnTask) -> WholeTaskView:
    """One task as it stands, and what it said."""
    parts: Parts = request.app.state.parts
    notice, output = await last_notice(parts.outbox, task), await parts.store.output(task.id)
    return WholeTaskView.of(task, notice, output=OutputView.of(output))


@router.post(
    "/api/tasks/{task_id}/cancel",
    status_code=202,
    response_description="It is cancelled, or will be in a moment.",
    responses=documented(errors.UnknownTask, errors.AlreadyEnded, errors.InvalidRequest, *EVERYWHERE),
)
async def cancel_task(request: Request, task: OwnTask) -> TaskView:
    """Ends a task: a queued one at once, a running one within two seconds, with all its processes."""
    parts: Parts = request.app.state.parts
    return await shown(parts.outbox, await parts.store.request_cancel(task.id))


@router.get(
    "/api/tasks/{task_id}/events",
    responses={**STREAM, **documented(errors.UnknownTask, errors.InvalidRequest, *EVERYWHERE)},
    response_class=StreamingResponse,
)
async def follow_task(
    request: Request,
    task: OwnTask,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only events with a number above this.")] = 0,
    last_event_id: Annotated[int | None, LAST_EVENT_ID] = None,
) -> StreamingResponse:
    """The task's events from the first on, as they happen. The stream ends after `completed`, `failed` or `cancelled`."""
    parts: Parts = request.app.state.parts
    start = after if last_event_id is None else last_event_id
    return StreamingResponse(frames(parts, task.id, start), media_type="text/event-stream", headers=STREAM_HEADERS)


async def frames(parts: Parts, task_id: str, after: int) -> AsyncIterator[bytes]:
    yield RETRY
    try:
        async with aclosing(tail(parts.store, parts.hub, task_id, after)) as batches:
            async for batch in batches:
                yield b"".join([frame(EventView.of(event)) for event in batch]) if batch else PING
    except errors.Problem as error:
        # Too late for another status: the stream ends, and its reader comes back for the rest.
        log.warning("stream_broken", task=task_id, detail=error.detail)


def frame(event: EventView) -> bytes:
    return f"id: {event.seq}\nevent: {event.type.value}\ndata: {event.model_dump_json()}\n\n".encode()


@router.get(
    "/api/tasks/{task_id}/artifacts/{name}",
    responses={
        **DOWNLOADED,
        **documented(
            *(errors.UnknownTask, errors.UnknownArtifact, errors.UnsatisfiableRange, errors.InvalidRequest, *EVERYWHERE)
        ),
    },
    response_class=FileResponse,
)
async def fetch_artifact(
    request: Request,
    task: OwnTask,
    name: Annotated[str, NAME],
) -> Response:
    """A file that the task left. Understands `Range`."""
    parts: Parts = request.app.state.parts
    artifacts = task.result.artifacts if task.result else ()
    artifact = next((artifact for artifact in artifacts if artifact.name == name), None)
    if artifact is None:
        raise errors.UnknownArtifact("The task has no artifact of this name.")
    return download(await parts.files.artifact(task.id, name), name, artifact.media_type)
