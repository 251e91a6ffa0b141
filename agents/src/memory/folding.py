"""Takes lessons into the text of a memory.md. Pure, and the same lessons twice are the same as once."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from agents.src.memory.document import Addition, Document
from agents.src.memory.entry import MemoryEntry, Past
from agents.src.memory.identity import identified, sibling_id
from agents.src.memory.lesson import ACCEPTED, Act, LessonState, Taught
from agents.src.memory.rewrite import Rewrite

NO_GENERATION = "0"
"""For a file that was made from no base: like none at all, it is nobody's generation."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where lessons stand after they were looked at; NEW: they are in the file, as the entry `id` or its absence."""

    state: LessonState
    note: str = ""
    id: str = ""


FORGOTTEN = Verdict(LessonState.HELD, "It was known before, and was forgotten on purpose.")


@dataclass(frozen=True, slots=True)
class Chain:
    """What one task said about one entry, in order. The task wants what it said last; what it saw, the first tells."""

    lessons: tuple[Taught, ...]

    @property
    def id(self) -> str:
        return self.lessons[0].lesson.id

    @property
    def source(self) -> str:
        return f"task:{self.lessons[0].task_id}"

    @property
    def text(self) -> str:
        return self.lessons[-1].lesson.text

    @property
    def section(self) -> str:
        return next((taught.lesson.section for taught in reversed(self.lessons) if taught.lesson.section), "")

    @property
    def rev(self) -> str | None:
        return self.lessons[0].lesson.rev

    @property
    def begins(self) -> bool:
        """Whether the task thought the entry new."""
        return self.lessons[0].lesson.action is Act.ADD

    @property
    def ends(self) -> bool:
        """Whether the task wants the entry gone."""
        return self.lessons[-1].lesson.action is Act.FORGET

    @property
    def accepted(self) -> bool:
        return self.lessons[-1].note == ACCEPTED


def chains(lessons: Iterable[Taught]) -> list[Chain]:
    """In the order of their first lessons."""
    found: dict[tuple[str, str], list[Taught]] = {}
    for taught in lessons:
        found.setdefault((taught.task_id, taught.lesson.id), []).append(taught)
    return [Chain(tuple(links)) for links in found.values()]


class Folding:
    """A document into which lessons are taken, one chain after the other; `text` is what has come of it so far.

    `generation`: the one that its first change gives it; None where it keeps what it has.
    """

    def __init__(self, skill: str, text: str, base: Mapping[str, MemoryEntry], generation: str | None = None) -> None:
        self._skill = skill
        self._base = base
        self._forgotten = frozenset(entry.text for entry in base.values() if entry.dead)
        self._generation = generation
        self._read(text)

    def _read(self, text: str) -> None:
        self.text = text
        self._document = Document.parse(text)
        known = {entry.id: entry.text for entry in self._base.values() if not entry.dead}
        ids = identified(self._document, known, self._skill)
        self._rewrite = Rewrite(self._document, ids)
        self._texts = {entry_id: self._document.items[index].text for index, entry_id in ids.items()}

    def _written(self, entry_id: str) -> Verdict:
        self._read(self._rewrite.text(self._generation or self._document.generation or NO_GENERATION))
        return Verdict(LessonState.NEW, id=entry_id)

    def fold(self, chain: Chain) -> Verdict:
        """What contradicts what a person did since waits for a person, unless one has accepted it already."""
        if was_taken(chain, self._base):
            return Verdict(LessonState.NEW, id=chain.id)
        if chain.ends:
            return self._forget(chain)
        there = next((entry_id for entry_id, text in self._texts.items() if text == chain.text), None)
        if there is not None:
            return self._known(chain, there)
        if chain.text in self._forgotten and not chain.accepted:
            return FORGOTTEN
        return self._add(chain) if chain.begins else self._correct(chain)

    def _known(self, chain: Chain, there: str) -> Verdict:
        """The file says so already; if another entry does, the one that was to say it is not needed any more."""
        if chain.id != there and not chain.begins and self._is_as_seen(chain):
            self._rewrite.remove(chain.id)
            return self._written(there)
        return Verdict(LessonState.NEW, id=there)

    def _add(self, chain: Chain) -> Verdict:
        stands, agreed, first = self._texts.get(chain.id), self._base.get(chain.id), chain.lessons[0].lesson.text
        if stands is not None and chain.text == first:
            return Verdict(LessonState.REJECTED, f"It was known before, and has since become: {stands}")
        if stands is not None:
            return self._put(chain, over=stands == first)
        if agreed is not None and agreed.dead and not chain.accepted:
            return FORGOTTEN
        return self._anew(chain)

    def _correct(self, chain: Chain) -> Verdict:
        if chain.id in self._texts:
            return self._put(chain, over=self._is_as_seen(chain))
        return self._anew(chain) if chain.accepted else Verdict(LessonState.HELD, "The entry was forgotten meanwhile.")

    def _forget(self, chain: Chain) -> Verdict:
        if chain.begins or chain.id not in self._texts:
            return Verdict(LessonState.NEW, id=chain.id)
        if not self._is_as_seen(chain):
            return Verdict(LessonState.REJECTED, f"It was changed meanwhile, to: {self._texts[chain.id]}")
        self._rewrite.remove(chain.id)
        return self._written(chain.id)

    def _anew(self, chain: Chain) -> Verdict:
        self._rewrite.added.append(Addition(chain.id, chain.text, chain.section))
        return self._written(chain.id)

    def _put(self, chain: Chain, *, over: bool) -> Verdict:
        """The text in the entry's place, or else beside it: then both are kept."""
        if over:
            self._rewrite.replace(chain.id, chain.text)
            return self._written(chain.id)
        sibling = sibling_id(chain.id, chain.text)
        self._rewrite.beside(chain.id, sibling, chain.text)
        return self._written(sibling)

    def _is_as_seen(self, chain: Chain) -> bool:
        """Whether the task had before it what stands in the file. Without a revision: it had made the entry itself."""
        agreed, stands = self._base.get(chain.id), self._texts.get(chain.id)
        if agreed is None or agreed.text != stands:
            return False
        return agreed.rev == chain.rev if chain.rev else agreed.source == chain.source


def was_taken(chain: Chain, base: Mapping[str, MemoryEntry]) -> bool:
    """Whether it is part of the shared memory already, whatever was made of it since."""
    known = (base.get(which) for which in (chain.id, sibling_id(chain.id, chain.text)))
    return any(entry is not None and _is_from(entry, chain) for entry in known)


def is_kept(chain: Chain, base: Mapping[str, MemoryEntry], live: Container[str]) -> bool:
    """Whether the shared memory has it, after a sync of the file into which it was taken. `live`: the texts of live entries."""
    if was_taken(chain, base):
        return True
    if not chain.ends:
        return chain.text in live
    entry = base.get(chain.id)
    return chain.begins or entry is None or entry.dead


def _is_from(entry: MemoryEntry, chain: Chain) -> bool:
    """Whether what the task did last to the entry is what it wants."""
    revisions: list[Past | MemoryEntry] = [*entry.past, entry]
    own = [made for made in revisions if made.source == chain.source]
    return bool(own) and own[-1].dead == chain.ends and (chain.ends or own[-1].text == chain.text)
