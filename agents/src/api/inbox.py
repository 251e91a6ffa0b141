"""Routes of the inbox: what a caller is told of the tasks that it wanted to be told of."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import read_body
from agents.src.api.inbox_views import InboxView, NewsView, SeenRequest, SeenView
from agents.src.api.openapi import EVERYWHERE, body_of, documented
from agents.src.api.tasks import PING, RETRY, STREAM_HEADERS
from agents.src.api.views import EXAMPLE_ID, Limit
from agents.src.bootstrap import Parts
from agents.src.tasks import Caller, arrivals

router = APIRouter(tags=["inbox"])

log = structlog.get_logger()

FRAME = (
    f'id: {EXAMPLE_ID}\nevent: ended\ndata: {{"kind":"ended","id":"{EXAMPLE_ID}","task":"{EXAMPLE_ID}","skill":"planning",'
    '"status":"completed","summary":"The plan has six steps.","question":null,"at":"2026-01-31T09:31:12.004Z"}\n\n'
)
ONE_ENTRY = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"$ref": "#/components/schemas/EntryKind"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/NewsView"},
        },
    },
    "required": ["id", "event", "data"],
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The entries, one frame each.",
        "content": {"text/event-stream": {"itemSchema": ONE_ENTRY, "example": FRAME}},
    }
}
Peek = Annotated[bool, Query(description="Only looks: what was not delivered before is not delivered by this.")]


@router.get(
    "/api/inbox",
    response_description="What the caller has not seen, the oldest first.",
    responses=documented(errors.InvalidRequest, *EVERYWHERE),
)
async def read_inbox(
    request: Request, caller: Annotated[Caller, Depends(caller_of)], peek: Peek = False, limit: Limit = 50
) -> InboxView:
    """Tasks of the caller's own that ended, and questions that wait. They are given again until they are said to be seen."""
    parts: Parts = request.app.state.parts
    entries = await (parts.inbox.peek if peek else parts.inbox.take)(caller.name, limit)
    return InboxView(items=[NewsView.of(entry) for entry in entries])


@router.post(
    "/api/inbox/seen",
    response_description="They will not be given again.",
    responses=documented(errors.TooLarge, errors.UnsupportedMediaType, errors.InvalidRequest, *EVERYWHERE),
    openapi_extra=body_of(SeenRequest, two={"ids": [EXAMPLE_ID, "01kagq7y0d9s3k5b1h8f6e2c4a"]}),
)
async def mark_seen(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> SeenView:
    """Says that somebody has seen them. Ids that are not in the inbox are passed over."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, SeenRequest, parts.settings.max_body_bytes)
    return SeenView(seen=await parts.inbox.seen(caller.name, wanted.ids))


@router.get("/api/inbox/events", responses={**STREAM, **documented(*EVERYWHERE)}, response_class=StreamingResponse)
async def follow_inbox(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> StreamingResponse:
    """What the caller has not seen, then each entry as it comes, each once and marked as delivered. It ends with the server."""
    parts: Parts = request.app.state.parts
    return StreamingResponse(frames(parts, caller), media_type="text/event-stream", headers=STREAM_HEADERS)


async def frames(parts: Parts, caller: Caller) -> AsyncIterator[bytes]:
    yield RETRY
    try:
        async with aclosing(arrivals(parts.inbox, parts.hub, parts.clock, caller.name)) as batches:
            async for batch in batches:
                yield b"".join([frame(NewsView.of(entry)) for entry in batch]) if batch else PING
    except errors.Problem as error:
        # Too late for another status: the stream ends, and its reader comes back for the rest.
        log.warning("stream_broken", inbox=caller.name, detail=error.detail)


def frame(news: NewsView) -> bytes:
    return f"id: {news.id}\nevent: {news.kind.value}\ndata: {news.model_dump_json()}\n\n".encode()
