"""The `claude` engine: Claude Code does the work of a run, through claude-agent-sdk."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr

from agents.src.errors import BudgetExhausted, EngineFailed, ModelRefused
from agents.src.memory import Inspect, Notebook
from agents.src.services.claude_asking import Asker, caller_server
from agents.src.services.claude_credentials import Credentials, CredentialSource
from agents.src.services.claude_errors import failure_of
from agents.src.services.claude_events import Meter, drafts, renamed
from agents.src.services.claude_memory import SERVER as MEMORY
from agents.src.services.claude_memory import Discretion, memory_server
from agents.src.services.claude_options import config_of, names_of, options_of
from agents.src.services.claude_program import ClaudeProgram
from agents.src.services.claude_questions import SERVER as CALLER
from agents.src.services.claude_speech import Speech
from agents.src.services.claude_stream import Alive, Fatal, Heard, NotResumed, goes_on, messages
from agents.src.services.claude_talk import Talk, talk_of
from agents.src.services.rehearsal import Rehearsal, Script
from agents.src.services.secrets import looks_secret
from agents.src.services.transcript_store import RunTranscript, Transcripts
from agents.src.tasks import LEAST, Ask, Brief, Draft, EventType, Parked, Result, Workspace

if TYPE_CHECKING:
    from claude_agent_sdk import Message, ResultMessage

QUEUED = 64  # messages read ahead of the reader
LEAVE = 5.0
"""Seconds in which Claude Code, having put off a call, brings what else it is doing to an end. Then it is ended."""

log = structlog.get_logger()


class NotHeard(Exception):
    """Claude Code ended before it took in all that it was told; another process has to."""


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
        talk, spent = await talk_of(brief, workspace, ask, record), 0.0
        while True:
            try:
                async with aclosing(self._converse(talk)) as happenings:
                    async for happening in happenings:
                        spent += happening.usage.cost_usd if isinstance(happening, Draft) else 0.0
                        yield happening
            except NotResumed as why:
                log.warning("claude_not_resumed", run=workspace.run_id, why=str(why))
                talk = talk.anew()
            except NotHeard:
                talk = await talk_of(with_less(brief.handed_over(), spent), replace(workspace, goes_on=True), ask, record)
            else:
                return

    async def _converse(self, talk: Talk) -> AsyncGenerator[Draft | Result, None]:
        """One process of Claude Code. Raises NotResumed, NotHeard, and what `run` raises."""
        brief, workspace, speech = talk.brief, talk.workspace, talk.speech()
        heard: Heard = asyncio.Queue(QUEUED)
        async with AsyncExitStack() as stack:
            stage = await stack.enter_async_context(Rehearsal(self.rehearsal)) if self.rehearsal else None
            if stage:
                yield Draft(EventType.WARNING, {"code": "rehearsal", "message": announcement(stage.script)})
            program = await self._prepare(stack, stage, workspace)
            names = names_of(workspace, program.parent.resolve())
            asker = Asker(talk.ask, names, talk.keep, lambda error: heard.put(Fatal(error)), likened=talk.past is None)
            options = options_of(brief, program, workspace, names, asker)
            notebook = Notebook(brief.skill, brief.memory, self.inspect)
            memory = memory_server(notebook, heard.put, names, held=brief.review)
            options.mcp_servers = {MEMORY: memory, CALLER: caller_server()}
            minutes = Minutes(speech, asker, names, Discretion(self.inspect))
            try:
                async for draft in talk.take_up(asker, options, config_of(program)):
                    yield minutes.discretion.over(draft)
                stack.enter_context(listening(talk.ask, speech, asker, heard))
                alive = Alive(lambda: asker.was_called, self.silence) if speech.is_silent else None
                said = messages(speech, options, workspace.run_id, heard, alive)
                async for message in await stack.enter_async_context(aclosing(said)):
                    for draft in minutes.of(message):
                        yield draft
                outcome = _outcome(minutes.result, stage, names, speech)
                await talk.end(config_of(program), speech)
            except (Parked, BudgetExhausted, NotHeard):
                used = await talk.set_down(config_of(program), speech)
                if used and minutes.result is None:  # it was ended before it could say so
                    yield minutes.meter.usage_of(used)
                raise
        yield outcome

    async def _prepare(self, stack: AsyncExitStack, stage: Rehearsal | None, workspace: Workspace) -> Path:
        """Opens the way to the model, and gives the program that starts Claude Code on it."""
        if stage:
            url, credentials = stage.url, Credentials("ANTHROPIC_API_KEY", SecretStr("rehearsal"), "the rehearsal")
        else:
            url, credentials = self.base_url, await self.credentials.find()
        program = ClaudeProgram(self.cli, self.retries, self.environment)
        return await stack.enter_async_context(program.opened(url, credentials, workspace.folder, workspace.run_id))


@dataclass(slots=True)
class Minutes:
    """Makes of what one process says what the task is told."""

    speech: Speech
    asker: Asker
    names: Mapping[str, str]
    discretion: Discretion
    meter: Meter = field(default_factory=Meter)
    result: "ResultMessage | None" = None

    def of(self, message: "Message | Draft") -> Iterator[Draft]:
        from claude_agent_sdk import ResultMessage

        if isinstance(message, Draft):
            yield message
            return
        if goes_on(message):
            self.speech.release()
        for draft in drafts(message, self.names):
            if not self.asker.hides(draft):
                yield self.discretion.over(draft)
        if isinstance(message, ResultMessage):
            yield self.meter.usage_of(message.model_usage or {}, message.num_turns)
            self.result = message


def announcement(script: Script) -> str:
    return f"This was a rehearsal: no model was asked, every reply came from {script.name}."


def with_less(brief: Brief, spent: float) -> Brief:
    """The brief of one more process of the same run: it may spend what those before it left."""
    budget = brief.claude.budget_usd
    # Where nothing is left, Claude Code asks the model once more and then says so.
    return brief.limited_to(None if budget is None else max(budget - spent, LEAST))


@contextmanager
def listening(ask: Ask, speech: Speech, asker: Asker, heard: Heard) -> Iterator[None]:
    """Hands on what the caller says meanwhile, and that the run is to be parked."""

    async def listen() -> None:
        while (text := await ask.heard()) is not None:
            speech.say(text)
        if asker.is_putting_off:
            await asyncio.sleep(LEAVE)
        await heard.put(Fatal(Parked()))

    listener = asyncio.create_task(listen())
    try:
        yield
    finally:
        listener.cancel()


def _outcome(result: "ResultMessage | None", stage: Rehearsal | None, names: Mapping[str, str], speech: Speech) -> Result:
    """Raises Parked, NotHeard, and the error in which the run ended."""
    if result and result.deferred_tool_use and not result.is_error:
        raise Parked
    if stage and stage.failure:
        raise ModelRefused(renamed(stage.failure, names))
    if result is None:
        raise EngineFailed("Claude Code ended without a result; the worker's log says more. Run the task again.")
    if failure := failure_of(result):
        raise failure
    if not speech.is_heard:
        raise NotHeard
    text: str = renamed(result.result or "", names)
    if not stage:
        return Result(text=text)
    if stage.unheard:
        raise ModelRefused(stage.unheard)
    return Result(text=f"{announcement(stage.script)}\n\n{text}", data={"rehearsal": True})
