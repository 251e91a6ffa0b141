"""The life of a memory: replicas, people and a shared memory in any order, and what must be true whatever happens.

python -m tests.rooms.memory.life --examples 50000 [--seed N] [--steps 20] [--processes 2] [--qdrant] [--shrink]
"""

import argparse
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from agents.src.errors import RevisionMoved, StorageEmptied, Unavailable, UnknownEntry
from agents.src.memory import Deed, Direction, Document, Editor, MemoryEntry, Report, State, Sync, Write
from agents.src.services.replica import FolderReplica
from tests.building import NOON
from tests.rooms.memory import people
from tests.rooms.memory.house import InlineDb, MemoryInMemory, Mover, PatientClock, Stepwise, Waited, moved, open_eyes

SKILL = "planning"
NOWHERE = Path("/nowhere")
DAY = 86400.0
FEW = 3
ROUNDS = 12
MOST_HOMES = 4
DISASTERS = ["snapshot", "snapshot", "state restored", "file restored", "state lost", "twin", "day", "purge", "purge"]
DISASTERS += ["emptied file", "deleted file", "wipe"]
TABLES = ("replica", "replica_entry", "replica_seen", "replica_outbox")
HAPPENED: Counter[str] = Counter()
"""What happened in all lives of this process."""


class Killed(BaseException):
    """The process is gone."""


class Paperless(FolderReplica):
    """Its file is in memory, and there is no lock: they cost more than half of all time. `test_replica.py` tries both."""

    text: str | None = None
    writes = 0

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        yield  # here no two syncs of one file meet

    async def read(self) -> str | None:
        return self.text

    async def write(self, text: str, over: str | None) -> bool:
        self.writes += 1
        if self.text != over:
            return False
        self.text = text
        return True


@dataclass
class Home:
    """A replica, and what its owner did since it was last in step."""

    name: str
    replica: Paperless
    away: list[str] = field(default_factory=list)
    """Texts that were taken out here and are not known to be out everywhere."""
    loose: list[str] = field(default_factory=list)
    """Texts whose markers were taken off."""
    troubled: bool = False
    """Its base does not belong to its file: what is missing there was not deleted."""

    @property
    def text(self) -> str | None:
        return self.replica.text

    @property
    def key(self) -> str:
        return self.replica._key


@dataclass
class Snapshot:
    text: str | None
    rows: dict[str, list[tuple[Any, ...]]]
    texts: list[str]


@dataclass(frozen=True)
class Fault:
    """At the so-manyth step: `kill`, `fail`, `type` (a person types), `edit` (directly), or at the next write `half`, …"""

    at: int
    how: str


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = PatientClock(NOON)
        self.db = InlineDb()
        self.store = self.new_store()
        self.homes: list[Home] = []
        self.late: list[Sequence[Write]] = []
        self.snapshots: list[tuple[Home, Snapshot]] = []
        self.numbers = count()
        self.ever: list[str] = []
        self.must: set[str] = set()
        self.gone: set[str] = set()
        self.repeated: set[str] = set()
        self.wiped = False

    def teardown(self) -> None:
        try:
            if self.homes:
                self.all_settle()
                HAPPENED["histories"] += 1
        finally:
            self.db.tx.connection.close()

    def new_store(self) -> Any:
        """A `MemoryStore` that also shows everything, as `MemoryInMemory` does."""
        return MemoryInMemory()

    # Building

    @initialize(number=st.integers(2, 3), windows=st.booleans(), known=st.sampled_from([0, 3, 5]))
    def begin(self, number: int, windows: bool, known: int) -> None:
        for _ in range(number):
            self.make_home()
        if windows:
            self.save(self.homes[0], "# Memory\r\n\r\nProse first.\r\n")
        if known:
            self.types(0, 9, known, lines=False)
            self.everyone_syncs(0)

    def make_home(self) -> Home:
        name = f"home-{len(self.homes)}"
        home = Home(name, Paperless(NOWHERE, SKILL, self.db, self.clock, name, "local", locks=NOWHERE))
        self.homes.append(home)
        return home

    def home(self, who: int) -> Home:
        return self.homes[who % len(self.homes)]

    def sync(self, instead: Any = None) -> Sync:
        return Sync(Stepwise(self.store, instead), self.clock, open_eyes, "ada")

    def state(self, home: Home) -> State:
        return moved(home.replica.load())

    def rows(self, home: Home) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table: self.db.tx.run(f"select * from {table} where {'key' if table == 'replica' else 'replica'} = ?", home.key)
            for table in TABLES
        }

    def put_rows(self, home: Home, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        for table in TABLES:
            self.db.tx.run(f"delete from {table} where {'key' if table == 'replica' else 'replica'} = ?", home.key)
            for row in rows.get(table, []):
                marks = ", ".join("?" * len(row))
                self.db.tx.run(f"insert into {table} values ({marks})", home.key, *row[1:])

    # What is remembered of what people know

    def fresh(self, lines: bool = False) -> str:
        number = next(self.numbers)
        return f"fact {number}\nand why {number}" if lines else f"fact {number}"

    def is_said(self, text: str) -> None:
        """Somebody typed it."""
        if text not in self.ever:
            self.ever.append(text)
            self.must.add(text)
        else:
            self.repeated.add(text)
            self.gone.discard(text)

    def is_out(self, text: str, home: Home | None = None) -> None:
        """Somebody who saw it took it out."""
        self.must.discard(text)
        if text in self.repeated or self.wiped or (home and home.troubled):
            self.gone.discard(text)
        else:
            self.gone.add(text)
        if home:
            home.away.append(text)

    def may_be(self, texts: Sequence[str]) -> None:
        """Nobody can say what is to become of them."""
        self.must.difference_update(texts)
        self.gone.difference_update(texts)

    def is_in_trouble(self, home: Home) -> None:
        self.gone.difference_update(home.away)
        # Of two lines with one marker nobody can say now which was changed: the one that does not count is as good as typed.
        typed = {*home.loose, *people.sharing_markers(home.text)}
        self.repeated.update(typed)
        self.gone.difference_update(typed)
        home.troubled = True

    def is_in_step(self, home: Home, away: int, loose: int) -> None:
        del home.away[:away], home.loose[:loose]
        home.troubled = False

    def safe_elsewhere(self, home: Home) -> set[str]:
        others = [text for other in self.homes if other is not home for text in people.texts_in(other.text)]
        return {*self.store.live(SKILL).values(), *others}

    def known_to_the_store(self) -> set[str]:
        return {text for entry in self.store.of(SKILL).values() for text in said_by(entry)}

    def put_back(self, home: Home, text: str | None) -> None:
        """The file becomes what it was, or nothing; the state is as it will be."""
        before, after = people.texts_in(home.text), people.texts_in(text)
        safe, known = self.safe_elsewhere(home), self.known_to_the_store()
        self.may_be([one for one in before if one not in after and one not in safe])
        self.may_be([one for one in after if one in self.gone and one not in known])
        # Of an old line that has no marker nobody can say that it is old: it might have been typed just now, and is kept.
        bare = {item.text for item in people.parsed(text or "").items if item.id is None}
        self.repeated.update(bare)
        self.gone.difference_update(bare)
        generation = Document.parse(text or "").generation
        state = self.state(home).at(generation)
        if generation is not None and generation == state.generation:  # what is missing there counts as deleted
            self.may_be([entry.text for entry in state.base.values() if not entry.dead and entry.text not in after])
        self.save(home, text)
        self.is_in_trouble(home)

    # People

    def save(self, home: Home, text: str | None) -> None:
        home.replica.text = text

    @rule(who=st.integers(0, 3), pick=st.integers(0, 15), number=st.integers(1, 3), lines=st.booleans())
    def types(self, who: int, pick: int, number: int, lines: bool) -> None:
        home = self.home(who)
        for _ in range(number):
            new = self.fresh(lines)
            self.save(home, people.typed(home.text, new, pick))
            self.is_said(new)

    @precondition(lambda self: self.ever)
    @rule(who=st.integers(0, 3), which=st.integers(0, 30), pick=st.integers(0, 15))
    def types_the_same(self, who: int, which: int, pick: int) -> None:
        home, old = self.home(who), self.ever[which % len(self.ever)]
        self.save(home, people.typed(home.text, old, pick))
        self.is_said(old)

    def filled(self, who: int) -> tuple[Home, str] | None:
        """A home whose file has entries, the given one if it has."""
        for turn in range(len(self.homes)):
            home = self.home(who + turn)
            if people.texts_in(home.text):
                return home, home.text or ""
        return None

    @rule(who=st.integers(0, 3), pick=st.integers(0, 15), lines=st.booleans(), back=st.none() | st.integers(0, 30))
    def rewords(self, who: int, pick: int, lines: bool, back: int | None) -> None:
        """Sometimes with what was said before."""
        if found := self.filled(who):
            self.changes(found[0], pick, self.fresh(lines) if back is None else self.ever[back % len(self.ever)])

    def changes(self, home: Home, pick: int, new: str | None) -> None:
        text = home.text or ""
        old = people.said_at(text, pick)
        if new != old:
            if new is None and old in people.in_conflict(text):
                self.repeated.add(old)  # somebody else may settle it the other way: then who syncs first decides
            self.save(home, people.without(text, pick) if new is None else people.reworded(text, pick, new))
            if new is not None:
                self.is_said(new)
            self.is_out(old, home)

    @rule(who=st.integers(0, 3), pick=st.integers(0, 15), deleted=st.booleans())
    def two_change_the_same(self, who: int, pick: int, deleted: bool) -> None:
        """One of them may delete it."""
        if not (found := self.filled(who)):
            return
        text = people.said_at(found[1], pick)
        for home in (found[0], self.home(self.homes.index(found[0]) + 1)):
            if text in people.texts_in(home.text):
                self.changes(home, people.texts_in(home.text).index(text), None if deleted else self.fresh())
            deleted = False

    @rule(who=st.integers(0, 3), pick=st.integers(0, 15))
    def deletes(self, who: int, pick: int) -> None:
        if found := self.filled(who):
            self.changes(found[0], pick, None)

    @rule(
        who=st.integers(0, 3),
        pick=st.integers(0, 15),
        where=st.integers(0, 15),
        how=st.sampled_from(["move", "strip", "copy", "copy and edit", "prose", "heading"]),
    )
    def tidies(self, who: int, pick: int, where: int, how: str) -> None:
        if not (found := self.filled(who)):
            return
        home, text = found
        said = people.said_at(text, pick)
        match how:
            case "move":
                text = people.shifted(text, pick, where)
            case "strip":
                marker, text = people.marker_at(text, pick), people.stripped(text, pick)
                home.loose.append(said)
                if marker and marker in text:  # a changed copy has it, and is the entry now: this one is as good as typed
                    self.is_said(said)
            case "copy":
                text = people.copied(text, pick, None, where)
                self.is_said(said)
            case "copy and edit":
                new = self.fresh()
                text = people.copied(text, pick, new, where)
                self.is_said(new)
            case "prose":
                text = people.noted(text, f"Prose {next(self.numbers)}.", where)
            case "heading":
                text = people.noted(text, f"## Part {next(self.numbers)}", where)
        self.save(home, text)
        if home.troubled:
            self.is_in_trouble(home)

    def empties(self, who: int, whole: bool = False) -> None:
        HAPPENED["emptied files"] += 1
        self.put_back(self.home(who), None if whole else "")

    def types_meanwhile(self, home: Home) -> None:
        new = self.fresh()
        self.save(home, people.typed(home.text, new, 3))
        self.is_said(new)

    # The shared memory, directly

    @rule(
        which=st.integers(0, 30),
        what=st.sampled_from(["add", "edit", "forget"]),
        stale=st.booleans(),
        how=st.sampled_from(["", "", "", "fail", "late", "lost"]),
    )
    def edits_directly(self, which: int, what: str, stale: bool, how: str) -> None:
        live = sorted(self.store.live(SKILL).items())
        if what != "add" and not live:
            return
        entry_id, old = live[which % len(live)] if live else ("", "")
        new = self.fresh()
        rev = ("0" * 16 if stale else self.store.of(SKILL)[entry_id].rev) if live else None
        editor = Editor(Stepwise(self.store, self.instead), self.clock, open_eyes, "http")
        works: dict[str, Any] = {
            "add": lambda: editor.add(SKILL, new, "", "bob"),
            "edit": lambda: editor.edit(SKILL, entry_id, rev, new, "bob"),
            "forget": lambda: editor.forget(SKILL, entry_id, rev, "bob"),
        }
        mover = Mover(works[what]())
        while not mover.done:
            if mover.at == "write" and how:
                mover.step(None if how == "lost" else how)  # lost: the answer
                if not mover.done and how == "lost":
                    mover.throw(Unavailable("gone"))
                how = ""
            else:
                mover.step()
        HAPPENED["direct edits"] += 1
        self.learn_from(mover, what, old, new)

    def learn_from(self, mover: Mover, what: str, old: str, new: str) -> None:
        if isinstance(mover.error, RevisionMoved | UnknownEntry):
            return
        unknown = isinstance(mover.error, Unavailable)
        if not unknown and mover.error:
            raise mover.error
        if what != "forget":
            self.is_said(new)
        if what != "add":
            self.is_out(old)
        if unknown:
            self.may_be([old, new])

    def instead(self, name: str, store: Any, args: tuple[Any, ...], wish: str) -> None:
        if name != "write":
            return
        HAPPENED[f"requests {wish}"] += 1
        writes = args[0]
        if wish == "twice":
            self.late.append(writes)
            return
        if wish == "late":
            self.late.append(writes)
        if wish == "half":
            store.apply(writes[::2])
        raise Unavailable("out of reach")

    @precondition(lambda self: self.late)
    @rule(which=st.integers(0, 9))
    def arrives_late(self, which: int) -> None:
        HAPPENED["late duplicates applied"] += 1
        self.store.apply(self.late.pop(which % len(self.late)))

    # Syncs

    @rule(
        who=st.integers(0, 3),
        direction=st.sampled_from([Direction.BOTH, Direction.BOTH, Direction.BOTH, Direction.PULL, Direction.PUSH]),
        at=st.integers(0, 30),
        how=st.sampled_from(["", "", "", "kill", "kill", "fail", "half", "late", "twice", "type", "edit"]),
    )
    def syncs(self, who: int, direction: Direction, at: int, how: str) -> None:
        self.run([(self.home(who), direction, Fault(at, how))], [])

    @rule(
        who=st.integers(0, 3),
        at=st.lists(st.integers(0, 30), min_size=2, max_size=2),
        how=st.lists(
            st.sampled_from(["", "", "", "kill", "fail", "half", "late", "twice", "type", "edit"]), min_size=2, max_size=2
        ),
        turns=st.lists(st.booleans(), max_size=60),
    )
    def two_sync_at_once(self, who: int, at: list[int], how: list[str], turns: list[bool]) -> None:
        HAPPENED["syncs at once"] += 2
        pairs = [(self.home(who + i), Direction.BOTH, Fault(at[i], how[i])) for i in (0, 1)]
        self.run(pairs, turns)

    @rule(who=st.integers(0, 3))
    def everyone_syncs(self, who: int) -> None:
        for turn in range(len(self.homes)):
            self.run([(self.home(who + turn), Direction.BOTH, Fault(0, ""))], [])

    def run(self, syncs: list[tuple[Home, Direction, Fault]], turns: list[bool]) -> None:
        ongoing = [Ongoing(self, home, direction, fault) for home, direction, fault in syncs]
        for turn in turns:
            if not ongoing[turn].mover.done:
                ongoing[turn].step()
        for one in ongoing:
            while not one.mover.done:
                one.step()
        for one in ongoing:
            one.end()

    @rule(who=st.integers(0, 3), direction=st.sampled_from(Direction))
    def tries_dry(self, who: int, direction: Direction) -> None:
        home = self.home(who)
        state, text, entries = self.state(home), home.text, self.store.of(SKILL)
        try:
            said = moved(self.sync().run(home.replica, direction, dry=True))
        except StorageEmptied:
            return
        HAPPENED["dry runs"] += 1
        assert (self.state(home), home.text, self.store.of(SKILL)) == (state, text, entries)
        agreed = state.at(Document.parse(text or "").generation)
        if agreed.outbox or self.newer(state):
            return  # a sync first repairs what another left behind
        if any(entry.dead and entry.id not in entries for entry in agreed.base.values()):
            return  # that a tombstone was purged is known when it is written over
        done = Ongoing(self, home, direction, Fault(0, ""))
        done.finish()
        assert set(done.report.steps) == set(said.steps)
        assert set(done.report.waiting) == set(said.waiting)

    def newer(self, state: State) -> bool:
        """Whether somebody else writes under its name."""
        return any(entry.last_push_of(state.writer) > state.number for entry in self.store.of(SKILL).values())

    # Disasters

    @rule(what=st.sampled_from(DISASTERS), which=st.integers(0, 9))
    def disaster(self, what: str, which: int) -> None:
        strokes: dict[str, Callable[[int], None]] = {
            "state lost": self.loses_its_state,
            "snapshot": self.takes_a_snapshot,
            "state restored": self.restores,
            "file restored": lambda which: self.restores(which, state=False),
            "twin": self.becomes_two,
            "emptied file": self.empties,
            "deleted file": lambda which: self.empties(which, whole=True),
            "day": self.lets_a_day_pass,
            "purge": self.is_purged,
            "wipe": self.is_wiped,
        }
        strokes[what](which)

    def lets_a_day_pass(self, which: int) -> None:
        self.clock.time += DAY

    def loses_its_state(self, who: int) -> None:
        HAPPENED["lost states"] += 1
        home = self.home(who)
        outbox = [one.entry.text for one in self.state(home).outbox]
        safe = {*self.safe_elsewhere(home), *people.texts_in(home.text)}
        self.may_be([text for text in outbox if text not in safe])
        self.put_rows(home, {})
        self.is_in_trouble(home)

    def takes_a_snapshot(self, who: int) -> None:
        home = self.home(who)
        self.snapshots.append((home, Snapshot(home.text, self.rows(home), people.texts_in(home.text))))

    def restores(self, which: int, state: bool = True) -> None:
        """The file with its state, or alone."""
        if not self.snapshots:
            self.takes_a_snapshot(which)
            return
        HAPPENED["restored backups" if state else "restored files"] += 1
        home, snapshot = self.snapshots[which % len(self.snapshots)]
        if state:
            before = self.state(home)
            base = [entry.text for entry in before.base.values() if not entry.dead]
            self.put_rows(home, snapshot.rows)
            safe = self.safe_elsewhere(home)
            self.may_be([text for text in base if text not in safe])
        self.put_back(home, snapshot.text)

    def becomes_two(self, who: int) -> None:
        """A machine is copied, with all that it has."""
        if len(self.homes) >= MOST_HOMES:
            return
        HAPPENED["twins"] += 1
        home = self.home(who)
        twin = self.make_home()
        self.save(twin, home.text)
        self.put_rows(twin, self.rows(home))
        twin.away, twin.loose, twin.troubled = [*home.away], [*home.loose], home.troubled
        agreed = {entry.text for entry in self.state(home).base.values() if not entry.dead}
        self.repeated.update(home.loose, [text for text in people.texts_in(home.text) if text not in agreed])

    def is_purged(self, which: int) -> None:
        """Only where nothing anywhere still knows better: from an old copy, only a tombstone keeps what was deleted away."""
        tombstones = [entry for entry in self.store.of(SKILL).values() if entry.dead]
        dead, old = {entry.id: entry.rev for entry in tombstones}, {text for entry in tombstones for text in said_by(entry)}
        states = [self.state(home) for home in self.homes]
        known = old & {text for home in self.homes for text in people.texts_in(home.text)}
        if not known and all(not state.outbox and has_seen(state, dead) for state in states):
            HAPPENED["purges"] += bool(dead)
            self.late.clear()
            self.snapshots.clear()
            moved(self.store.purge(self.clock.time + 1))

    def is_wiped(self, which: int) -> None:
        HAPPENED["emptied stores"] += 1
        here = [text for home in self.homes for text in people.texts_in(home.text)]
        self.must.intersection_update(here)
        self.gone.clear()
        self.store.clear(SKILL)
        self.wiped = True

    # What must be true in the end

    @rule()
    def all_settle(self) -> None:
        for writes in self.late:
            self.store.apply(writes)
        self.late.clear()
        self.clock.time += DAY
        for _ in range(ROUNDS):
            done = [self.settle(home) for home in self.homes]
            if not any(done):
                break
        else:
            raise AssertionError("they do not come to an end")
        self.check_all()
        self.wiped = False

    def settle(self, home: Home) -> bool:
        """Whether there was anything to do."""
        text, state, entries = home.text, self.state(home), self.store.of(SKILL)
        away, loose = len(home.away), len(home.loose)
        writes = home.replica.writes
        try:
            report = moved(self.sync().run(home.replica))
        except StorageEmptied:
            self.force(home)
            return True
        self.is_in_step(home, away, loose)
        calm = report.in_step and home.text == text and self.store.of(SKILL) == entries
        assert not calm or home.replica.writes == writes
        return not calm or self.state(home) != state

    def force(self, home: Home) -> None:
        HAPPENED["forced"] += 1
        if self.store.live(SKILL) and not people.texts_in(home.text):
            self.is_in_trouble(home)
            moved(self.sync().run(home.replica, Direction.PULL, force=True))
            assert people.texts_in(home.text)
        else:
            base = [entry.text for entry in self.state(home).base.values()]
            if not people.texts_in(home.text):
                self.may_be(base)
            moved(self.sync().run(home.replica, force=True))

    def check_all(self) -> None:
        live = self.store.live(SKILL)
        for home in self.homes:
            items = people.parsed(home.text or "").items
            here = {(item.id, item.text) for item in items}
            assert live.items() <= here, (home.name, live, home.text)
            assert set(live.values()) == {item.text for item in items}, (home.name, live, home.text)
        assert self.must <= set(live.values()), self.must - set(live.values())
        assert not self.gone & set(live.values()), self.gone & set(live.values())


def said_by(entry: MemoryEntry) -> set[str]:
    """All that it ever said, as far as it knows."""
    return {entry.text, *(past.text for past in entry.past)}


def has_seen(state: State, dead: dict[str, str]) -> bool:
    return all(entry_id in state.base and state.base[entry_id].rev == rev for entry_id, rev in dead.items())


class Ongoing:
    """A sync that is moved step by step, and what befalls it."""

    def __init__(self, life: Life, home: Home, direction: Direction, fault: Fault) -> None:
        self.life, self.home, self.direction, self.fault = life, home, direction, fault
        self.prose = people.prose_in(home.text)
        self.away, self.loose = len(home.away), len(home.loose)
        self.emptied = not people.texts_in(home.text) and self.base() > FEW
        self.steps = 0
        replica: Any = Stepwise(home.replica)
        self.mover = Mover(self.work(life.sync(life.instead), replica))
        HAPPENED["syncs"] += 1

    def base(self) -> int:
        """Without what is on its way: it may be a deletion."""
        state = self.life.state(self.home).at(Document.parse(self.home.text or "").generation)
        on_its_way = {one.entry.id for one in state.outbox}
        return sum(not entry.dead and entry.id not in on_its_way for entry in state.base.values())

    def work(self, sync: Sync, replica: Any) -> Coroutine[Any, Any, Report]:
        return sync.run(replica, self.direction)

    @property
    def report(self) -> Report:
        report: Report = self.mover.result
        return report

    def finish(self) -> None:
        while not self.mover.done:
            self.step()
        self.end()

    def step(self) -> None:
        self.steps += 1
        how = self.fault.how if self.steps > self.fault.at else ""
        if how in ("half", "late", "twice"):
            if self.mover.at == "write":
                self.fault = Fault(0, "")
                self.mover.step(how)
                return
        elif how:
            self.fault = Fault(0, "")
            HAPPENED[how] += 1
            if how == "type":
                self.emptied = self.emptied and self.steps > 1  # at the first step it has not read the file yet
                self.life.types_meanwhile(self.home)
            elif how == "edit":
                self.life.edits_directly(self.steps, "edit", stale=False, how="")
            else:
                self.mover.throw(Killed() if how == "kill" else Unavailable("out of reach"))
                return
        self.mover.step()

    def end(self) -> None:
        lines = iter(people.prose_in(self.home.text))
        assert all(line in lines for line in self.prose)  # in this order
        error = self.mover.error
        if isinstance(error, StorageEmptied):
            HAPPENED["refused"] += 1
        elif error is not None and not isinstance(error, Killed | Unavailable):
            raise error
        if error is None:
            assert not self.emptied
            HAPPENED["conflicts"] += sum(step.deed is Deed.CONFLICT for step in self.report.steps)
            if self.direction is Direction.BOTH:
                self.life.is_in_step(self.home, self.away, self.loose)


class LifeInQdrant(Life):
    """The same, with the real store on the embedded Qdrant."""

    def new_store(self) -> Any:
        return EmbeddedQdrant()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.store.end()


class EmbeddedQdrant(Waited):
    def __init__(self) -> None:
        from agents.src.services.qdrant import QdrantMemory
        from agents.src.services.qdrant_local import LocalWire

        self._wire = LocalWire(None)
        memory = QdrantMemory(self._wire, "life")
        super().__init__(memory)
        self.wait_for(memory.count(SKILL))  # makes the collection

    def clear(self, skill: str) -> None:
        which = {"filter": {"must": [{"key": "skill", "match": {"value": skill}}]}}
        self.wait_for(self._wire.call("POST", "/collections/life/points/delete?wait=true", which))


def live(examples: int, number: int, steps: int, life: type[Life] = Life, *, shrink: bool = True) -> Counter[str]:
    """So many lives; what happened in them. Raises where something was not as it must be, and tells the shortest such life."""
    HAPPENED.clear()
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(seed(number)(life), settings=how)
    return Counter(HAPPENED)


def live_in_qdrant(examples: int, number: int, steps: int, *, shrink: bool = True) -> Counter[str]:
    return live(examples, number, steps, LifeInQdrant, shrink=shrink)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--qdrant", action="store_true", help="on the embedded Qdrant, which takes much longer")
    parser.add_argument("--shrink", action="store_true", help="look for the shortest life that goes wrong, which takes minutes")
    wanted = parser.parse_args()
    share = 500
    runs = -(-wanted.examples // share)
    total: Counter[str] = Counter()
    living = partial(live_in_qdrant if wanted.qdrant else live, shrink=wanted.shrink)
    with ProcessPoolExecutor(wanted.processes) as pool:
        seeds = range(wanted.seed * 1_000_000, wanted.seed * 1_000_000 + runs)
        for number, happened in enumerate(pool.map(living, [share] * runs, seeds, [wanted.steps] * runs), 1):
            total += happened
            if number % 10 == 0 or number == runs:
                print(f"{number * share:,} histories: {dict(total.most_common())}", flush=True)


if __name__ == "__main__":
    main()
