"""What it costs a run of Claude Code to be parked, and how soon an answer is with one that is held.

Cold: a run of two replies, to its first tool's result and to its end. Resumed: the same with a question in the first reply,
that was parked and is answered; from the answer on. Both take turns, with cold runs that cannot be parked. Held: from the answer,
given as the server gives it, to the tool's result, for each of the tools that ask, beside the time that Claude Code takes for a
tool of its own (Read, from the call to the result). Each run is a task of the assembled program on SQLite; the model is a
rehearsal, and answers at once.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # also without the package installed

import structlog

from agents.src.bootstrap import Parts, bootstrap
from agents.src.services.claude_code import ClaudeEngine
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.claude_questions import ASK_CALLER, ASK_USER
from agents.src.services.database import open_database
from agents.src.services.rehearsal import Script
from agents.src.services.transcript_store import SqlTranscriptStore
from agents.src.settings import read_settings
from agents.src.skills import Catalogue, Skill, SkillRequest
from agents.src.tasks import Action, Answer, Asked, Caller, ClaudeOptions, Event, EventType, QuestionFilter, QuestionState, Task

ASK = {"name": ASK_CALLER, "input": {"text": "Which?"}}
OPTIONS = [{"label": label, "description": ""} for label in ("yes", "no")]
QUESTION = {"question": "Which?", "header": "This", "multiSelect": False, "options": OPTIONS}
ASK_TOO = {"name": ASK_USER, "input": {"questions": [QUESTION]}}
READ = {"name": "Read", "input": {"file_path": "input/none.txt"}}
COLD, PARKED, HELD = "cold", "parked", "held"
YES = Answer(action=Action.ACCEPT, text="yes")
TIMES = 6
"""That a held run does each, one after the other; the first time is not counted."""


def script(*calls: dict[str, Any]) -> Script:
    replies = [*({"tools": [call]} for call in calls), {"text": "Done."}]
    return Script.model_validate({"name": "benchmark", "replies": replies})


SCRIPTS = {COLD: script(READ), PARKED: script(ASK), HELD: script(*[ASK, ASK_TOO, READ] * TIMES)}


class House:
    """The program with one skill, whose runs are held for so many seconds. Tells when things happened."""

    def __init__(self, state: Path, name: str, hold: float = 0, *, kept: bool = True) -> None:
        settings = read_settings(token="x" * 40, state_dir=state, question_hold_seconds=hold, rate=None, rehearsal=None)
        db = open_database(None, state)
        self.transcripts = Counting(db)
        nobody = CredentialSource(state / "no-login", keychain=False)
        claude = ClaudeEngine(nobody, rehearsal=SCRIPTS[name], transcripts=self.transcripts if kept else None)
        options = ClaudeOptions(allowed_tools=("Read",))
        skill = Skill(name=name, description="Asks.", instruction="Ask.", folder=Path(name), claude=options)
        self.parts: Parts = bootstrap(settings, catalogue=Catalogue.of([skill]), engines={"claude": claude}, db=db)
        self.name = name
        self.happened: list[tuple[float, Event]] = []
        self.news = asyncio.Event()

    async def __aenter__(self) -> "House":
        await self.parts.open()
        self.parts.hub.listeners.append(self.hear)
        return self

    def hear(self, events: Sequence[Event]) -> None:
        self.happened += [(time.perf_counter(), event) for event in events]
        self.news.set()

    async def __aexit__(self, *_: object) -> None:
        await self.parts.close()

    async def submit(self) -> Task:
        self.happened.clear()
        request = SkillRequest(skill=self.name, task="Please.")
        return (await self.parts.dispatcher.dispatch(request, Caller("bench"), self.parts.clock.new_id())).task

    async def when(self, kind: EventType, times: int = 1) -> float:
        """When it happened for the so manieth time."""
        async with asyncio.timeout(120):
            while len(found := [at for at, event in self.happened if event.type is kind]) < times:
                if any(event.type is EventType.FAILED for _, event in self.happened):
                    raise RuntimeError(self.happened[-1])
                self.news.clear()
                await self.news.wait()
        return found[times - 1]

    async def pending(self, task: Task) -> Asked:
        which = QuestionFilter(task_id=task.id, state=QuestionState.PENDING)
        [asked] = (await self.parts.questions.page(which, None, 2)).items
        return asked


class Counting(SqlTranscriptStore):
    """Counts what is written."""

    writes = entries = 0

    async def append(self, key: Any, entries: Any) -> None:
        self.writes, self.entries = self.writes + 1, self.entries + len(entries)
        await super().append(key, entries)


async def cold(house: House) -> tuple[float, float]:
    """Seconds to the first tool's result, and to the end."""
    begun = time.perf_counter()
    await house.submit()
    return await house.when(EventType.TOOL_RESULT) - begun, await house.when(EventType.COMPLETED) - begun


async def resumed(house: House) -> tuple[float, float]:
    """The same, from the answer."""
    task = await house.submit()
    await house.when(EventType.PARKED)
    asked = await house.pending(task)
    begun = time.perf_counter()
    await house.parts.answering.answer(asked, YES)
    return await house.when(EventType.TOOL_RESULT) - begun, await house.when(EventType.COMPLETED) - begun


async def held(house: House, took: dict[str, list[float]]) -> None:
    """Adds milliseconds by tool."""
    task = await house.submit()
    for time_of_it in range(TIMES):
        for place, tool in enumerate((ASK_CALLER, ASK_USER)):
            await house.when(EventType.QUESTION_ASKED, 2 * time_of_it + place + 1)
            await asyncio.sleep(0.3)  # what Claude Code still writes has been written
            asked = await house.pending(task)
            begun = time.perf_counter()
            await house.parts.answering.answer(asked, YES)
            ended = await house.when(EventType.TOOL_RESULT, 3 * time_of_it + place + 1)
            if time_of_it:
                took[tool].append(1000 * (ended - begun))
        number = 3 * (time_of_it + 1)
        ended = await house.when(EventType.TOOL_RESULT, number)
        if time_of_it:
            took["Read"].append(1000 * (ended - await house.when(EventType.TOOL_CALL, number)))
    await house.when(EventType.COMPLETED)


async def taking_turns(rounds: int, *ways: Callable[[], Awaitable[tuple[float, float]]]) -> list[list[tuple[float, float]]]:
    """The first round only warms up."""
    took = [[await way() for way in ways] for _ in range(rounds + 1)]
    return [[each[number] for each in took[1:]] for number in range(len(ways))]


async def measured(state: Path, rounds: int) -> None:
    without = House(state / "without", COLD, kept=False)
    async with House(state / COLD, COLD) as one, House(state / PARKED, PARKED) as two, without as three:
        times = await taking_turns(rounds, lambda: cold(one), lambda: resumed(two), lambda: cold(three))
        print(f"{'seconds, median (least–most)':34} {'to the tool result':>24} {'to the end':>24}")
        for name, found in zip(("cold", "resumed, from the answer", "cold, nothing can be parked"), times, strict=True):
            print(f"{name:34} {spread([each[0] for each in found]):>24} {spread([each[1] for each in found]):>24}")
        print(
            f"{'resumed / cold, median of rounds':34} {ratio(times[1], times[0], 0):>24.2f} {ratio(times[1], times[0], 1):>24.2f}"
        )
        print(
            f"{'cold / without, median of rounds':34} {ratio(times[0], times[2], 0):>24.2f} {ratio(times[0], times[2], 1):>24.2f}"
        )
        runs, kept = rounds + 1, two.transcripts
        print(f"writes of a transcript: {one.transcripts.writes} in {runs} runs that ask nothing, ", end="")
        print(f"{kept.writes / runs:.1f} in one that was parked ({kept.entries / runs:.0f} entries)")
    async with House(state / HELD, HELD, 60) as four:
        took: dict[str, list[float]] = {ASK_CALLER: [], ASK_USER: [], "Read": []}
        for _ in range(max(1, rounds // 3)):
            await held(four, took)
        for tool, ms in took.items():
            print(f"held: {tool:24} ms: p50 {statistics.median(ms):.1f}, {min(ms):.1f}–{max(ms):.1f} ({len(ms)})")
        print(f"held: {four.transcripts.writes} writes of a transcript, {four.transcripts.entries} entries")


def ratio(upper: list[tuple[float, float]], lower: list[tuple[float, float]], which: int) -> float:
    return statistics.median(one[which] / other[which] for one, other in zip(upper, lower, strict=True))


def spread(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} ({min(times):.2f}–{max(times):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="parking-") as folder:
        asyncio.run(measured(Path(folder), rounds))


if __name__ == "__main__":
    main()
