"""The port: who answers in the place of people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.src.tasks.event import Draft, Event
from agents.src.tasks.question import Answer, Asked


@dataclass(frozen=True, slots=True)
class Response:
    """What a responder says. Without an answer, it could not decide, or not be asked. `spent` is the event of what it cost."""

    answer: Answer | None = None
    spent: Draft | None = None


class Responder(Protocol):
    """A model that answers in the place of people: one call, which sees the task, the question and recent events."""

    async def respond(self, asked: Asked, prompt: str, events: Sequence[Event]) -> Response | None:
        """None where another process sees to the question: it has a responder answer there, or the next in turn asked."""
