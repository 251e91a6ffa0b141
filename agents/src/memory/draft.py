"""Turns a plan into what has to be written: the file's new text, the step of the base, the writes to be sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.src.memory.admission import Inspect
from agents.src.memory.document import normalised
from agents.src.memory.entry import MemoryEntry, Origin, begun, changed, new_entry
from agents.src.memory.plan import Action, Agree, Line, Push, Split, Take, plan
from agents.src.memory.replica import Advance, Sent
from agents.src.memory.report import Deed, Direction, Step
from agents.src.memory.rewrite import Rewrite, conflicts_in
from agents.src.memory.store import MOST_WRITES
from agents.src.memory.views import Views

Written = tuple[str, str | None]
"""An entry's id, and the text that somebody else than the file's owner gave it (None: took it out). Others are the owner's."""


@dataclass(slots=True)
class Draft:
    """What a sync in one direction would write."""

    skill: str
    views: Views
    direction: Direction
    origin: Origin
    inspect: Inspect
    origins: Mapping[Written, Origin] = field(default_factory=dict)
    rewrite: Rewrite = field(init=False)
    base: dict[str, MemoryEntry | None] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    waiting: list[Step] = field(default_factory=list)
    _mine: Mapping[str, Line] = field(init=False)

    def __post_init__(self) -> None:
        views = self.views
        self.rewrite = Rewrite(views.document, views.ids)
        self._mine = views.mine
        for entry_id, action in plan(views.state.base, self._mine, views.theirs, heir=views.heir).items():
            self._draft(entry_id, action)

    def _draft(self, entry_id: str, action: Action) -> None:
        match action:
            case Agree(theirs=theirs):
                self.base[entry_id] = theirs
            case Take(theirs=theirs, mine=mine):
                self._take(theirs, mine)
            case Push(mine=mine, over=over):
                self._push(entry_id, mine, over)
            case Split():
                self._split(action)

    def _take(self, theirs: MemoryEntry, mine: Line | None) -> None:
        deed = Deed.DROP if theirs.dead else Deed.FETCH
        if self._goes(Direction.PULL, Step(deed, self.skill, theirs.id, theirs.text, mine.text if mine else "")):
            self.base[theirs.id] = theirs
            self.rewrite.put(theirs)

    def _push(self, entry_id: str, mine: Line | None, over: MemoryEntry | None) -> None:
        if mine is None:
            assert over is not None  # only what is there can be deleted there
            if self._goes(Direction.PUSH, Step(Deed.DELETE, self.skill, entry_id, over.text)):
                self._send(changed(over, None, self._origin(entry_id, None)), over)
        elif why := self._unfit(mine):
            self.steps.append(Step(Deed.HOLD, self.skill, entry_id, mine.text, why))
            if over is None:  # the id is made from the text, and would go up once something else stands there
                self.rewrite.leave(entry_id)
        elif over is None:
            if self._goes(Direction.PUSH, Step(Deed.ADD, self.skill, entry_id, mine.text)):
                self._send(new_entry(self.skill, entry_id, mine.text, mine.section, self._origin(entry_id, mine.text)), None)
        elif self._goes(Direction.PUSH, Step(Deed.CHANGE, self.skill, entry_id, mine.text, over.text)):
            self._send(changed(over, mine.text, self._origin(entry_id, mine.text), mine.section or over.section), over)

    def _split(self, split: Split) -> None:
        """Both texts have to move, so a push alone leaves it for another time."""
        theirs, mine = split.theirs, split.mine
        if why := self._unfit(mine):
            self.steps.append(Step(Deed.HOLD, self.skill, theirs.id, mine.text, f"{why}; elsewhere it was changed meanwhile"))
        elif self._goes(Direction.PULL, Step(Deed.CONFLICT, self.skill, theirs.id, mine.text, theirs.text)):
            self.base[theirs.id] = theirs
            self.rewrite.put(theirs)
            if split.sibling not in self._mine:
                self._set_beside(split)

    def _set_beside(self, split: Split) -> None:
        """The sibling's line, and its entry where that is not there. A sibling that was edited since stays as it was edited."""
        known, text = split.known, split.mine.text
        if known is not None and not known.dead:
            text = known.text
        if self.direction is Direction.BOTH and (known is None or known.dead):
            self._send(self._sibling(split), known)
        elif known is not None:
            self.base[known.id] = known
        # What a pull does not send, the next sync finds in the file.
        self.rewrite.beside(split.theirs.id, split.sibling, text)

    def _sibling(self, split: Split) -> MemoryEntry:
        mine, origin = split.mine, self._origin(split.theirs.id, split.mine.text)
        if split.known is not None:
            return changed(split.known, mine.text, origin)
        return new_entry(self.skill, split.sibling, mine.text, mine.section, origin)

    def _goes(self, way: Direction, step: Step) -> bool:
        """Whether the step goes the chosen way; if not, it waits."""
        goes = self.direction in (Direction.BOTH, way)
        (self.steps if goes else self.waiting).append(step)
        return goes

    def _unfit(self, mine: Line) -> str | None:
        try:
            fit = normalised(mine.text)
        except ValueError as error:
            return str(error)
        if fit != mine.text:
            return "it holds what an entry cannot hold; write it anew in plain words"
        heading = self.inspect(mine.section)  # it would go along
        return self.inspect(mine.text) or (f"the heading above it: {heading}" if heading else None)

    def _origin(self, entry_id: str, text: str | None) -> Origin:
        return self.origins.get((entry_id, text), self.origin)

    def _send(self, entry: MemoryEntry, over: MemoryEntry | None) -> None:
        self.sent.append(Sent(entry=entry, expects=over.rev if over else None))

    @property
    def new_conflicts(self) -> set[str]:
        """Siblings that stand beside another text of theirs in the new file, and did not in the old one."""
        added = {new.id for new in self.rewrite.added}
        return {sibling for main, sibling in conflicts_in(self.rewrite.standing) if added & {main, sibling}} if added else set()

    @property
    def touches(self) -> bool:
        """Whether the file is to be written anew. Where only tombstones of others were learned, it is left alone."""
        learned = any(entry_id in self._mine for entry_id in self.base)
        stranger = not self.views.heir and bool(self.views.document.items)
        return bool(self.rewrite.needed or self.sent or learned or stranger)

    @property
    def _left(self) -> dict[str, MemoryEntry]:
        """What the base must not hold once a file from elsewhere counts as made from it, because this sync goes one way only.

        A line that is missing there would be one that was deleted, and an old one that is to go, one that was written.
        """
        if self.views.heir or not self.touches:
            return {}
        waiting, base = {step.id for step in self.waiting}, self.views.state.base
        missing = {entry_id for entry_id, entry in base.items() if entry_id not in self._mine and not entry.dead}
        return {entry_id: self.views.theirs[entry_id] for entry_id in base if entry_id in (waiting | missing) - self.base.keys()}

    @property
    def advance(self) -> Advance:
        """The step of the base. Writes are numbered as pushes of up to MOST_WRITES."""
        sent = [one for start in range(0, len(self.sent), MOST_WRITES) for one in self._numbered(start)]
        number = sent[-1].entry.number if sent else None
        left = self._left
        base = {**dict.fromkeys(left), **self.base}
        aside = {entry_id: entry for entry_id, entry in self.views.fresh.items() if self._is_news(entry_id, entry)} | left
        return Advance(base=base, aside=aside, seen=self.views.marks, sent=tuple(sent), number=number)

    def _is_news(self, entry_id: str, entry: MemoryEntry) -> bool:
        state = self.views.state
        known = state.aside.get(entry_id) or state.base.get(entry_id)
        return entry_id not in self.base and (known is None or known.rev != entry.rev)

    def _numbered(self, start: int) -> list[Sent]:
        state, batch = self.views.state, self.sent[start : start + MOST_WRITES]
        number = state.number + 1 + start // MOST_WRITES
        stamp = {"writer": state.writer, "number": number, "of": len(batch)}
        own = [one.entry if one.entry.past else begun(one.entry, f"{state.writer}/{number}") for one in batch]
        return [Sent(entry=entry.model_copy(update=stamp), expects=one.expects) for entry, one in zip(own, batch, strict=True)]
