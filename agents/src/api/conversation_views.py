"""What the conversations' routes send and receive, as the OpenAPI document shows it."""

from typing import Annotated, Self

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from agents.src.api.views import EXAMPLE_ID, Moment
from agents.src.clock import iso
from agents.src.conversations import LONGEST_QUERY, NAME, Conversation, Message, Role
from agents.src.records import Frozen

EXAMPLE_CONVERSATION: JsonDict = {
    "name": "auth-system",
    "caller": "root",
    "message_count": 2,
    "created_at": "2026-01-31T09:30:00.123Z",
    "changed_at": "2026-01-31T09:31:12.004Z",
}
EXAMPLE_MESSAGES: list[JsonValue] = [
    {
        "id": 1,
        "role": "user",
        "author": "root",
        "text": "Create auth system plan",
        "task_id": EXAMPLE_ID,
        "at": "2026-01-31T09:30:00.123Z",
    },
    {
        "id": 2,
        "role": "assistant",
        "author": "planning",
        "text": f"@root Task {EXAMPLE_ID} completed (exit 0).\n\nThe plan has six steps.",
        "task_id": EXAMPLE_ID,
        "at": "2026-01-31T09:31:12.004Z",
    },
]
EXAMPLE_EXPORT: JsonDict = {
    **{member: value for member, value in EXAMPLE_CONVERSATION.items() if member != "message_count"},
    "messages": [*EXAMPLE_MESSAGES],
}

Name = Annotated[str, Path(pattern=NAME, description="The conversation's name.", examples=["auth-system"])]
Owner = Annotated[
    str | None,
    Query(
        alias="caller",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Whose conversations: with the root token anybody's, else the token's own only. Without, the token's own.",
        examples=["root"],
    ),
]
Search = Annotated[
    str | None,
    Query(
        max_length=LONGEST_QUERY,
        description="Only conversations with a message in which all of these words occur, whatever their case.",
        examples=["auth plan"],
    ),
]
ConversationCursor = Annotated[
    str | None, Query(pattern=r"^[0-9]{1,12}(\.[0-9]{1,9})?~[0-9a-hjkmnp-tv-z]{26}$", description="`next` of the page before.")
]
MessageCursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,15}$", description="`next` of the page before.")]


class MessageRequest(Frozen):
    """What is said."""

    text: str = Field(
        min_length=1, pattern=r"^[^\x00]*$", description="In Markdown, say. What is longer than 16,000 characters is shortened."
    )


class RenameRequest(Frozen):
    """What a conversation is called from now on."""

    name: str = Field(pattern=NAME, description="A name that the caller has no other conversation of.")


class ConversationView(BaseModel):
    """A dialogue that tasks belong to."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_CONVERSATION]})

    name: str
    caller: str = Field(description="Whose it is.")
    message_count: int = Field(description="How many messages there are.")
    created_at: Moment
    changed_at: Moment

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        return cls(
            name=conversation.name,
            caller=conversation.caller,
            message_count=conversation.messages,
            created_at=iso(conversation.created_at),
            changed_at=iso(conversation.changed_at),
        )


class MessageView(BaseModel):
    """Something that was said."""

    model_config = ConfigDict(json_schema_extra={"examples": [*EXAMPLE_MESSAGES]})

    id: int = Field(description="Counts the conversation's messages from 1.")
    role: Role
    author: str = Field(description="The caller who spoke, or the skill.")
    text: str
    task_id: str | None = Field(description="The task whose prompt or ending it is.")
    at: Moment

    @classmethod
    def of(cls, message: Message) -> Self:
        return cls(
            id=message.id,
            role=message.role,
            author=message.author,
            text=message.text,
            task_id=message.task_id,
            at=iso(message.at),
        )


class ExportView(BaseModel):
    """A conversation with all its messages."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_EXPORT]})

    name: str
    caller: str
    created_at: Moment
    changed_at: Moment
    messages: list[MessageView]
