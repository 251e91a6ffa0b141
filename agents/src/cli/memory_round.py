"""One sync of many memory.md files: several at once, and one that fails does not stop the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agents.src.cli.exits import TellingOfMemory
from agents.src.errors import Problem
from agents.src.memory import Deed, Direction, Keeper, LessonStore, Replica, Report, Sync

IN_STEP, CONFLICTS = 0, 1


@dataclass(frozen=True, slots=True)
class Home:
    """Where a skill's memory lies on this machine. `own`: in the skills directory, where what tasks learned here goes first."""

    file: Path
    replica: Replica
    own: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: a report, or a problem."""

    skill: str
    file: Path
    report: Report | None = None
    problem: Problem | None = None

    @property
    def is_bare(self) -> bool:
        """Whether there is no memory on either side."""
        return self.report is not None and not (self.report.entries or self.report.steps or self.report.waiting)

    @property
    def code(self) -> int:
        """The exit code of a sync: conflicts count that it wrote."""
        if self.problem:
            return TellingOfMemory.code_of(self.problem)
        if self.report is None:
            return IN_STEP
        met = any(step.deed is Deed.CONFLICT for step in self.report.steps)
        return CONFLICTS if met or self.report.new_conflicts else IN_STEP

    @property
    def standing_code(self) -> int:
        """The exit code of a look: conflicts count that stand, and what is to be done."""
        if self.report and (self.report.conflicts or not self.report.in_step):
            return CONFLICTS
        return self.code


@dataclass(frozen=True, slots=True)
class Round:
    """`at_once`: how many skills at a time. `lessons`: what tasks learned, and could not be taken when they ended."""

    sync: Sync
    lessons: LessonStore
    direction: Direction
    dry: bool
    force: bool
    at_once: int

    async def run(self, homes: Sequence[Home]) -> list[Outcome]:
        """In the order of the homes."""
        gate = asyncio.Semaphore(self.at_once)
        skills = dict.fromkeys(home.replica.skill for home in homes)

        async def run_skill(skill: str) -> list[Outcome]:
            async with gate:
                return await self._run_skill([home for home in homes if home.replica.skill == skill])

        return [outcome for group in await asyncio.gather(*map(run_skill, skills)) for outcome in group]

    async def _run_skill(self, homes: Sequence[Home]) -> list[Outcome]:
        """One after the other; the first ones once more, for what the later ones brought."""
        first = [await self._run_home(home) for home in homes]
        if self.dry or self.direction is not Direction.BOTH:
            return first
        again = [await self._run_home(home) for home in homes[:-1]]
        return [*map(joined, first, again), first[-1]]

    async def _run_home(self, home: Home) -> Outcome:
        outcome = Outcome(home.replica.skill, home.file)
        try:
            report = await self.sync.run(home.replica, self.direction, dry=self.dry, force=self.force)
            synced = replace(outcome, report=report)
            if home.own and await self._takes_lessons(home.replica.skill):
                keeper = Keeper(self.lessons, lambda _: home.replica, self.sync)
                return joined(synced, replace(outcome, report=await keeper.keep(home.replica.skill)))
        except Problem as problem:
            return replace(outcome, problem=problem)
        return synced

    async def _takes_lessons(self, skill: str) -> bool:
        """A server would take them, and there may be none here."""
        return self.direction is Direction.BOTH and not self.dry and bool(await self.lessons.waiting(skill))


def joined(first: Outcome, again: Outcome) -> Outcome:
    """What two syncs of one file did together. What was held back was so both times."""
    if first.report is None or again.report is None:
        return again
    steps = [*first.report.steps, *(step for step in again.report.steps if step.deed is not Deed.HOLD)]
    conflicts = (*first.report.new_conflicts, *again.report.new_conflicts)
    return replace(again, report=replace(again.report, steps=tuple(steps), new_conflicts=conflicts))
