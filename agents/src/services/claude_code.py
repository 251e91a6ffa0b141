"""The `claude` engine: Claude Code does the work of a run, through claude-agent-sdk."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog
from pydantic import SecretStr

from agents.src.errors import EngineFailed, ModelRefused
from agents.src.memory import Inspect, Notebook
from agents.src.services.claude_credentials import Credentials, CredentialSource
from agents.src.services.claude_earlier import earlier_messages
from agents.src.services.claude_environment import find_claude, launcher
from agents.src.services.claude_errors import broken, failure_of
from agents.src.services.claude_events import Meter, drafts, renamed
from agents.src.services.claude_memory import REMEMBER, SERVER, Discretion, memory_server, notes_for
from agents.src.services.claude_tools import ToolRules, read_rules
from agents.src.services.messages_proxy import messages_proxy
from agents.src.services.processes import MARK, end_run, to_the_end
from agents.src.services.rehearsal import Rehearsal, Script
from agents.src.services.secrets import looks_secret
from agents.src.tasks import Ask, Brief, Draft, EventType, Result, Workspace

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, Message, ResultMessage
    from claude_agent_sdk.types import EffortLevel, HookContext, HookInput, PreToolUseHookInput, SyncHookJSONOutput

Heard = asyncio.Queue["Message | Draft | Exception | None"]
"""What Claude Code says, and what it wants remembered, in order; None at the end."""
QUEUED = 64  # messages read ahead of the reader
LARGEST_MESSAGE = 64 << 20  # bytes; one message may hold a whole file
QUIET = {
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
}
SURROUNDINGS = """\
You work in a folder of your own, and nobody can answer questions while you do. Files that were handed over with the task
are in `input/`. What you leave in `output/` is handed to the caller together with your last message."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClaudeEngine:
    """Runs a skill's instruction in Claude Code, in a home of its own, with no more tools than the skill allows.

    With a `rehearsal`, its script speaks in place of the model, and no credentials are looked for. `retries` says how often
    Claude Code asks a failing service again; it waits half a second before the first time and twice as long each further one.
    `environment` is what tools get beside the few variables all have.
    """

    credentials: CredentialSource
    base_url: str = "https://api.anthropic.com"
    rehearsal: Script | None = None
    cli: Path | None = None
    """The `claude` program; None finds it."""
    retries: int = 6
    environment: Mapping[str, str] = field(default_factory=dict)
    inspect: Inspect = looks_secret
    """Why a text may not be remembered."""

    uses_folder = True
    goes_on = True

    async def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:  # noqa: ARG002
        """Raises NoCredentials, CredentialsRefused, ModelOverloaded, ModelRefused, TurnsExhausted, BudgetExhausted,
        EngineFailed."""
        from claude_agent_sdk import ResultMessage

        folder = workspace.folder.resolve()
        meter, discretion, result = Meter(), Discretion(self.inspect), None
        heard: Heard = asyncio.Queue(QUEUED)
        async with AsyncExitStack() as stack:
            stage = await stack.enter_async_context(Rehearsal(self.rehearsal)) if self.rehearsal else None
            if stage:
                yield Draft(EventType.WARNING, {"code": "rehearsal", "message": announcement(stage.script)})
            program = await self._prepare(stack, stage, workspace)
            names = names_of(folder, program.parent.resolve())
            rules = read_rules((*brief.claude.allowed_tools, REMEMBER), folder)
            options = _options(brief, program, rules, workspace.run_id, names)
            notebook = Notebook(brief.skill, brief.memory, self.inspect)
            options.mcp_servers = {SERVER: memory_server(notebook, heard.put, names, held=brief.review)}
            messages = await stack.enter_async_context(aclosing(_messages(prompt_of(brief), options, workspace.run_id, heard)))
            async for message in messages:
                if isinstance(message, Draft):
                    yield message
                    continue
                for draft in drafts(message, names):
                    yield discretion.over(draft)
                if isinstance(message, ResultMessage):
                    yield meter.usage_of(message)
                    result = message
        yield _outcome(result, stage, names)

    async def _prepare(self, stack: AsyncExitStack, stage: Rehearsal | None, workspace: Workspace) -> Path:
        """Opens the way to the model, and gives the program that starts Claude Code on it."""
        if stage:
            url, credentials = stage.url, Credentials("ANTHROPIC_API_KEY", SecretStr("rehearsal"), "the rehearsal")
        else:
            url, credentials = self.base_url, await self.credentials.find()
        entrance = await stack.enter_async_context(messages_proxy(url, credentials.secret))
        environment = {
            **self.environment,
            **QUIET,
            MARK: workspace.run_id,
            "ANTHROPIC_BASE_URL": entrance.url,
            credentials.variable: entrance.key,
            "CLAUDE_CODE_MAX_RETRIES": str(self.retries),
        }
        return stack.enter_context(launcher(self.cli or find_claude(), workspace.folder, environment))


def announcement(script: Script) -> str:
    return f"This was a rehearsal: no model was asked, every reply came from {script.name}."


def names_of(folder: Path, private: Path) -> dict[str, str]:
    """What others read in place of this machine's paths. In this order, for one begins with another."""
    as_one_name = re.sub(r"[^A-Za-z0-9]", "-", str(folder))  # so Claude Code calls what it keeps for a folder
    return {str(private): "~", as_one_name: "workspace", str(folder): ".", str(folder.parent): ".."}


def prompt_of(brief: Brief) -> str:
    """The task in the caller's words, then its arguments and files."""
    parts = [brief.prompt]
    if brief.args:
        parts.append(f"Arguments:\n```json\n{json.dumps(brief.args, indent=2, ensure_ascii=False)}\n```")
    if brief.files:
        parts.append("Files handed over:\n" + "\n".join(f"- input/{file.name}" for file in brief.files))
    return "\n\n".join(parts)


def system_prompt_of(brief: Brief) -> str:
    """What Claude Code's own system prompt is followed by."""
    parts = (brief.instruction, SURROUNDINGS, notes_for(brief.memory), earlier_messages(brief.conversation))
    return "\n\n".join(filter(None, parts))


def _options(brief: Brief, program: Path, rules: ToolRules, run_id: str, names: Mapping[str, str]) -> "ClaudeAgentOptions":
    from claude_agent_sdk import ClaudeAgentOptions, HookMatcher

    async def guard(call: "HookInput", _id: str | None, _context: "HookContext") -> "SyncHookJSONOutput":
        tool = cast("PreToolUseHookInput", call)
        reason = rules.refusal(tool["tool_name"], tool["tool_input"])
        return _denial(reason) if reason else {}

    wanted = brief.claude
    return ClaudeAgentOptions(
        cli_path=program,
        cwd=rules.folder,
        env={MARK: run_id},
        system_prompt={"type": "preset", "preset": "claude_code", "append": system_prompt_of(brief)},
        verbatim_prompts=True,  # a caller's `@/etc/passwd` or `/command` is text
        model=wanted.model,
        effort=cast("EffortLevel | None", wanted.effort),
        max_turns=wanted.max_turns,
        max_budget_usd=wanted.budget_usd,
        tools=rules.names,
        allowed_tools=rules.allowed,
        permission_mode="dontAsk",
        extra_args={"restricted": None},
        hooks={"PreToolUse": [HookMatcher(hooks=[guard], on_failure="block")]},
        setting_sources=[],
        strict_mcp_config=True,
        max_buffer_size=LARGEST_MESSAGE,
        stderr=lambda line: log.warning("claude_stderr", run=run_id, line=renamed(line, names)),
    )


def _denial(reason: str) -> "SyncHookJSONOutput":
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }


async def _messages(
    prompt: str, options: "ClaudeAgentOptions", run_id: str, heard: Heard
) -> AsyncGenerator["Message | Draft", None]:
    """What is heard until Claude Code ends. Closing this, or cancelling who reads it, ends all of the run's processes.

    The SDK runs in a task of its own, so that its cancel scopes are entered and left in one place whoever closes this.
    """
    from claude_agent_sdk import ResultMessage

    reader = asyncio.create_task(_read(prompt, options, heard))
    finished = False
    try:
        while (item := await heard.get()) is not None:
            if not isinstance(item, Exception):
                finished = finished or isinstance(item, ResultMessage)
                yield item
            elif not finished:  # after a result, it is the same failure once more
                log.warning("claude_broke", error=type(item).__name__, exit_code=getattr(item, "exit_code", None))
                raise broken(item)
    finally:
        await to_the_end(_end(run_id, reader))


async def _end(run_id: str, reader: asyncio.Task[None]) -> None:
    await end_run(run_id)
    reader.cancel()
    await asyncio.wait({reader})


async def _read(prompt: str, options: "ClaudeAgentOptions", heard: Heard) -> None:
    from claude_agent_sdk import query

    try:
        async with aclosing(cast("AsyncGenerator[Message, None]", query(prompt=prompt, options=options))) as messages:
            async for message in messages:
                await heard.put(message)
    except Exception as error:  # noqa: BLE001  # whatever ends the other process's stream, who waits for it must hear of it
        await heard.put(error)
    await heard.put(None)


def _outcome(result: "ResultMessage | None", stage: Rehearsal | None, names: Mapping[str, str]) -> Result:
    if stage and stage.failure:
        raise ModelRefused(renamed(stage.failure, names))
    if result is None:
        raise EngineFailed("Claude Code ended without a result; the worker's log says more. Run the task again.")
    if failure := failure_of(result):
        raise failure
    text: str = renamed(result.result or "", names)
    if not stage:
        return Result(text=text)
    if stage.unheard:
        raise ModelRefused(stage.unheard)
    return Result(text=f"{announcement(stage.script)}\n\n{text}", data={"rehearsal": True})
