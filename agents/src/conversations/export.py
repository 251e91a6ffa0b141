"""A conversation as a document of its own."""

import json
import re
from collections.abc import Sequence

from agents.src.clock import iso
from agents.src.conversations.conversation import Conversation, Message
from agents.src.conversations.store import ConversationStore

PAGE = 500


async def whole(store: ConversationStore, caller: str, name: str) -> tuple[Conversation, tuple[Message, ...]]:
    """The conversation and all its messages. Raises UnknownConversation."""
    conversation = await store.get(caller, name)
    found: list[Message] = []
    cursor: int | None = 0
    while cursor is not None:
        page = await store.messages(caller, name, cursor, PAGE)
        found += page.items
        cursor = page.next
    return conversation, tuple(found)


def as_json(conversation: Conversation, messages: Sequence[Message]) -> str:
    """One object, with the messages in order."""
    document = {
        "name": conversation.name,
        "caller": conversation.caller,
        "created_at": iso(conversation.created_at),
        "changed_at": iso(conversation.changed_at),
        "messages": [
            {
                "id": message.id,
                "role": message.role.value,
                "author": message.author,
                "text": message.text,
                "task_id": message.task_id,
                "at": iso(message.at),
            }
            for message in messages
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """A heading for each message, and what it says as a quotation: whatever stands in it, it ends there."""
    parts = [f"# {conversation.name}", *(part for message in messages for part in (heading(message), quoted(message.text)))]
    return "\n\n".join(parts) + "\n"


def heading(message: Message) -> str:
    task = f", task {message.task_id}" if message.task_id else ""
    return f"## {message.author} ({message.role}), {iso(message.at)}{task}"


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in re.split(r"\r\n|\r|\n", text))
