"""A scripted Messages API on loopback, so that a skill runs in the real Claude Code without a model.

`docs/rehearsal.md` is the specification of the script.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import yaml
from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError, model_validator

from agents.src.errors import Misconfigured
from agents.src.records import Frozen
from agents.src.services.loopback import serve
from agents.src.services.rehearsal_sse import message, stream
from agents.src.tasks import Action, Answer, Nobody, Question

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

CALL = "toolu_rehearsal_"
"""How the ids of all calls begin; the number of their reply follows."""
SAID = "The user sent a new message while you were working:"
EXCERPT = 300  # characters of what was found instead of the expected


class _Strict(Frozen):
    model_config = ConfigDict(strict=True)


class ToolCall(_Strict):
    """A tool that the scripted model calls."""

    name: Annotated[str, Field(min_length=1)]
    input: dict[str, Any] = Field(default_factory=dict)


class Tokens(_Strict):
    """What the reply says it used."""

    input: NonNegativeInt = 100
    output: NonNegativeInt = 20
    cache_read: NonNegativeInt = 0
    cache_creation: NonNegativeInt = 0

    def as_sent(self) -> dict[str, int]:
        return {
            "input_tokens": self.input,
            "output_tokens": self.output,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation_input_tokens": self.cache_creation,
        }


class ApiError(_Strict):
    """An answer that is not a message. `retry-after` in seconds."""

    status: Annotated[int, Field(ge=400, le=599)]
    type: str = "api_error"
    message: str = "An error of the rehearsal."
    retry_after: Annotated[NonNegativeInt | None, Field(alias="retry-after")] = None


class Reply(_Strict):
    """One step: text, tool calls or both, or an error. `delay` in seconds before it is sent."""

    expect: str | None = None
    text: str | None = None
    tools: tuple[ToolCall, ...] = Field((), strict=False)
    error: ApiError | None = None
    usage: Tokens = Tokens()
    delay: NonNegativeFloat = 0

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if bool(self.text or self.tools) == bool(self.error):
            raise ValueError("a reply has `text`, `tools` or both, or else an `error`")
        return self

    def blocks(self, number: int) -> list[dict[str, Any]]:
        text = [{"type": "text", "text": self.text}] if self.text else []
        return text + [
            {"type": "tool_use", "id": f"{CALL}{number:04}_{index}", "name": tool.name, "input": tool.input}
            for index, tool in enumerate(self.tools)
        ]


class Script(_Strict):
    """What the model says, in order. `name` is the file's.

    `answers`, by the text of the question: labels or a text; None declines. They are given by `agents rehearse`.
    """

    name: str = "rehearsal"
    replies: Annotated[tuple[Reply, ...], Field(min_length=1, strict=False)]
    answers: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None] = Field(default_factory=dict)


class ScriptedAnswers(Nobody):
    """An `Ask` that answers as a script says."""

    def __init__(self, script: Script) -> None:
        self._answers = script.answers

    async def __call__(self, question: Question, key: str | None = None, *, likened: bool = False) -> Answer:
        """Raises QuestionExpired where the script holds no answer and the question no default, InvalidAnswer."""
        if question.text not in self._answers:
            return await super().__call__(question, key, likened=likened)
        given = self._answers[question.text]
        if given is None:
            return Answer(action=Action.DECLINE)
        labels = {choice.label for choice in question.choices}
        said = (given,) if isinstance(given, str) else given
        chosen = tuple(part for part in said if part in labels)
        text = "\n".join(part for part in said if part not in labels)
        return Answer(action=Action.ACCEPT, choices=chosen, text=text).checked(question)


def read_script(path: Path) -> Script:
    """Raises Misconfigured, which names the file and each reply that is wrong, and how."""
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Misconfigured(f"{path.name}: {error.strerror}. Give the path of a rehearsal's script.") from None
    except yaml.YAMLError as error:
        raise Misconfigured(f"{path.name}: not YAML: {error}") from None
    if not isinstance(content, dict):
        raise Misconfigured(f"{path.name}: a script is a mapping with the key `replies`")
    try:
        return Script.model_validate({"name": path.name, **content})
    except ValidationError as error:
        raise Misconfigured("; ".join(_faults(path.name, error))) from None


def _faults(name: str, error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False):
        where = list(fault["loc"])
        place = f"reply {int(where[1]) + 1}" if len(where) > 1 and where[0] == "replies" else ""
        key = ".".join(str(part) for part in (where[2:] if place else where))
        yield ": ".join(part for part in (name, place, key, fault["msg"].removeprefix("Value error, ")) if part)


@dataclass
class Rehearsal:
    """Serves a script to one run: `async with Rehearsal(script) as rehearsal`, then `rehearsal.url`.

    The last reply stands for ever if it is an error; else whatever is asked after it fails the rehearsal.
    """

    script: Script
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of all requests for a message, in order."""
    failure: str | None = None
    """Why the run did not go as the script says."""
    _served: int = 0
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        from starlette.applications import Starlette
        from starlette.routing import Route

        routes = [
            Route("/v1/messages", self._messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", _count_tokens, methods=["POST"]),
        ]
        self.url = await self._open.enter_async_context(serve(Starlette(routes=routes)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _messages(self, request: "Request") -> "Response":
        body = await request.json()
        self.requests.append(body)
        reply = self._next(body)
        number = self._served
        await asyncio.sleep(reply.delay)
        if reply.error:
            return _error(reply.error)
        return _message(body, message(str(body.get("model")), number, reply.blocks(number), reply.usage.as_sent()))

    def _next(self, body: dict[str, Any]) -> Reply:
        """The reply to this request; a failure, once there is one, answers all further requests."""
        replies = self.script.replies
        self._served = max(self._served, played(body))
        if self.failure is None and self._served == len(replies) and replies[-1].error is None:
            self.failure = f"{self.script.name}: the script ended after reply {len(replies)}, but the skill went on."
        if self.failure is None:
            self._served = min(self._served + 1, len(replies))
            reply = replies[self._served - 1]
            self.failure = self._unmet(reply, heard(body))
        if self.failure:
            return Reply(error=ApiError(status=400, type="invalid_request_error", message=self.failure))
        return reply

    @property
    def unheard(self) -> str | None:
        """What to say of a run that ended before the script did."""
        replies = len(self.script.replies)
        if self._served == replies:
            return None
        return f"{self.script.name}: the skill ended after reply {self._served} of {replies}; the rest was never asked for."

    def _unmet(self, reply: Reply, text: str) -> str | None:
        if reply.expect is None or reply.expect in text:
            return None
        found = text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"
        return f"{self.script.name}: reply {self._served} expected {reply.expect!r}, but was asked: {found!r}"


def played(body: dict[str, Any]) -> int:
    """How many replies an earlier process has had, where a request goes on with its conversation: calls bear their number."""
    parts = [part["content"] for part in body.get("messages", []) if part["role"] == "assistant"]
    blocks = [block for content in parts if isinstance(content, list) for block in content]
    ids = [block["id"] for block in blocks if block.get("type") == "tool_use" and block["id"].startswith(CALL)]
    return max((int(call.removeprefix(CALL).partition("_")[0]) for call in ids), default=0)


def heard(body: dict[str, Any]) -> str:
    """What a request adds since the model's last message: the prompt, the tools' results, what was said meanwhile."""
    texts: list[str] = []
    for part in reversed(body.get("messages", [])):
        if part["role"] == "assistant":
            break
        # Claude Code describes its surroundings in messages of the role `system`, and hands on there what is said meanwhile.
        new = [*_texts(part["content"])]
        texts[:0] = [text for text in new if part["role"] == "user" or SAID in text]
    return "\n".join(texts)


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else []:
        yield from _texts(block.get("text", block.get("content")))


def _message(body: dict[str, Any], whole: dict[str, Any]) -> "Response":
    from starlette.responses import JSONResponse, StreamingResponse

    return StreamingResponse(stream(whole), media_type="text/event-stream") if body.get("stream") else JSONResponse(whole)


def _error(error: ApiError) -> "Response":
    from starlette.responses import JSONResponse

    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return JSONResponse({"type": "error", "error": {"type": error.type, "message": error.message}}, error.status, headers)


async def _count_tokens(request: "Request") -> "Response":
    from starlette.responses import JSONResponse

    return JSONResponse({"input_tokens": len(json.dumps(await request.json())) // 4})
