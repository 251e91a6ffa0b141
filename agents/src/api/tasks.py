"""Routes of the tasks room: looking, cancelling, following, fetching artifacts."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.downloads import DOWNLOADED, download
from agents.src.api.errors import EVERYWHERE, documented
from agents.src.api.views import Cursor, EventView, Limit, Listing, TaskId, TaskView, views
from agents.src.bootstrap import Parts
from agents.src.tasks import Caller, Status, Task, TaskFilter, tail

router = APIRouter(tags=["tasks"])

PING = b": ping\n\n"
RETRY = b"retry: 1000\n\n"
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
FRAME = 'id: 3\nevent: progress\ndata: {"seq":3,"type":"progress","at":"2026-01-31T09:30:01.000Z","data":{"fraction":0.4}}\n\n'
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The events, one frame each.", "content": {"text/event-stream": {"example": FRAME}}}
}
SkillName = Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,64}$", description="Only tasks of this skill.")]


async def own_task(request: Request, task_id: TaskId, caller: Annotated[Caller, Depends(caller_of)]) -> Task:
    """A dependency: the task, if the caller may see it."""
    parts: Parts = request.app.state.parts
    task = await parts.store.get(task_id)
    if caller.sees not in (None, task.caller):
        raise errors.UnknownTask("There is no task of this id, or it is not yours.")
    return task


OwnTask = Annotated[Task, Depends(own_task)]


@router.get("/api/tasks", responses=documented(errors.InvalidRequest, *EVERYWHERE))
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
    return Listing(items=views(page.items), next=page.next)


@router.get("/api/tasks/{task_id}", responses=documented(errors.UnknownTask, errors.InvalidRequest, *EVERYWHERE))
async def show_task(task: OwnTask) -> TaskView:
    """One task as it stands."""
    return TaskView.of(task)


@router.post(
    "/api/tasks/{task_id}/cancel",
    status_code=202,
    responses=documented(errors.UnknownTask, errors.AlreadyEnded, errors.InvalidRequest, *EVERYWHERE),
)
async def cancel_task(request: Request, task: OwnTask) -> TaskView:
    """Ends a task: a queued one at once, a running one within two seconds, with all its processes."""
    parts: Parts = request.app.state.parts
    return TaskView.of(await parts.store.request_cancel(task.id))


@router.get(
    "/api/tasks/{task_id}/events",
    responses={**documented(errors.UnknownTask, errors.InvalidRequest, *EVERYWHERE), **STREAM},
    response_class=StreamingResponse,
)
async def follow_task(
    request: Request,
    task: OwnTask,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only events with a number above this.")] = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**31 - 1, description="As `after`; an EventSource sends it.")] = None,
) -> StreamingResponse:
    """The task's events from the first on, as they happen. The stream ends after `completed`, `failed` or `cancelled`."""
    parts: Parts = request.app.state.parts
    start = after if last_event_id is None else last_event_id
    return StreamingResponse(frames(parts, task.id, start), media_type="text/event-stream", headers=STREAM_HEADERS)


async def frames(parts: Parts, task_id: str, after: int) -> AsyncIterator[bytes]:
    yield RETRY
    async for batch in tail(parts.store, parts.hub, task_id, after):
        yield b"".join([frame(EventView.of(event)) for event in batch]) if batch else PING


def frame(event: EventView) -> bytes:
    return f"id: {event.seq}\nevent: {event.type.value}\ndata: {event.model_dump_json()}\n\n".encode()


@router.get(
    "/api/tasks/{task_id}/artifacts/{name}",
    responses={**documented(errors.UnknownTask, errors.UnknownArtifact, errors.InvalidRequest, *EVERYWHERE), **DOWNLOADED},
    response_class=FileResponse,
)
async def fetch_artifact(
    request: Request,
    task: OwnTask,
    name: Annotated[str, Path(max_length=200, description="As in the task's `result.artifacts`.", examples=["plan.md"])],
) -> Response:
    """A file that the task left. Understands `Range`."""
    parts: Parts = request.app.state.parts
    artifacts = task.result.artifacts if task.result else ()
    artifact = next((artifact for artifact in artifacts if artifact.name == name), None)
    if artifact is None:
        raise errors.UnknownArtifact("The task has no artifact of this name.")
    return download(await parts.files.artifact(task.id, name), name, artifact.media_type)
