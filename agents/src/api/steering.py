"""Routes by which a caller steers a task that is under way: pausing, resuming, saying more."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import read_body
from agents.src.api.openapi import EVERYWHERE, body_of, documented
from agents.src.api.showing import shown
from agents.src.api.skills import read_key
from agents.src.api.steering_views import SayRequest
from agents.src.api.tasks import OwnTask
from agents.src.api.views import TaskView
from agents.src.bootstrap import Parts
from agents.src.tasks import Caller

router = APIRouter(tags=["tasks"])

SAY = body_of(SayRequest, more={"text": "Leave out the part about passwords; we use passkeys."})
BODY = (errors.TooLarge, errors.UnsupportedMediaType, errors.InvalidRequest)
IDEMPOTENCY = Header(
    alias="Idempotency-Key",
    description="The same message sent again under the same key is taken once.",
    examples=['"3a1f7c0e"'],
)


@router.post(
    "/api/tasks/{task_id}/pause",
    status_code=202,
    response_description="It is paused, or will be in a moment.",
    responses=documented(errors.UnknownTask, errors.AlreadyEnded, errors.CannotPause, errors.InvalidRequest, *EVERYWHERE),
)
async def pause_task(request: Request, task: OwnTask) -> TaskView:
    """Has a task stand still until it is resumed: no process of it is left, and nothing is paid for."""
    parts: Parts = request.app.state.parts
    return await shown(parts.outbox, await parts.steering.pause(task.id))


@router.post(
    "/api/tasks/{task_id}/resume",
    status_code=202,
    response_description="It goes on, or waits for the answers that it needs.",
    responses=documented(errors.UnknownTask, errors.AlreadyEnded, errors.NotPaused, errors.InvalidRequest, *EVERYWHERE),
)
async def resume_task(request: Request, task: OwnTask) -> TaskView:
    """Has a paused task go on where it was."""
    parts: Parts = request.app.state.parts
    return await shown(parts.outbox, await parts.steering.resume(task.id))


@router.post(
    "/api/tasks/{task_id}/messages",
    status_code=202,
    response_description="It is kept; the task will not complete without having read it.",
    responses=documented(errors.UnknownTask, errors.AlreadyEnded, errors.CannotSay, *BODY, *EVERYWHERE),
    openapi_extra=SAY,
)
async def say_more(
    request: Request,
    task: OwnTask,
    caller: Annotated[Caller, Depends(caller_of)],
    idempotency_key: Annotated[str | None, IDEMPOTENCY] = None,
) -> TaskView:
    """Says something to a task of the `claude` engine: it reads that as it works, or when it goes on."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, SayRequest, parts.settings.max_body_bytes)
    return await shown(parts.outbox, await parts.steering.say(task.id, wanted.text, caller.name, read_key(idempotency_key)))
