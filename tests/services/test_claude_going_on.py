"""The `claude` engine with the real Claude Code: told something while it works, stopped in the middle, and gone on with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.src.clock import Clock
from agents.src.errors import BudgetExhausted
from agents.src.services.claude_code import ClaudeEngine
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.claude_questions import ASK_CALLER
from agents.src.services.claude_talk import GO_ON
from agents.src.services.database import open_database
from agents.src.services.processes import processes_of
from agents.src.services.rehearsal import Script
from agents.src.services.transcript_store import SqlTranscriptStore
from agents.src.tasks import (
    Action,
    Answer,
    Brief,
    ClaudeOptions,
    Draft,
    EventType,
    Nobody,
    Parked,
    Question,
    Result,
    Workspace,
)

DEAR = {"input": 100_000, "output": 10}
WAIT = {"name": "Bash", "input": {"command": "touch output/begun; while [ ! -e output/go ]; do sleep 0.05; done; cat output/go"}}
ASKS = {"name": ASK_CALLER, "input": {"text": "Where to?"}}


def script(*replies: dict[str, Any]) -> Script:
    return Script.model_validate({"name": "trial.yaml", "replies": replies})


class Person(Nobody):
    """An `Ask`: says what is put into `saying`, None to stop the run; leaves questions open until they are `told` something."""

    def __init__(self) -> None:
        self.saying: asyncio.Queue[str | None] = asyncio.Queue()
        self.told: str | None = None

    async def __call__(self, question: Question, key: str | None = None, *, likened: bool = False) -> Answer:
        if self.told is None:
            raise Parked
        return Answer(action=Action.ACCEPT, text=self.told)

    async def heard(self) -> str | None:
        return await self.saying.get()


class Stage:
    """One task whose runs are carried out by hand, with a real database for its transcript."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(f"{(task := Clock().new_id())}:1", folder / "workspace", f"{task}:1")
        for made in (self.workspace.input, self.workspace.output):
            made.mkdir(parents=True)
        self.folder = folder
        self.db = open_database(None, folder / "state")
        self.person = Person()
        self.drafts: list[Draft] = []

    async def run(self, played: Script, *said: str, goes_on: bool = False, **options: Any) -> Result:
        nobody = CredentialSource(self.folder / "no-login", keychain=False)
        engine = ClaudeEngine(nobody, rehearsal=played, retries=1, transcripts=SqlTranscriptStore(self.db))
        claude = ClaudeOptions(allowed_tools=("Read", "Bash", "Write(output/**)"), **options)
        brief = Brief(
            skill="trial", engine="claude", instruction="Do it well.", prompt="Do it.", timeout=60, claude=claude, said=said
        )
        results = []
        try:
            async for item in engine.run(brief, replace(self.workspace, goes_on=goes_on), self.person):
                if isinstance(item, Draft):
                    self.drafts.append(item)
                else:
                    results.append(item)
        finally:
            assert processes_of(self.workspace.run_id) == set()
        [result] = results
        return result

    async def begun(self, played: Script) -> asyncio.Task[Result]:
        """A run whose tool has made the file `begun`."""
        run = asyncio.create_task(self.run(played))
        await until((self.workspace.output / "begun").exists)
        return run

    def of(self, kind: EventType) -> list[dict[str, Any]]:
        return [draft.data for draft in self.drafts if draft.type is kind]


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    stage = Stage(folder)
    try:
        yield stage
    finally:
        await stage.db.close()


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not there():  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.02)


def test_what_is_said_while_a_tool_runs_is_heard_in_the_same_turn(tmp_path: Path) -> None:
    async def story() -> None:
        async with staged(tmp_path) as stage:
            played = script({"tools": [WAIT]}, {"expect": "Mind the doors, too.", "text": "Both."})
            run = await stage.begun(played)
            stage.person.saying.put_nowait("Mind the doors, too.")
            await asyncio.sleep(0.5)  # so that it has reached Claude Code: else it is heard a turn later
            (stage.workspace.output / "go").write_text("gone")
            assert (await run).text.endswith("Both.")
            assert [data["text"] for data in stage.of(EventType.TOOL_RESULT)] == ["gone"]

    asyncio.run(story())


def test_what_is_said_at_the_last_moment_has_a_turn_of_its_own(tmp_path: Path) -> None:
    begin = {"name": "Bash", "input": {"command": "touch output/begun"}}

    async def story() -> None:
        async with staged(tmp_path) as stage:
            played = script({"tools": [begin]}, {"text": "One.", "delay": 3}, {"expect": "And the other?", "text": "Two."})
            run = await stage.begun(played)
            await asyncio.sleep(1)  # so that the tool's result is on its way
            stage.person.saying.put_nowait("And the other?")
            assert (await run).text.endswith("Two.")

    asyncio.run(story())


@pytest.mark.parametrize("said", [(), ("Use the left one.", "Quickly.")])
def test_a_run_that_is_stopped_in_the_middle_goes_on_there(tmp_path: Path, said: tuple[str, ...]) -> None:
    write = {"name": "Write", "input": {"file_path": "output/notes.txt", "content": "hidden treasure"}}

    async def story() -> None:
        async with staged(tmp_path) as stage:
            played = script(
                {"tools": [write]},
                {"tools": [WAIT]},
                {"expect": "\n\n".join(said) or GO_ON, "tools": [{"name": "Read", "input": {"file_path": "output/notes.txt"}}]},
                {"expect": "hidden treasure", "text": "Done."},
            )
            run = await stage.begun(played)
            stage.person.saying.put_nowait(None)
            with pytest.raises(Parked):
                await run
            [used] = [draft.usage for draft in stage.drafts if draft.type is EventType.USAGE]
            assert (used.input_tokens, used.output_tokens) == (200, 40)
            result = await stage.run(played, *said, goes_on=True)
            assert result.text.endswith("Done.")
            assert [data["name"] for data in stage.of(EventType.TOOL_CALL)] == ["Write", "Bash", "Read"]

    asyncio.run(story())


def test_where_the_budget_ends_it_goes_on_with_more_of_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with staged(tmp_path) as stage:
            dear = {"tools": [{"name": "Bash", "input": {"command": "echo one >> output/log"}}], "usage": DEAR}
            played = script(dear, {"expect": GO_ON, "text": "Done.", "usage": DEAR})
            with pytest.raises(BudgetExhausted):
                await stage.run(played, budget_usd=0.01)
            spent = [draft.usage.cost_usd for draft in stage.drafts if draft.type is EventType.USAGE]
            assert (await stage.run(played, goes_on=True, budget_usd=spent[0] * 1.5)).text.endswith("Done.")
            first, second = (draft.usage.cost_usd for draft in stage.drafts if draft.type is EventType.USAGE)
            assert first == pytest.approx(second, rel=0.05)

    asyncio.run(story())


def test_what_is_said_to_a_parked_run_is_heard_after_its_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with staged(tmp_path) as stage:
            played = script(
                {"tools": [ASKS]},
                {"expect": "over there", "tools": [{"name": "Bash", "input": {"command": "echo here"}}]},
                {"expect": "And do not stay.", "text": "Went."},
            )
            with pytest.raises(Parked):
                await stage.run(played)
            stage.person.told = "over there"
            assert (await stage.run(played, "And do not stay.", goes_on=True)).text.endswith("Went.")

    asyncio.run(story())


def test_what_was_said_and_not_heard_outlives_a_stop(tmp_path: Path) -> None:
    async def story() -> None:
        async with staged(tmp_path) as stage:
            played = script({"tools": [WAIT]}, {"expect": "Take the coat.", "text": "Took it."})
            run = await stage.begun(played)
            stage.person.saying.put_nowait("Take the coat.")
            await until(stage.person.saying.empty)
            stage.person.saying.put_nowait(None)
            with pytest.raises(Parked):
                await run
            assert (await stage.run(played, goes_on=True)).text.endswith("Took it.")

    asyncio.run(story())
