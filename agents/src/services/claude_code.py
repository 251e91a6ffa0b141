"""The `claude` engine: Claude Code does the work of a run, through claude-agent-sdk."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr

from agents.src.errors import EngineFailed, ModelRefused
from agents.src.memory import Inspect, Notebook
from agents.src.services.claude_asking import Asker, caller_server
from agents.src.services.claude_conversation import Conversation, conversation
from agents.src.services.claude_credentials import Credentials, CredentialSource
from agents.src.services.claude_environment import find_claude, launcher
from agents.src.services.claude_errors import failure_of
from agents.src.services.claude_events import Meter, drafts, renamed
from agents.src.services.claude_memory import SERVER as MEMORY
from agents.src.services.claude_memory import Discretion, memory_server
from agents.src.services.claude_options import config_of, names_of, options_of
from agents.src.services.claude_questions import SERVER as CALLER
from agents.src.services.claude_stream import Alive, Fatal, Heard, NotResumed, messages
from agents.src.services.messages_proxy import messages_proxy
from agents.src.services.processes import MARK
from agents.src.services.rehearsal import Rehearsal, Script
from agents.src.services.secrets import looks_secret
from agents.src.services.transcript_store import RunTranscript, Transcripts
from agents.src.tasks import Ask, Brief, Draft, EventType, Parked, Result, Workspace

if TYPE_CHECKING:
    from claude_agent_sdk import ResultMessage

QUEUED = 64  # messages read ahead of the reader
QUIET = {
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClaudeEngine:
    """Runs a skill's instruction in Claude Code, in a home of its own, with no more tools than the skill allows.

    With a `rehearsal`, its script speaks in place of the model, and no credentials are looked for. `retries` says how often
    Claude Code asks a failing service again; it waits half a second before the first time and twice as long each further one.
    `environment` is what tools get beside the few variables all have. Without `transcripts`, a run that was parked begins anew.
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
    transcripts: Transcripts | None = None
    silence: float = 60.0
    """Seconds after which a conversation that was to be gone on with is given up if nothing comes of it."""

    uses_folder = True
    goes_on = True

    async def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        """Raises NoCredentials, CredentialsRefused, ModelOverloaded, ModelRefused, TurnsExhausted, BudgetExhausted,
        EngineFailed, Parked, and what `ask` raises."""
        record = RunTranscript(self.transcripts, workspace.session or workspace.run_id) if self.transcripts else None
        talk = await conversation(brief, workspace, ask, record)
        try:
            async with aclosing(self._converse(talk)) as happenings:
                async for happening in happenings:
                    yield happening
        except NotResumed as why:
            log.warning("claude_not_resumed", run=workspace.run_id, why=str(why))
        else:
            return
        async with aclosing(self._converse(talk.anew())) as happenings:
            async for happening in happenings:
                yield happening

    async def _converse(self, talk: Conversation) -> AsyncGenerator[Draft | Result, None]:
        """One process of Claude Code. Raises NotResumed, and what `run` raises."""
        from claude_agent_sdk import ResultMessage

        brief, workspace = talk.brief, talk.workspace
        meter, discretion, result = Meter(), Discretion(self.inspect), None
        heard: Heard = asyncio.Queue(QUEUED)
        async with AsyncExitStack() as stack:
            stage = await stack.enter_async_context(Rehearsal(self.rehearsal)) if self.rehearsal else None
            if stage:
                yield Draft(EventType.WARNING, {"code": "rehearsal", "message": announcement(stage.script)})
            program = await self._prepare(stack, stage, workspace)
            names = names_of(workspace.folder.resolve(), program.parent.resolve())
            asker = Asker(talk.ask, names, talk.keep, lambda error: heard.put(Fatal(error)), likened=talk.past is None)
            options = options_of(brief, program, workspace, names, asker)
            notebook = Notebook(brief.skill, brief.memory, self.inspect)
            memory = memory_server(notebook, heard.put, names, held=brief.review)
            options.mcp_servers = {MEMORY: memory, CALLER: caller_server()}
            async for draft in talk.take_up(asker, options, config_of(program)):
                yield discretion.over(draft)
            alive = Alive(lambda: asker.was_called, self.silence)
            said = messages(talk.prompt, options, workspace.run_id, heard, alive)
            async for message in await stack.enter_async_context(aclosing(said)):
                if isinstance(message, Draft):
                    yield message
                    continue
                for draft in drafts(message, names):
                    if not asker.hides(draft):
                        yield discretion.over(draft)
                if isinstance(message, ResultMessage):
                    yield meter.usage_of(message)
                    result = message
        if result and result.deferred_tool_use and not result.is_error:
            await talk.park(meter.cost_usd)
            raise Parked
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
