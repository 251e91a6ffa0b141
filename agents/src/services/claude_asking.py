"""How Claude Code asks: a tool call is held until its questions are answered, or put off when that takes too long."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from agents.src.errors import InvalidRequest
from agents.src.services.claude_events import renamed
from agents.src.services.claude_questions import (
    ABOUT,
    ANSWER,
    ASK_CALLER,
    SCHEMA,
    SERVER,
    Told,
    answered,
    questions_of,
    refused,
    told,
)
from agents.src.tasks import Answer, Ask, Draft, EventType, Parked, Question

if TYPE_CHECKING:
    from claude_agent_sdk.types import (
        HookContext,
        HookInput,
        McpSdkServerConfig,
        PreToolUseHookInput,
        SyncHookJSONOutput,
    )

HOLD = 86400.0
"""Seconds that Claude Code waits for a hook. The hold ends well before, by `Parked`."""
PUT_OFF = "Not answered yet, but asked. Ask again in the same words, one question at a time, and you have the answer."
NOT_HERE = "Only the one who started you can ask. End with what you have, and say what you had to know."


class Asker:
    """Of one Claude Code process. `ask` is the run's, `names` as in `renamed`; `keep` is awaited before anything is asked, `fail`
    is given what ends the run.

    `likened`: this conversation began anew, and does not know what an earlier one asked.
    """

    def __init__(
        self,
        ask: Ask,
        names: Mapping[str, str],
        keep: Callable[[], Awaitable[None]],
        fail: Callable[[Exception], Awaitable[None]],
        *,
        likened: bool,
    ) -> None:
        self._ask = ask
        self._names = names
        self._keep = keep
        self._fail = fail
        self._likened = likened
        self._asking = 0
        self._deferred: str | None = None
        self._put_off: set[str] = set()
        self.was_called = False
        """Whether Claude Code has asked anything."""

    async def hook(self, call: "HookInput", _id: str | None, _context: "HookContext") -> "SyncHookJSONOutput":
        """A PreToolUse hook for the tools that ask."""
        self.was_called = True
        self._asking += 1
        try:
            return await self._decide(cast("PreToolUseHookInput", call))
        except Exception as error:  # SDK and Claude Code would keep it to themselves; it is the run's
            await self._fail(error)
            await asyncio.Event().wait()  # until the run's processes are ended: nothing may happen after this
            raise
        finally:
            self._asking -= 1

    @property
    def is_putting_off(self) -> bool:
        """Whether, when the run is to be parked, Claude Code ends by itself: a call is put off, or about to be."""
        return self._asking > 0 or self._deferred is not None

    async def _decide(self, call: "PreToolUseHookInput") -> "SyncHookJSONOutput":
        tool, given, call_id = call["tool_name"], call["tool_input"], call["tool_use_id"]
        if call.get("agent_id"):
            return denial(NOT_HERE)
        try:
            questions = self._questions(tool, given)
        except InvalidRequest as fault:
            return denial(fault.detail)
        await self._keep()
        answers = await self._answers(questions, call_id)
        if answers is None:
            return self._given_up(call_id)
        if reason := refused(questions, answers):
            return denial(reason)
        return _decision("allow", updatedInput=answered(tool, given, answers))

    def hides(self, draft: Draft) -> bool:
        """Whether it is a result that says nothing: the call's own comes when the run goes on."""
        return draft.type is EventType.TOOL_RESULT and draft.data["id"] in self._put_off

    async def told(self, tool: str, given: dict[str, Any], call_id: str) -> Told:
        """The result of a call that an earlier process made and had put off. Raises Parked, QuestionExpired."""
        questions = self._questions(tool, given)
        answers = await self._answers(questions, call_id)
        if answers is None:
            raise Parked
        return told(questions, answers)

    def _questions(self, tool: str, given: dict[str, Any]) -> tuple[Question, ...]:
        return questions_of(tool, renamed(given, self._names))

    async def _answers(self, questions: tuple[Question, ...], call_id: str) -> list[Answer] | None:
        """None where not all were answered for as long as the run may wait."""

        async def one(question: Question, number: int) -> Answer | None:
            try:
                return await self._ask(question, f"{call_id}:{number}", likened=self._likened)
            except Parked:  # the others go on: all that is asked is to be kept
                return None

        try:
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(one(question, number)) for number, question in enumerate(questions)]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        answers = [done.result() for done in asking]
        return None if None in answers else cast("list[Answer]", answers)

    def _given_up(self, call_id: str) -> "SyncHookJSONOutput":
        """Claude Code can put off one call of a message, no more: of two, one would be lost without a trace."""
        if self._deferred is None:
            self._deferred = call_id
            return _decision("defer")
        self._put_off.add(call_id)
        return denial(PUT_OFF)


def denial(reason: str) -> "SyncHookJSONOutput":
    return _decision("deny", permissionDecisionReason=reason)


def _decision(decision: str, **more: Any) -> "SyncHookJSONOutput":
    output = {"hookEventName": "PreToolUse", "permissionDecision": decision, **more}
    return cast("SyncHookJSONOutput", {"hookSpecificOutput": output})


def caller_server() -> "McpSdkServerConfig":
    """A server in this process with the tool `ask_caller`, whose answer the hook has put into its input."""
    from claude_agent_sdk import create_sdk_mcp_server, tool
    from mcp.types import ToolAnnotations

    # Not true to the word, but so Claude Code runs several at the same time.
    side_by_side = ToolAnnotations(readOnlyHint=True)

    async def ask_caller(arguments: dict[str, Any]) -> dict[str, Any]:
        if ANSWER not in arguments:
            return {"content": [{"type": "text", "text": "Nobody was asked."}], "is_error": True}
        return {"content": [{"type": "text", "text": arguments[ANSWER]}]}

    name = ASK_CALLER.rpartition("__")[2]
    return create_sdk_mcp_server(SERVER, tools=[tool(name, ABOUT, SCHEMA, annotations=side_by_side)(ask_caller)])
