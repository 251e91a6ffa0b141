"""What of a conversation with Claude Code outlives its process: it is kept when a run is parked, and taken up by the next."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agents.src.services.claude_asking import Asker
from agents.src.services.claude_options import INTERRUPTED, prompt_of
from agents.src.services.claude_transcript import SPENT, Past, gone_on_with, past_of
from agents.src.services.transcript_store import Entry, RunTranscript
from agents.src.tasks import Ask, Brief, Draft, EventType, Workspace

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions
    from claude_agent_sdk.types import SessionStore

LEAST = 0.000_001
"""US dollars: where nothing is left, Claude Code asks the model once more and then says so."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one run has with Claude Code. Without a `record`, nothing outlives the process.

    `past` is what an earlier run left to go on with, `subagents` their transcripts, by path.
    """

    brief: Brief
    workspace: Workspace
    ask: Ask
    record: RunTranscript | None = None
    past: Past | None = None
    subagents: Mapping[str, Sequence[Entry]] | None = None

    @property
    def prompt(self) -> str | None:
        """None: Claude Code goes on by itself."""
        if self.past:
            return None
        prompt = prompt_of(self.brief)
        return f"{prompt}\n\n{INTERRUPTED}" if self.workspace.goes_on else prompt

    def anew(self) -> "Conversation":
        """The same from its beginning."""
        if self.record:
            self.record.begin_anew()
        return replace(self, past=None, subagents=None)

    async def keep(self) -> None:
        """Before anybody is asked: from now on, this run may be parked. Raises Unavailable."""
        if self.record:
            await self.record.keep()

    async def park(self, cost_usd: float) -> None:
        """After the process has ended. Raises Unavailable."""
        if self.record:
            self.record.add([{"type": SPENT, "usd": cost_usd}])
            await self.record.keep()

    async def take_up(self, asker: Asker, options: "ClaudeAgentOptions", config: Path) -> AsyncGenerator[Draft, None]:
        """Before the process starts: what was said before lies in `config`. Gives the results of calls that had been put off."""
        if self.record:
            options.session_store, options.session_store_flush = cast("SessionStore", self.record), "eager"
            options.session_id = None if self.past else self.record.session
        if not self.record or not self.past:
            return
        results = {call.id: await asker.told(call.tool, call.given, call.id) for call in self.past.put_off}
        for call_id, told in results.items():
            yield Draft(EventType.TOOL_RESULT, {"id": call_id, "is_error": told.is_error, "text": told.text})
        entries, added = gone_on_with(self.past, results)
        self.record.add(added)
        options.resume = self.record.session
        if options.max_budget_usd is not None:
            options.max_budget_usd = max(options.max_budget_usd - self.past.spent, LEAST)
        transcripts = {**(self.subagents or {}), "": entries}
        await asyncio.to_thread(lay_out, config, Path(options.cwd or "."), self.record.session, transcripts)


async def conversation(brief: Brief, workspace: Workspace, ask: Ask, record: RunTranscript | None) -> Conversation:
    """Goes on with what an earlier run left, if there is something and the folder is as it was then. Raises Unavailable."""
    found = await record.past() if record and workspace.goes_on else {}
    past = past_of(found.pop("", []))
    if record and not past:
        record.begin_anew()
    return Conversation(brief, workspace, ask, record, past, found)


def lay_out(config: Path, folder: Path, session: str, transcripts: Mapping[str, Sequence[Entry]]) -> None:
    """Writes transcripts to where Claude Code, whose own folder is `config`, looks for those of work in `folder`."""
    from claude_agent_sdk import project_key_for_directory

    project = config / "projects" / project_key_for_directory(str(folder))
    for subpath, entries in transcripts.items():
        path = project / f"{session}.jsonl" if not subpath else project / session / f"{subpath}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
