"""The nouns: a conversation that tasks belong to, and what was said in it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from agents.src.clock import iso
from agents.src.errors import InvalidRequest
from agents.src.records import Kept

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
LONGEST = 16_000
"""Characters of a message."""


class Role(StrEnum):
    """Who speaks."""

    USER = "user"
    """Whoever asks: the caller, or one of their tasks' prompts."""
    ASSISTANT = "assistant"
    """A skill, whose task has ended."""
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`caller` owns it, and has no other of this name. Times are seconds since 1970 UTC."""

    name: str
    caller: str
    created_at: float
    changed_at: float
    messages: int
    """How many there are."""


@dataclass(frozen=True, slots=True)
class Message:
    """`id` counts a conversation's messages from 1; `conversation` and `caller` name it. `at` in seconds since 1970 UTC."""

    id: int
    conversation: str
    caller: str
    role: Role
    author: str
    """A caller, or a skill."""
    text: str
    task_id: str | None
    """The task whose prompt or ending it is."""
    at: float


class Said(Kept):
    """A message as a run is given it. `at` as RFC 3339 in UTC."""

    role: Role
    author: str
    text: str
    at: str

    @classmethod
    def of(cls, message: Message) -> "Said":
        return cls(role=message.role, author=message.author, text=message.text, at=iso(message.at))


def check_name(name: str) -> str:
    """Raises InvalidRequest."""
    if not re.fullmatch(NAME, name):
        raise InvalidRequest(
            f"{name[:100]!r} cannot be a conversation's name; use 1 to 100 letters, digits, '.', '_' and '-', "
            "the first a letter or a digit."
        )
    return name


def inbox_of(caller: str) -> str:
    """The name of the conversation in which a caller hears of tasks that belong to none."""
    return f"claude-code-{caller}"
