"""`agents memory sync --watch`: a sync after every change of a memory.md, and every minute."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from watchfiles import Change, awatch

from agents.src.bootstrap import Parts
from agents.src.cli.invoke import stop_signals
from agents.src.cli.memory_round import Outcome
from agents.src.cli.memory_sync import Manner, Wanted, round_of, tell
from agents.src.cli.output import note
from agents.src.errors import InvalidRequest, Unavailable
from agents.src.memory import Direction

EVERY = 60.0
AGAIN = 10.0
"""Seconds between syncs without a change, and while the shared memory is out of reach."""
TICK, SETTLED = 500, 400
"""Milliseconds: how often the time is looked at, and how long a file has to be left alone."""


async def keep_in_step(parts: Parts, wanted: Wanted, manner: Manner) -> None:
    """Until a signal says stop."""
    places, teller, due = watched(parts, wanted), Teller(manner), 0.0
    note(f"Watching {', '.join(map(str, places))}; Ctrl-C ends it.")
    with stop_signals() as stopped:
        async for changes in awatch(
            *places,
            watch_filter=is_memory,
            debounce=SETTLED,
            stop_event=stopped,
            rust_timeout=TICK,
            yield_on_timeout=True,
        ):
            if not changes and monotonic() < due:
                continue
            outcomes = await unless(stopped, round_of(parts, Direction.BOTH, manner).run(wanted.homes(parts)))
            due = monotonic() + (AGAIN if teller.tell(outcomes) else EVERY)


async def unless(stopped: asyncio.Event, work: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    """What the work gives; nothing where it was cut off. It is safe to be killed at any point."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
    [outcomes, _] = await asyncio.gather(working, stopping, return_exceptions=True)
    if isinstance(outcomes, Exception):
        raise outcomes
    return outcomes if isinstance(outcomes, list) else []


def watched(parts: Parts, wanted: Wanted) -> list[Path]:
    """The places, and what is linked to from there. Raises InvalidRequest where there is nothing."""
    places = list(dict.fromkeys(place.resolve() for place in wanted.where(parts.settings)))
    folders = {home.file.resolve().parent for home in wanted.homes(parts)}
    elsewhere = [folder for folder in sorted(folders) if folder.is_dir() and not any(map(folder.is_relative_to, places))]
    if not places and not elsewhere:
        raise InvalidRequest("There is no folder of a skill here; --dir says where to look.")
    return [*places, *elsewhere]


def is_memory(change: Change, path: str) -> bool:  # noqa: ARG001  # watchfiles' signature
    return path.endswith(".md")


class Teller:
    """Says what was done, once; that the shared memory is away, once; and when it is back."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._away = False
        self._problems: list[str] = []

    def tell(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether the shared memory is away."""
        lost = [outcome.problem for outcome in outcomes if isinstance(outcome.problem, Unavailable)]
        if lost and not self._away:
            note(f"{lost[0].detail} Going on when it is back.")
        if self._away and not lost:
            note("It is back.")
        self._away = bool(lost)
        self._tell_news([outcome for outcome in outcomes if not isinstance(outcome.problem, Unavailable)])
        return self._away

    def _tell_news(self, outcomes: Sequence[Outcome]) -> None:
        problems = [outcome.problem.detail for outcome in outcomes if outcome.problem]
        moved = [outcome for outcome in outcomes if outcome.problem or (outcome.report and not outcome.report.in_step)]
        if problems != self._problems or any(outcome.report for outcome in moved):
            self._problems = problems
            tell(moved, self._manner)
            sys.stdout.flush()
