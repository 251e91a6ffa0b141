"""The verb: sees what the base, the file and the shared memory say, and repairs what an interrupted sync left behind."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from agents.src.clock import Clock
from agents.src.errors import StorageEmptied
from agents.src.memory.document import Document
from agents.src.memory.entry import DIRECT, Mark, MemoryEntry
from agents.src.memory.identity import identified
from agents.src.memory.plan import Line
from agents.src.memory.replica import Advance, Replica, Sent, State
from agents.src.memory.report import Direction
from agents.src.memory.store import MemoryStore

FEW = 3
"""So many entries may vanish at once without a question."""
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Views:
    """What is known when a plan is made. `ids`: item index → id; `heir` as in `plan`.

    `pulled`: what the pull brought. `fresh`: that, and what a comparison found besides.
    """

    text: str | None
    document: Document
    ids: Mapping[int, str]
    state: State
    theirs: Mapping[str, MemoryEntry]
    pulled: tuple[MemoryEntry, ...]
    fresh: Mapping[str, MemoryEntry]
    heir: bool

    @property
    def mine(self) -> dict[str, Line]:
        items = self.document.items
        return {entry_id: Line(items[index].text, items[index].section) for index, entry_id in self.ids.items()}

    @property
    def marks(self) -> dict[str, tuple[int, bool]]:
        """What the replica will have seen. Its own pushes it knows already, direct writes have no order."""
        by_writer: dict[str, list[MemoryEntry]] = {}
        for entry in self.pulled:
            if entry.writer not in (DIRECT, self.state.writer):
                by_writer.setdefault(entry.writer, []).append(entry)
        marks = {writer: Mark.after(entries) for writer, entries in by_writer.items()}
        return {writer: (mark.number, mark.whole) for writer, mark in marks.items() if self.state.seen.get(writer) != mark}


@dataclass(frozen=True, slots=True)
class Lookout:
    """With `dry`, nothing is repaired. With `force`, a side that became empty is believed."""

    store: MemoryStore
    clock: Clock
    direction: Direction
    dry: bool
    force: bool

    async def look(self, replica: Replica) -> Views:
        """Raises StorageEmptied, Unavailable."""
        text = await replica.read()
        document = Document.parse(text or "")
        state = await self._repaired(replica, document)
        self._check_file(replica.skill, document, state)
        pulled = await self.store.changes(replica.skill, state.seen)
        if any(entry.last_push_of(state.writer) > state.number for entry in pulled):
            state = await self._under_a_new_name(replica, state)
        state, fresh = await self._checked(replica, state, {entry.id: entry for entry in pulled})
        theirs = {**state.base, **state.aside, **fresh}
        heir = document.generation is not None and document.generation == state.generation and not self._to_be_filled(document)
        both = (*theirs.values(), *state.base.values())
        known = {entry.id: entry.text for entry in both if not entry.dead}
        ids = identified(document, known, replica.skill, {entry.id: entry.text for entry in both if entry.dead})
        return Views(text, document, ids, state, theirs, pulled, fresh, heir or self._meant_empty(document))

    async def _repaired(self, replica: Replica, document: Document) -> State:
        """The state after an intent that came true, and after all that was sent has been looked at."""
        state = await replica.load()
        if state.intent and state.intent.generation == document.generation and not self.dry:
            await replica.advance(state.intent.advance, state.intent.generation)
        state = state.at(document.generation)
        if state.outbox and not self.dry:
            await send(self.store, replica, state.outbox)
            state = await replica.load()
        return state

    async def _under_a_new_name(self, replica: Replica, state: State, *, unseen: bool = False) -> State:
        """Where the memory has later pushes of this writer than it knows of (its state was restored, or copied, and is used
        twice); with `unseen`, where the memory itself was put back."""
        if self.dry:
            return state
        await replica.rename(unseen=unseen)
        return await replica.load()

    async def _checked(
        self, replica: Replica, state: State, pulled: dict[str, MemoryEntry]
    ) -> tuple[State, dict[str, MemoryEntry]]:
        """What is known, and what is new; compared with the whole shared memory where that is due."""
        count = await self.store.count(replica.skill)
        alive = sum(not entry.dead for entry in {**state.base, **state.aside, **pulled}.values())
        now = self.clock.now()
        due = now - state.verified_at >= DAY
        if count == alive and due and not state.seen:  # the pull was of everything
            await self._note_comparison(replica, now)
            return state, pulled
        if count == alive and not due:
            return state, pulled
        if count == 0 and alive > FEW and not self.force:
            raise StorageEmptied(
                f"The shared memory of {replica.skill} is empty, and it had {alive} entries. Is QDRANT_URL the right one? "
                "To fill it again from here: `agents memory push --force`."
            )
        return await self._compared(replica, state, pulled, now)

    async def _compared(
        self, replica: Replica, state: State, pulled: dict[str, MemoryEntry], now: float
    ) -> tuple[State, dict[str, MemoryEntry]]:
        """Finds by their revisions what the pulls did not bring, and what is gone from the shared memory."""
        revisions = await self.store.revisions(replica.skill)
        known = {**state.base, **state.aside, **pulled}
        behind = [entry_id for entry_id, rev in revisions.items() if entry_id not in known or known[entry_id].rev != rev]
        news = {**pulled, **(await self.store.get(replica.skill, behind) if behind else {})}
        if _was_put_back(state.base, news, revisions):
            state = await self._under_a_new_name(replica, state, unseen=True)
        forgotten = Advance(base=dict.fromkeys(known.keys() - revisions.keys()))
        if not self.dry:
            await replica.advance(forgotten)
        await self._note_comparison(replica, now)
        fresh = {entry_id: entry for entry_id, entry in news.items() if entry_id in revisions}
        return state.after(forgotten), fresh

    async def _note_comparison(self, replica: Replica, now: float) -> None:
        if not self.dry:
            await replica.verified(now)

    def _check_file(self, skill: str, document: Document, state: State) -> None:
        alive = sum(not entry.dead for entry in state.base.values())
        if not document.items and alive > FEW and not self.force:
            raise StorageEmptied(
                f"The memory.md of {skill} has no entry, or is missing, and it had {alive} entries. To bring them back: "
                "`agents memory pull --force`. To delete them everywhere: `agents memory sync --force`."
            )

    def _to_be_filled(self, document: Document) -> bool:
        return self.force and self.direction is Direction.PULL and not document.items

    def _meant_empty(self, document: Document) -> bool:
        return self.force and self.direction is not Direction.PULL and not document.items


def _was_put_back(base: Mapping[str, MemoryEntry], news: Mapping[str, MemoryEntry], there: Container[str]) -> bool:
    """Whether the shared memory was emptied, or put back to an earlier day, since there was `base`. Numbers of pushes that it
    forgot may then be given once more, by a writer whose state was restored or copied."""
    forgotten = any(not entry.dead and entry_id not in there for entry_id, entry in base.items())
    return forgotten or any(entry_id in base and entry.is_apart_from(base[entry_id].rev) for entry_id, entry in news.items())


async def send(store: MemoryStore, replica: Replica, sent: Sequence[Sent]) -> frozenset[str]:
    """Sends numbered writes, push by push, and settles each by what stands there afterwards; the ids that were refused."""
    refused: set[str] = set()
    pushes: dict[int, list[Sent]] = {}
    for one in sent:
        pushes.setdefault(one.entry.number, []).append(one)
    for number, batch in sorted(pushes.items()):
        stands = await store.write([one.write for one in batch])
        landed = {one.entry.id: one.entry for one in batch if _has_landed(one.entry, stands.get(one.entry.id))}
        missed = {one.entry.id: stands.get(one.entry.id) for one in batch if one.entry.id not in landed}
        await replica.settle(landed, missed, number)
        refused.update(missed)
    return frozenset(refused)


def _has_landed(entry: MemoryEntry, stands: MemoryEntry | None) -> bool:
    return stands is not None and stands.descends_from(entry.rev)
