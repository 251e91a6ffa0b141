"""The verb: takes what tasks learned into the files that a server keeps, and brings those in step with the shared memory."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from agents.src.errors import IllegalMove, InternalError, Problem
from agents.src.memory.document import Document
from agents.src.memory.entry import Origin
from agents.src.memory.folding import Chain, Folding, Verdict, chains, is_kept
from agents.src.memory.lesson import LessonState, LessonStore, Taught
from agents.src.memory.replica import Advance, Intent, Replica, State
from agents.src.memory.report import Deed, Direction, Report
from agents.src.memory.sync import Sync

TRIES = 5
"""Times that a file is written anew because somebody else wrote it meanwhile."""
FORGOTTEN = "It was forgotten at the same time, by somebody else."

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Keeper:
    """`replica_of` gives the server's own replica of a skill's memory. The one writer of what tasks learned.

    With `restores`, a file without entries is made anew from the shared memory: for one that no person ever edits.
    """

    lessons: LessonStore
    replica_of: Callable[[str], Replica]
    sync: Sync
    restores: bool = False

    async def keep_all(self, skills: Iterable[str]) -> tuple[Report | Problem, ...]:
        """Each skill's memory, those with waiting lessons too; one that cannot be kept now does not stop the others."""
        waiting = [taught.skill for taught in await self.lessons.waiting()]
        return tuple([await self._kept(skill) for skill in dict.fromkeys((*skills, *waiting))])

    async def _kept(self, skill: str) -> Report | Problem:
        try:
            report = await self.keep(skill)
        except Problem as problem:
            log.warning("memory_not_kept", skill=skill, detail=problem.detail)
            return problem
        except Exception:  # a mistake of ours with one skill's memory is not to keep the others waiting
            log.exception("memory_not_kept", skill=skill)
            return InternalError(f"The memory of {skill} could not be kept; the server's log has it.")
        for conflict in report.conflicts:
            log.warning("memory_conflict", skill=skill, entry=conflict.id, sibling=conflict.sibling)
        return report

    async def keep(self, skill: str) -> Report:
        """Lessons count as taken once the shared memory has them; until then, taking them again changes nothing.

        Raises StorageEmptied, InvalidMemory, Unavailable.
        """
        replica = self.replica_of(skill)
        waiting = chains(await self.lessons.waiting(skill))
        emptied = self.restores and await self._may_be_restored(replica)
        if waiting or emptied:  # what a lesson is about may not have come here yet
            await self.sync.run(replica, Direction.PULL, force=emptied)
        folded = await self._folded(replica, waiting) if waiting else []
        origins = {(verdict.id, None if chain.ends else chain.text): _origin(chain.lessons[-1]) for chain, verdict in folded}
        report = await self.sync.run(replica, origins=origins)
        base = (await replica.load()).base if folded else {}
        live = {entry.text for entry in base.values() if not entry.dead}
        for chain, verdict in folded:
            await self._settle(chain, _outcome(chain, verdict, report, kept=is_kept(chain, base, live)))
        return report

    async def _may_be_restored(self, replica: Replica) -> bool:
        """An empty file. Not from a shared memory that is empty itself: that is for a person to look at."""
        return not Document.parse(await replica.read() or "").items and await self.sync.store.count(replica.skill) > 0

    async def _folded(self, replica: Replica, waiting: Sequence[Chain]) -> list[tuple[Chain, Verdict]]:
        """Those that are in the file now; what is said about the others is settled."""
        async with replica.locked():
            for _ in range(TRIES):
                text = await replica.read()
                state = (await replica.load()).at(Document.parse(text or "").generation)
                folding = Folding(replica.skill, text or "", state.base, await self._heir(replica, text, state))
                verdicts = [(chain, folding.fold(chain)) for chain in waiting]
                if folding.text == (text or "") or await replica.write(folding.text, text):
                    break
            else:
                return []  # an editor saves it again and again; the next time will do
        for chain, verdict in verdicts:
            await self._settle(chain, verdict)
        return [(chain, verdict) for chain, verdict in verdicts if verdict.state is LessonState.NEW]

    async def _heir(self, replica: Replica, text: str | None, state: State) -> str | None:
        """A generation for the first lines of a file, so that they come after the tombstones of the base; else None."""
        document, alive = Document.parse(text or ""), any(not entry.dead for entry in state.base.values())
        if document.items or alive or document.generation == state.generation is not None:
            return None
        generation = self.sync.clock.new_id()
        await replica.intend(Intent(generation=generation, advance=Advance()))
        return generation

    async def _settle(self, chain: Chain, verdict: Verdict) -> None:
        """Unless they are still to be taken."""
        if verdict.state is LessonState.NEW:
            return
        for taught in chain.lessons:
            with suppress(IllegalMove):  # another keeper of this database was faster
                await self.lessons.move(taught.number, LessonState.NEW, verdict.state, verdict.note)


def _outcome(chain: Chain, verdict: Verdict, report: Report, *, kept: bool) -> Verdict:
    """Where lessons stand that were in the file before it was synced. `kept`: the shared memory has them.

    Where it has not, somebody who had the file open saved it without them in between: they wait for the next time.
    """
    own = {step.deed: step for step in report.steps if step.id == verdict.id and step.text == chain.text}
    if Deed.HOLD in own:
        return Verdict(LessonState.REJECTED, own[Deed.HOLD].note)
    if Deed.DROP in own and not chain.ends:
        return Verdict(LessonState.HELD, FORGOTTEN)
    return Verdict(LessonState.TAKEN) if kept else verdict


def _origin(taught: Taught) -> Origin:
    return Origin(taught.caller, f"task:{taught.task_id}", taught.at)
