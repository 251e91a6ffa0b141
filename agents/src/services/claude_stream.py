"""One Claude Code process, from its prompt to its end: what it says, in order."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import structlog

from agents.src.services.claude_errors import broken
from agents.src.services.claude_speech import Speech
from agents.src.services.processes import end_run, to_the_end
from agents.src.tasks import Draft

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, Message


@dataclass(frozen=True, slots=True)
class Fatal:
    """Ends the run with this error, whatever Claude Code would still say."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Alive:
    """How to tell that a conversation is gone on with, for Claude Code may wait for ever. `seen` looks for a sign of it when
    nothing was heard for `silence` seconds."""

    seen: Callable[[], bool]
    silence: float


Heard = asyncio.Queue["Message | Draft | Fatal | Exception | None"]
"""What Claude Code says, what it wants remembered, and what ends it, in order; None at the end."""

CLOSING = 5.0
"""Seconds that the SDK has to close what it has open."""

log = structlog.get_logger()


class NotResumed(Exception):
    """Claude Code does not go on with the conversation."""


async def messages(
    speech: Speech, options: "ClaudeAgentOptions", run_id: str, heard: Heard, alive: Alive | None = None
) -> AsyncGenerator["Message | Draft", None]:
    """What is heard until Claude Code ends. Closing this, or cancelling who reads it, ends all of the run's processes.

    Where the options name a conversation, Claude Code goes on with that, or NotResumed is raised. `alive`: it does so by itself.
    The SDK runs in a task of its own, so that its cancel scopes are entered and left in one place whoever closes this.
    """
    from claude_agent_sdk import ResultMessage

    reader = asyncio.create_task(_read(speech, options, heard))
    resuming, finished = options.resume is not None, False
    try:
        while (item := await _next(heard, alive if resuming else None)) is not None:
            if isinstance(item, Fatal):
                raise item.error
            if isinstance(item, Exception):
                _check(item, resuming=resuming, finished=finished)
                continue
            if isinstance(item, ResultMessage):
                finished = True
                if resuming and item.is_error and item.api_error_status is None:
                    raise NotResumed(item.terminal_reason or item.subtype)
            resuming = resuming and not goes_on(item)
            yield item
        if resuming and not finished:
            raise NotResumed("it ended")
    finally:
        await to_the_end(_end(run_id, reader, heard))


async def _next(heard: Heard, alive: Alive | None) -> "Message | Draft | Fatal | Exception | None":
    """What is heard next: soon, or at least there is a sign of life, where `alive` looks for one."""
    if alive:
        try:
            async with asyncio.timeout(alive.silence):
                return await heard.get()
        except TimeoutError:
            if not alive.seen():
                raise NotResumed("it is silent") from None
    return await heard.get()


def _check(error: Exception, *, resuming: bool, finished: bool) -> None:
    """After a result, it is the same failure once more."""
    if not finished:
        log.warning("claude_broke", error=type(error).__name__, exit_code=getattr(error, "exit_code", None))
        raise NotResumed("it broke off") if resuming else broken(error)


def goes_on(item: "Message | Draft") -> bool:
    """Whether it is a sign that the conversation is under way."""
    from claude_agent_sdk import AssistantMessage, UserMessage

    return isinstance(item, AssistantMessage | UserMessage)


async def _end(run_id: str, reader: asyncio.Task[None], heard: Heard) -> None:
    await end_run(run_id)
    # With its processes its stream ends. Were it cancelled while the SDK closes itself, that would be left half open.
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSING):
            await _ended(reader, heard)
    reader.cancel()
    await asyncio.wait({reader})


async def _ended(reader: asyncio.Task[None], heard: Heard) -> None:
    """Nobody hears the rest; the reader does not wait for that."""
    while not reader.done():
        while not heard.empty():
            heard.get_nowait()
        await asyncio.wait({reader}, timeout=0.02)


async def _read(speech: Speech, options: "ClaudeAgentOptions", heard: Heard) -> None:
    from claude_agent_sdk import ResultMessage, query

    try:
        said = query(prompt=speech.messages(), options=options)
        async with aclosing(cast("AsyncGenerator[Message, None]", said)) as spoken:
            async for message in spoken:
                if isinstance(message, ResultMessage):
                    speech.hear(message)
                await heard.put(message)
    except Exception as error:  # noqa: BLE001  # whatever ends the other process's stream, who waits for it must hear of it
        await heard.put(error)
    finally:
        speech.end()
    await heard.put(None)
