"""What one run has with Claude Code, and what of it outlives its process: kept when a run is parked, taken up by the next."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agents.src.services.claude_asking import Asker
from agents.src.services.claude_options import INTERRUPTED, prompt_of
from agents.src.services.claude_speech import Speech
from agents.src.services.claude_transcript import COST, UNHEARD, Past, gone_on_with, past_of
from agents.src.services.transcript_store import Entry, RunTranscript
from agents.src.tasks import Ask, Brief, Draft, EventType, Workspace

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions
    from claude_agent_sdk.types import SessionStore

GO_ON = "[You were stopped for a while. Nobody has changed anything. Go on where you were.]"


@dataclass(frozen=True, slots=True)
class Talk:
    """Of one process. Without a `record`, nothing outlives it.

    `past` is what an earlier process left to go on with, `subagents` their transcripts, by path. `further`: what is said to it
    beside the task, in the caller's words.
    """

    brief: Brief
    workspace: Workspace
    ask: Ask
    record: RunTranscript | None = None
    past: Past | None = None
    subagents: Mapping[str, Sequence[Entry]] | None = None
    further: tuple[str, ...] = ()

    def speech(self) -> Speech:
        """How it begins: with the task, with what is said further, or in silence where a call goes on that has its answer."""
        if self.past and self.past.held:
            return Speech(held_back=self.further)
        if self.past:
            return Speech("\n\n".join(self.further) or GO_ON)
        begun = [INTERRUPTED] if self.workspace.goes_on else []
        return Speech("\n\n".join([prompt_of(self.brief), *begun, *self.further]))

    def anew(self) -> "Talk":
        """The same from its beginning."""
        if self.record:
            self.record.begin_anew()
        return replace(self, past=None, subagents=None, further=self.brief.said_before + self.brief.said)

    async def keep(self) -> None:
        """Before anybody is asked: from now on, this run may be parked. Raises Unavailable."""
        if self.record:
            await self.record.keep()

    async def end(self, config: Path, speech: Speech) -> None:
        """After a process that did its work. What is said too late for it, another one hears, and goes on from here, not from
        where an earlier one was stopped. Raises Unavailable."""
        if self.record and self.record.is_kept:
            await self.set_down(config, speech)

    async def set_down(self, config: Path, speech: Speech) -> Mapping[str, Any] | None:
        """After the process has ended: the next one can go on from here, and is told what this one did not take in.

        What it used in all, by model, as far as Claude Code noted that down. Raises Unavailable.
        """
        if self.record is None:
            return None
        transcripts = await asyncio.to_thread(dict, laid_out(config, self.record.session))
        for subpath, entries in transcripts.items():
            self.record.fill_in(entries, subpath)
        said = transcripts.get("", [])
        self.record.add([{"type": UNHEARD, "texts": list(speech.unheard_by(said))}])
        await self.record.keep()
        return next((entry["modelUsage"] for entry in reversed(said) if entry["type"] == COST), None)

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
        transcripts = {**(self.subagents or {}), "": entries}
        await asyncio.to_thread(lay_out, config, Path(options.cwd or "."), self.record.session, transcripts)


async def talk_of(brief: Brief, workspace: Workspace, ask: Ask, record: RunTranscript | None) -> Talk:
    """Goes on with what an earlier process left, if there is something and the folder is as it was then. Raises Unavailable."""
    found = await record.past() if record and workspace.goes_on else {}
    talk = Talk(brief, workspace, ask, record, past_of(found.pop("", [])), found)
    return replace(talk, further=talk.past.unheard + brief.said) if talk.past else talk.anew()


def lay_out(config: Path, folder: Path, session: str, transcripts: Mapping[str, Sequence[Entry]]) -> None:
    """Writes transcripts to where Claude Code, whose own folder is `config`, looks for those of work in `folder`."""
    from claude_agent_sdk import project_key_for_directory

    project = config / "projects" / project_key_for_directory(str(folder))
    for subpath, entries in transcripts.items():
        path = project / f"{session}.jsonl" if not subpath else project / session / f"{subpath}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))


def laid_out(config: Path, session: str) -> Iterator[tuple[str, list[Entry]]]:
    """The transcripts that Claude Code wrote itself, by subpath: it hands over what it writes only a moment later."""
    for path in sorted((config / "projects").glob(f"*/{session}.jsonl")):
        yield "", list(_entries(path.read_text(errors="replace").splitlines()))
        for subagent in sorted((path.parent / session).rglob("*.jsonl")):
            subpath = subagent.relative_to(path.parent / session).with_suffix("").as_posix()
            yield subpath, list(_entries(subagent.read_text(errors="replace").splitlines()))


def _entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):  # the last one, of a process that was killed while it wrote
            yield json.loads(line)
