"""What a skill's program asks, and how it is answered. `docs/script-skills.md` is the specification."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import to_json

from agents.src.tasks import Answer, Ask, Choice, Parked, Question

BREATH = 0.2
"""Seconds from when a question is parked until the program is ended: what it asks in the same breath is to be asked now."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question of a program. `id` is what its answer repeats, `key` the program's own name for it, if it has one."""

    id: str
    key: str | None
    question: Question


def _labelled(value: Any) -> Any:
    return [{"label": choice} if isinstance(choice, str) else choice for choice in value] if isinstance(value, list) else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class QuestionMessage(BaseModel):
    """As it stands on a line of stdout."""

    model_config = ConfigDict(strict=True)

    type: Literal["question"]
    text: str
    id: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] | None = None
    header: str = ""
    choices: Annotated[list[Choice], BeforeValidator(_labelled)] = Field(default_factory=list)
    several: bool = False
    free_text: bool = True
    default: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(default_factory=list)

    def query(self, number: int) -> Query:
        """`number`: how many questions the program has asked, with this one. Raises ValidationError as `Question` does."""
        question = Question(**self.model_dump(exclude={"type", "id"}, exclude_unset=True))
        return Query(self.id or str(number), self.id, question)


def as_line(query: Query, answer: Answer) -> bytes:
    """What the program reads."""
    said = answer.model_dump(include={"action", "text", "choices", "by"})
    return to_json({"type": "answer", "id": query.id, **said}) + b"\n"


class Dialogue:
    """Asks what a program wants to know, as much at once as it likes, and hands it the answers.

    `fail` is told what came in the place of an answer: that the run is parked, or what is wrong.
    """

    def __init__(self, ask: Ask, send: Callable[[bytes], None], fail: Callable[[BaseException], None]) -> None:
        self._ask = ask
        self._send = send
        self._fail = fail
        self._asking: set[asyncio.Task[None]] = set()
        self._breath: asyncio.TimerHandle | None = None

    def begin(self, query: Query) -> None:
        asking = asyncio.create_task(self._answered(query))
        self._asking.add(asking)
        asking.add_done_callback(self._over)

    async def close(self) -> None:
        """Waits for no answer any more."""
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        if self._breath:
            self._breath.cancel()

    async def _answered(self, query: Query) -> None:
        self._send(as_line(query, await self._ask(query.question, query.key)))

    def _over(self, asking: asyncio.Task[None]) -> None:
        self._asking.discard(asking)
        error = None if asking.cancelled() else asking.exception()
        if not isinstance(error, Parked):
            if error:
                self._fail(error)
        elif self._breath is None:
            self._breath = asyncio.get_running_loop().call_later(BREATH, self._fail, error)
