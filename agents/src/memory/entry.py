"""The noun: one learned fact, as it stands in the shared memory."""

from dataclasses import dataclass
from typing import Self

from agents.src.memory.identity import digest
from agents.src.records import Kept

REMEMBERED_ANCESTORS = 16
"""Earlier revisions that an entry carries with it."""
DIRECT = "-"
"""In the place of a writer's name: written on its own, not by a sync; any number of processes may at once."""


class Past(Kept):
    """An earlier revision. `at` in seconds since 1970 UTC; no decision rests on it."""

    rev: str
    text: str
    author: str
    source: str
    at: float
    dead: bool = False
    writer: str = DIRECT
    number: int = 0


class MemoryEntry(Kept):
    """`rev` follows from the revision before it and the content, so it never comes back. Times are for people to read.

    A dead entry is a tombstone: it keeps its last text. `writer`, `number` and `of` say with which push it came: the writer's
    `number`-th, of so many entries; by them a replica knows what it has seen.
    """

    skill: str
    id: str
    text: str
    section: str = ""
    rev: str
    dead: bool = False
    past: tuple[Past, ...] = ()
    source: str
    author: str
    created_at: float
    changed_at: float
    writer: str = DIRECT
    number: int = 0
    of: int = 1

    def last_push_of(self, writer: str) -> int:
        """The highest of the writer's pushes with which it or an earlier revision came; 0: it knows of none."""
        earlier = [past.number for past in self.past if past.writer == writer]
        return max([*earlier, self.number if self.writer == writer else 0])

    def descends_from(self, rev: str) -> bool:
        """Whether that revision is this one, or one that it was made from."""
        return rev == self.rev or any(past.rev == rev for past in self.past)

    def is_apart_from(self, rev: str) -> bool:
        """Whether it surely was not made from that revision: all of its past is known, and that is not in it."""
        return len(self.past) < REMEMBERED_ANCESTORS and not self.descends_from(rev)

    def texts_after(self, rev: str | None) -> frozenset[str]:
        """Live texts it had after that revision, its own included; all that are known where that revision is not."""
        revs = [past.rev for past in self.past]
        later = self.past[revs.index(rev) + 1 :] if rev in revs else () if rev == self.rev else self.past
        # A tombstone's own text is that of the revision before it.
        return frozenset(past.text for past in later if not past.dead) | (frozenset() if rev == self.rev else {self.text})


@dataclass(frozen=True, slots=True)
class Origin:
    """Who changes something, from where, when. `source`: `local`, `cloud`, `http`, or `task:<id>`."""

    author: str
    source: str
    at: float


def new_entry(skill: str, entry_id: str, text: str, section: str, origin: Origin) -> MemoryEntry:
    return MemoryEntry(
        skill=skill,
        id=entry_id,
        text=text,
        section=section,
        rev=revision("", text, dead=False),
        source=origin.source,
        author=origin.author,
        created_at=origin.at,
        changed_at=origin.at,
    )


def begun(entry: MemoryEntry, by: str) -> MemoryEntry:
    """A new entry with a revision that is no other's: what is written again when all trace of it is gone is not what it was.

    `by`: what no other is made by.
    """
    return entry.model_copy(update={"rev": revision(by, entry.text, dead=False)})


def changed(entry: MemoryEntry, text: str | None, origin: Origin, section: str | None = None) -> MemoryEntry:
    """The entry with another text (also a dead one: it lives again); `None` makes it a tombstone."""
    past = Past(
        rev=entry.rev,
        text=entry.text,
        author=entry.author,
        source=entry.source,
        at=entry.changed_at,
        dead=entry.dead,
        writer=entry.writer,
        number=entry.number,
    )
    update = {
        "text": entry.text if text is None else text,
        "section": entry.section if section is None else section,
        "rev": revision(entry.rev, entry.text if text is None else text, dead=text is None),
        "dead": text is None,
        "past": (*entry.past, past)[-REMEMBERED_ANCESTORS:],
        "source": origin.source,
        "author": origin.author,
        "changed_at": origin.at,
        "writer": DIRECT,
        "number": 0,
        "of": 1,
    }
    return entry.model_copy(update=update)


def revision(parent: str, text: str, *, dead: bool) -> str:
    return digest(parent, "dead" if dead else "live", text)[:16]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a replica has seen a writer's pushes: up to `number`, and whether that one was there as a whole."""

    number: int
    whole: bool

    @classmethod
    def after(cls, entries: "list[MemoryEntry]") -> Self:
        """From entries of one writer that were seen together."""
        number = max(entry.number for entry in entries)
        last = [entry for entry in entries if entry.number == number]
        return cls(number, len(last) >= last[0].of)
