"""Routes of the conversations room: what was said around tasks."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import read_body
from agents.src.api.conversation_views import (
    ConversationCursor,
    ConversationView,
    MessageCursor,
    MessageRequest,
    MessageView,
    Name,
    Owner,
    RenameRequest,
    Search,
)
from agents.src.api.downloads import HEADERS
from agents.src.api.openapi import EVERYWHERE, body_of, documented, header
from agents.src.api.views import Limit, Listing
from agents.src.bootstrap import Parts
from agents.src.conversations import Role, as_json, as_markdown, whole, words_of
from agents.src.tasks import Caller

router = APIRouter(tags=["conversations"])


class Format(StrEnum):
    """How a conversation is written down."""

    JSON = "json"
    MARKDOWN = "markdown"


OF_CALLER = (errors.Refused, errors.InvalidRequest)
KNOWN = (errors.UnknownConversation, *OF_CALLER)
WRITING = (errors.TooLarge, errors.UnsupportedMediaType)
SAY = body_of(MessageRequest, remark={"text": "The tokens must be short-lived."})
RENAME = body_of(RenameRequest, name={"name": "auth-system-2"})
SUFFIX = {Format.JSON: "json", Format.MARKDOWN: "md"}
MEDIA_TYPE = {Format.JSON: "application/json", Format.MARKDOWN: "text/markdown"}
TOGETHER = "# auth-system\n\n## root (user), 2026-01-31T09:30:00.123Z\n\n> Create auth system plan\n"
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All of it, to be saved as a file.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ExportView"}},
            "text/markdown": {"schema": {"type": "string"}, "example": TOGETHER},
        },
        "headers": {
            "Content-Disposition": header("The file's name.", 'attachment; filename="auth-system.md"', always=True),
            "X-Content-Type-Options": header("The media type is not to be guessed.", "nosniff", always=True),
        },
    }
}

Asking = Annotated[Caller, Depends(caller_of)]


async def owner_of(caller: Asking, owner: Owner = None) -> str:
    """A dependency: whose conversations are meant. Raises Refused for somebody else's, unless it is root that asks."""
    if owner in (None, caller.name) or caller.is_root:
        return owner or caller.name
    raise errors.Refused("Only the root token may name another `?caller=`; leave it out for your own conversations.")


Whose = Annotated[str, Depends(owner_of)]


@router.get(
    "/api/conversations",
    response_description="One page of conversations.",
    responses=documented(*OF_CALLER, *EVERYWHERE),
)
async def list_conversations(
    request: Request, whose: Whose, search: Search = None, cursor: ConversationCursor = None, limit: Limit = 50
) -> Listing[ConversationView]:
    """The caller's conversations, the one that changed last first."""
    parts: Parts = request.app.state.parts
    page = await parts.conversations.page(whose, words_of(search or ""), cursor, limit)
    return Listing(items=[ConversationView.of(conversation) for conversation in page.items], next=page.next)


@router.get("/api/conversations/{name}", response_description="The conversation.", responses=documented(*KNOWN, *EVERYWHERE))
async def show_conversation(request: Request, name: Name, whose: Whose) -> ConversationView:
    """One conversation, without what was said in it."""
    parts: Parts = request.app.state.parts
    return ConversationView.of(await parts.conversations.get(whose, name))


@router.get(
    "/api/conversations/{name}/messages",
    response_description="One page of messages.",
    responses=documented(*KNOWN, *EVERYWHERE),
)
async def list_messages(
    request: Request, name: Name, whose: Whose, cursor: MessageCursor = None, limit: Limit = 50
) -> Listing[MessageView]:
    """What was said, oldest first. With `cursor` the id of the last message that you have, what was said since."""
    parts: Parts = request.app.state.parts
    page = await parts.conversations.messages(whose, name, int(cursor or 0), limit)
    return Listing(items=[MessageView.of(message) for message in page.items], next=str(page.next) if page.next else None)


@router.post(
    "/api/conversations/{name}/messages",
    status_code=201,
    response_description="The message as it is kept.",
    responses=documented(*OF_CALLER, *WRITING, *EVERYWHERE),
    openapi_extra=SAY,
)
async def add_message(request: Request, name: Name, caller: Asking, whose: Whose) -> MessageView:
    """Says something in a conversation, which is made where there is none. Its next task is given it."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, MessageRequest, parts.settings.max_body_bytes)
    return MessageView.of(await parts.conversations.add(whose, name, Role.USER, caller.name, wanted.text))


@router.patch(
    "/api/conversations/{name}",
    response_description="The conversation as it is now.",
    responses=documented(*KNOWN, errors.NameTaken, *WRITING, *EVERYWHERE),
    openapi_extra=RENAME,
)
async def rename_conversation(request: Request, name: Name, whose: Whose) -> ConversationView:
    """Gives a conversation another name. Its tasks stay with it."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, RenameRequest, parts.settings.max_body_bytes)
    return ConversationView.of(await parts.conversations.rename(whose, name, wanted.name))


@router.delete(
    "/api/conversations/{name}",
    status_code=204,
    response_description="It is gone.",
    responses=documented(*KNOWN, *EVERYWHERE),
)
async def delete_conversation(request: Request, name: Name, whose: Whose) -> None:
    """Deletes a conversation with its messages. Its tasks stay, but say nothing more in it."""
    parts: Parts = request.app.state.parts
    await parts.conversations.delete(whose, name)


@router.get(
    "/api/conversations/{name}/export",
    responses={**EXPORTED, **documented(*KNOWN, *EVERYWHERE)},
    response_class=Response,
)
async def export_conversation(
    request: Request,
    name: Name,
    whose: Whose,
    wanted: Annotated[Format, Query(alias="format", description="As one JSON object, or to be read.")] = Format.JSON,
) -> Response:
    """The conversation with all its messages, as a file."""
    parts: Parts = request.app.state.parts
    written = {Format.JSON: as_json, Format.MARKDOWN: as_markdown}[wanted]
    content = written(*await whole(parts.conversations, whose, name))
    named = {"Content-Disposition": f'attachment; filename="{name}.{SUFFIX[wanted]}"'}
    return Response(content, headers=HEADERS | named, media_type=MEDIA_TYPE[wanted])
