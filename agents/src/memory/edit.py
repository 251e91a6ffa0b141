"""The verb: changes single entries of the shared memory, each only over the revision that was seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.src.clock import Clock
from agents.src.errors import RevisionMoved, UnknownEntry
from agents.src.memory.admission import Inspect, admitted, admitted_section
from agents.src.memory.entry import MemoryEntry, Origin, begun, changed, new_entry
from agents.src.memory.identity import entry_id
from agents.src.memory.store import MemoryStore, Write


@dataclass(frozen=True, slots=True)
class Editor:
    """`source` says from where: `http`, or `local` for the command line."""

    store: MemoryStore
    clock: Clock
    inspect: Inspect
    source: str

    async def get(self, skill: str, which: str) -> MemoryEntry:
        """An entry, also a dead one. Raises UnknownEntry, Unavailable."""
        found = (await self.store.get(skill, [which])).get(which)
        if found is None:
            raise UnknownEntry(f"The memory of {skill} has no entry {which}.")
        return found

    async def alive(self, skill: str, which: str) -> MemoryEntry:
        """Raises UnknownEntry also where it is dead."""
        entry = await self.get(skill, which)
        if entry.dead:
            raise UnknownEntry(f"The entry {which} was forgotten; its history is still there.")
        return entry

    async def add(self, skill: str, text: str, section: str, author: str) -> tuple[MemoryEntry, bool]:
        """The entry, and whether it is new: the same text is the same entry. Raises InvalidMemory, LooksSecret, Unavailable."""
        text, section = admitted(text, self.inspect), admitted_section(section, self.inspect)
        taken: list[str] = []
        while True:
            which = entry_id(skill, text, taken)
            there = (await self.store.get(skill, [which])).get(which)
            if there is not None and not there.dead and there.text == text:
                return there, False
            if there is not None and not there.dead:  # it began as this text and has become another
                taken.append(which)
                continue
            origin = Origin(author, self.source, self.clock.now())
            new = begun(new_entry(skill, which, text, section, origin), self.clock.new_id())
            made = changed(there, text, origin, section) if there else new
            stands = (await self.store.write([Write(made, there.rev if there else None)])).get(which)
            added_by_others = there is None and stands is not None and text in stands.texts_after(None)
            if stands is not None and (added_by_others or stands.descends_from(made.rev)):
                return stands, True

    async def edit(self, skill: str, which: str, rev: str | None, text: str, author: str) -> MemoryEntry:
        """Over revision `rev`, None: over any. Raises InvalidMemory, LooksSecret, UnknownEntry, RevisionMoved, Unavailable."""
        text = admitted(text, self.inspect)
        entry = await self.alive(skill, which)
        if entry.text == text and rev in (None, entry.rev):
            return entry
        return await self._put(changed(self._expected(entry, rev), text, self._origin(author)), entry)

    async def forget(self, skill: str, which: str, rev: str | None, author: str) -> MemoryEntry:
        """Raises UnknownEntry, RevisionMoved, Unavailable."""
        entry = await self.alive(skill, which)
        return await self._put(changed(self._expected(entry, rev), None, self._origin(author)), entry)

    @staticmethod
    def _expected(entry: MemoryEntry, rev: str | None) -> MemoryEntry:
        if rev not in (None, entry.rev):
            raise RevisionMoved(f"The entry {entry.id} is at revision {entry.rev} now. Look at it, then decide.")
        return entry

    async def _put(self, made: MemoryEntry, over: MemoryEntry) -> MemoryEntry:
        stands = (await self.store.write([Write(made, over.rev)])).get(made.id)
        if stands is None or not stands.descends_from(made.rev):
            now = f"at revision {stands.rev}" if stands else "gone"
            raise RevisionMoved(f"The entry {made.id} was changed at this moment; it is {now} now. Look at it, then decide.")
        return stands

    def _origin(self, author: str) -> Origin:
        return Origin(author, self.source, self.clock.now())


def history(entry: MemoryEntry) -> Sequence[MemoryEntry]:
    """The entry as it was and is, oldest first, as far as it carries its past with it."""
    earlier = [
        entry.model_copy(
            update={
                "text": past.text,
                "rev": past.rev,
                "dead": past.dead,
                "author": past.author,
                "source": past.source,
                "changed_at": past.at,
                "past": (),
            }
        )
        for past in entry.past
    ]
    return [*earlier, entry]
