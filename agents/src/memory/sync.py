"""The verb: brings one replica and the shared memory in step.

The order makes it safe to be killed anywhere: note what is intended → write the file → make it the base → send, guarded → look →
make what landed part of the base. What was sent and not looked at is sent again before anything else is believed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agents.src.clock import Clock
from agents.src.errors import Unavailable
from agents.src.memory.admission import Inspect
from agents.src.memory.document import Document
from agents.src.memory.draft import Draft, Written
from agents.src.memory.entry import DIRECT, Origin
from agents.src.memory.replica import Advance, Intent, Replica
from agents.src.memory.report import Conflict, Deed, Direction, Report, Step
from agents.src.memory.rewrite import conflicts_in
from agents.src.memory.store import MOST_WRITES, MemoryStore
from agents.src.memory.views import Lookout, Views, send

ROUNDS = 8
"""Times that a sync begins anew because the file or the shared memory moved under it."""
NOBODY_ELSE: Mapping[Written, Origin] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sync:
    """`author` and `source` are noted on what the file's owner wrote."""

    store: MemoryStore
    clock: Clock
    inspect: Inspect
    author: str
    source: str = "local"

    async def run(
        self,
        replica: Replica,
        direction: Direction = Direction.BOTH,
        *,
        dry: bool = False,
        force: bool = False,
        origins: Mapping[Written, Origin] = NOBODY_ELSE,
    ) -> Report:
        """Raises StorageEmptied (unless `force`), InvalidMemory, Unavailable; then run it again: nothing is lost or doubled.

        With `dry`, nothing is written anywhere, and the report says what would be done. `origins` for what somebody
        else than the file's owner wrote.
        """
        lookout = Lookout(self.store, self.clock, direction, dry, force)
        done: list[Step] = []
        came: set[str] = set()
        async with replica.locked():
            for _ in range(ROUNDS):
                views = await lookout.look(replica)
                draft = Draft(replica.skill, views, direction, self._origin(), self.inspect, origins)
                if dry:
                    return self._report(draft, draft.steps, views.document, draft.new_conflicts)
                step = draft.advance
                document = await self._write(replica, views, draft, step)
                if document is None:
                    continue
                came |= draft.new_conflicts
                refused = await send(self.store, replica, step.sent)
                if direction is not Direction.PULL:
                    await self._adopt(replica, views)
                done = [*done, *(step for step in draft.steps if step.id not in refused and step not in done)]
                if not refused:
                    return self._report(draft, done, document, came)
        raise Unavailable(f"The memory of {replica.skill} is being changed too fast; run the sync again.")

    def _origin(self) -> Origin:
        return Origin(self.author, self.source, self.clock.now())

    async def _write(self, replica: Replica, views: Views, draft: Draft, step: Advance) -> Document | None:
        """The file and the base as the draft has them; None where the file was changed meanwhile."""
        if not draft.touches:
            if step != Advance():
                await replica.advance(step)
            return views.document
        generation = self.clock.new_id()
        text = draft.rewrite.text(generation)
        await replica.intend(Intent(generation=generation, advance=step))
        if not await replica.write(text, views.text):
            return None
        await replica.advance(step, generation)
        return Document.parse(text)

    async def _adopt(self, replica: Replica, views: Views) -> None:
        """Direct writes get a place in this writer's sequence: until then every pull of every replica reads them again."""
        direct = [entry for entry in views.pulled if entry.writer == DIRECT]
        for start in range(0, len(direct), MOST_WRITES):
            state = await replica.load()
            number = state.number + 1
            await replica.advance(Advance(seen={state.writer: (number, True)}, number=number))
            await self.store.adopt(direct[start : start + MOST_WRITES], state.writer, number)

    @staticmethod
    def _report(draft: Draft, steps: list[Step], document: Document, came: Collection[str]) -> Report:
        texts = {item.id: item.text for item in document.items if item.id}
        conflicts = tuple(
            Conflict(draft.skill, main, texts[main], sibling, texts[sibling]) for main, sibling in conflicts_in(texts)
        )
        entries = len(texts.keys() - {step.id for step in steps if step.deed is Deed.HOLD})
        return Report(draft.skill, tuple(steps), tuple(draft.waiting), conflicts, entries, tuple(sorted(came)))
