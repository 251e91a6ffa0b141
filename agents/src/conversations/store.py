"""The port: where conversations are kept. A task's prompt and its ending come in with the task, in the same transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.src.conversations.conversation import Conversation, Message, Role


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Conversations, the one that changed last first, and the cursor of the next page."""

    items: tuple[Conversation, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages of one conversation, oldest first, and the cursor of the next page: the last one's id."""

    items: tuple[Message, ...]
    next: int | None


class ConversationStore(Protocol):
    """A `caller` of None means everybody's; `words` are as `words_of` gives them. Raises Unavailable."""

    async def add(self, caller: str, name: str, role: Role, author: str, text: str) -> Message:
        """Adds to the conversation, which is made where there is none. A text that is too long is shortened.

        Raises InvalidRequest for what cannot be a name.
        """

    async def get(self, caller: str, name: str) -> Conversation:
        """Raises UnknownConversation."""

    async def named(self, name: str) -> tuple[Conversation, ...]:
        """Those of every caller, by whose they are."""

    async def page(self, caller: str | None, words: Sequence[str], cursor: str | None, limit: int) -> ConversationPage:
        """Those in which one message has all the words; without words, all."""

    async def messages(self, caller: str, name: str, cursor: int, limit: int) -> MessagePage:
        """Those with an id above the cursor. Raises UnknownConversation."""

    async def search(self, caller: str | None, words: Sequence[str], limit: int) -> tuple[Message, ...]:
        """The messages that have all the words, newest first."""

    async def before(self, task_id: str, limit: int) -> tuple[Message, ...]:
        """The last messages before the task's own prompt in its conversation, oldest first."""

    async def rename(self, caller: str, name: str, new: str) -> Conversation:
        """Its tasks stay with it. Raises UnknownConversation, NameTaken, InvalidRequest for what cannot be a name."""

    async def delete(self, caller: str, name: str) -> Conversation:
        """With its messages; what its tasks say afterwards is not kept. Raises UnknownConversation."""
