"""A responder: one call of a model through Claude Code, without tools, and without anything of this machine."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import structlog

from agents.src.clock import Clock
from agents.src.errors import EngineFailed, Problem, TimedOut
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.claude_decision import INSTRUCTION, Undecided, answer_of, prompt_of, schema_of
from agents.src.services.claude_errors import broken, failure_of
from agents.src.services.claude_events import Meter
from agents.src.services.claude_options import config_of
from agents.src.services.claude_program import ClaudeProgram
from agents.src.services.processes import MARK, end_run, to_the_end
from agents.src.tasks import Asked, Draft, Event, Question, Response

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, Message, ResultMessage

MOST_TURNS = 3
"""A reply, Claude Code's receipt for it, and one more where the first was not as it has to be."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClaudeResponder:
    """Implements `Responder`. `model`: None leaves the choice to Claude Code. `patience` in seconds, for one question."""

    credentials: CredentialSource
    base_url: str = "https://api.anthropic.com"
    model: str | None = None
    cli: Path | None = None
    """The `claude` program; None finds it."""
    retries: int = 3
    patience: float = 120.0
    clock: Clock = field(default_factory=Clock)

    async def respond(self, asked: Asked, prompt: str, events: Sequence[Event]) -> Response:
        """Whatever goes wrong is logged, and is no answer."""
        spent: Draft | None = None
        try:
            result = await self._ask(asked, prompt_of(asked, prompt, events))
            spent = spent_by(result)
            log.info("responder_spent", question=asked.id, **spent.usage.model_dump())
            return Response(answer_of(reply_in(result), asked.question, model_of(result)), spent)
        except Undecided as why:
            log.info("responder_undecided", question=asked.id, why=str(why))
        except Problem as error:
            log.warning("responder_failed", question=asked.id, model=self.model or "default", detail=error.detail)
        return Response(None, spent)

    async def _ask(self, asked: Asked, message: str) -> "ResultMessage":
        """One process, from its beginning to its end. Raises NoCredentials, EngineFailed, TimedOut."""
        # No run's id: whoever ends the processes of the task's runs does not end these.
        run_id = f"responder:{asked.id}:{self.clock.new_id()}"
        work = asyncio.create_task(self._converse(run_id, asked.question, message))
        limit = asyncio.create_task(self.clock.sleep(self.patience))
        try:
            await asyncio.wait({work, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise TimedOut(f"The responder was not done after {self.patience:g} seconds.")
            return work.result()
        finally:
            limit.cancel()
            await to_the_end(ended(run_id, work))

    async def _converse(self, run_id: str, question: Question, message: str) -> "ResultMessage":
        credentials = await self.credentials.find()
        with TemporaryDirectory(prefix="modal-invoke-responder-", ignore_cleanup_errors=True) as private:
            folder = an_empty_one_in(private)
            program = ClaudeProgram(self.cli, self.retries)
            async with program.opened(self.base_url, credentials, folder, run_id) as claude:
                return await result_of(message, options_of(claude, folder, run_id, question, self.model))


def an_empty_one_in(private: str) -> Path:
    """Beside it lies what starts Claude Code."""
    folder = Path(private, "empty")
    folder.mkdir()
    return folder


async def ended(run_id: str, work: "asyncio.Task[ResultMessage]") -> None:
    """Ends the processes first: then nothing that has to be closed waits for them."""
    await end_run(run_id)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await end_run(run_id)  # one that was just about to begin


def options_of(program: Path, folder: Path, run_id: str, question: Question, model: str | None) -> "ClaudeAgentOptions":
    """No tools, no settings of anybody, no servers, nothing kept; a reply that is a decision."""
    from claude_agent_sdk import ClaudeAgentOptions

    return ClaudeAgentOptions(
        cli_path=program,
        cwd=folder,
        env={MARK: run_id, "CLAUDE_CONFIG_DIR": str(config_of(program))},
        system_prompt=INSTRUCTION,
        verbatim_prompts=True,  # `@/etc/passwd` or `/command` is text
        model=model,
        max_turns=MOST_TURNS,
        tools=[],
        permission_mode="dontAsk",
        extra_args={"restricted": None, "no-session-persistence": None},
        setting_sources=[],
        strict_mcp_config=True,
        output_format={"type": "json_schema", "schema": schema_of(question)},
        stderr=lambda line: log.warning("claude_stderr", run=run_id, line=line),
    )


async def result_of(message: str, options: "ClaudeAgentOptions") -> "ResultMessage":
    """Raises EngineFailed where Claude Code ends without one."""
    from claude_agent_sdk import ResultMessage, query

    result: ResultMessage | None = None
    try:
        said = cast("AsyncGenerator[Message, None]", query(prompt=message, options=options))
        async with aclosing(said) as spoken:
            async for part in spoken:
                if isinstance(part, ResultMessage):
                    result = part
    except Exception as error:  # noqa: BLE001  # whatever ends the other process's stream
        if result is None:
            raise broken(error) from None
        # After a result, it is the same failure once more.
    if result is None:
        raise EngineFailed("Claude Code ended without a result; the lines before this one in the log say more.")
    return result


def reply_in(result: "ResultMessage") -> object:
    """Raises Undecided, and the error in which the call ended."""
    if result.subtype == "error_max_turns":
        raise Undecided("None of its replies was a decision.")
    if failure := failure_of(result):
        raise failure
    return result.structured_output


def spent_by(result: "ResultMessage") -> Draft:
    """The event that tells what the call has cost, and that no run of the task made it."""
    spent = Meter().usage_of(result.model_usage or {}, result.num_turns)
    return replace(spent, data=spent.data | {"by": "responder"})


def model_of(result: "ResultMessage") -> str:
    return next(iter(result.model_usage or {}), "responder")
