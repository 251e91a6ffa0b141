"""What a sync does, step by step; `test_life_of_memory.py` does it in any order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.src.errors import StorageEmptied, Unavailable
from agents.src.memory import (
    DIRECT,
    Deed,
    Direction,
    Document,
    Editor,
    Origin,
    Report,
    Sync,
    Write,
    changed,
    entry_id,
    sibling_id,
)
from agents.src.services.replica import FolderReplica
from agents.src.services.secrets import looks_secret
from tests.building import NOON
from tests.rooms.memory.house import InlineDb, MemoryInMemory, Mover, PatientClock, Stepwise, moved, no_secrets

SKILL = "planning"
DAY = 86400.0


class House:
    """A shared memory, and homes that are in step with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = MemoryInMemory()
        self.clock = PatientClock(NOON)
        self.db = InlineDb()
        self.editor = Editor(self.store, self.clock, no_secrets, "http")

    def home(self, name: str, text: str | None = None) -> "Home":
        (self.root / name).mkdir(parents=True)
        home = Home(self, FolderReplica(self.root / name, SKILL, self.db, self.clock, name, name, locks=self.root / "locks"))
        home.path = self.root / name / "memory.md"
        if text is not None:
            home.text = text
        return home

    @property
    def live(self) -> list[str]:
        return sorted(self.store.live(SKILL).values())


class Home:
    path: Path

    def __init__(self, house: House, replica: FolderReplica) -> None:
        self.house, self.replica = house, replica

    @property
    def text(self) -> str:
        return self.path.read_bytes().decode()

    @text.setter
    def text(self, text: str) -> None:
        self.path.write_bytes(text.encode())

    @property
    def facts(self) -> list[str]:
        return [item.text for item in Document.parse(self.text).items]

    def sync(self, direction: Direction = Direction.BOTH, **how: Any) -> Report:
        store = how.pop("store", self.house.store)
        syncing = Sync(store, self.house.clock, no_secrets, "ada")
        return moved(syncing.run(self.replica, direction, **how))

    def deeds(self, direction: Direction = Direction.BOTH, **how: Any) -> list[tuple[str, str]]:
        return [(step.deed.value, step.text) for step in self.sync(direction, **how).steps]

    def cut(self, turn: int) -> bool:
        """A sync that is killed at its so-manyth step, before or after one of its calls has an effect; False if it has fewer."""
        replica: Any = Stepwise(self.replica)
        mover = Mover(Sync(Stepwise(self.house.store), self.house.clock, no_secrets, "ada").run(replica))
        for _ in range(turn):
            mover.step()
            if mover.done:
                return False
        mover.throw(KeyboardInterrupt())
        assert isinstance(mover.error, KeyboardInterrupt)
        return True


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def two_homes(house: House, *facts: str) -> tuple[Home, Home]:
    """Both in step, with these facts."""
    laptop, desk = house.home("laptop", "".join(f"- {fact}\n" for fact in facts)), house.home("desk")
    laptop.sync()
    desk.sync()
    laptop.sync()
    return laptop, desk


# What goes where


def test_what_was_typed_goes_up_and_comes_down_elsewhere(house: House) -> None:
    laptop, desk = house.home("laptop", "# Memory\n\nMind this.\n\n## Tools\n\n- use uv\n- use argon2\n"), house.home("desk")
    assert laptop.deeds() == [("add", "use uv"), ("add", "use argon2")]
    assert desk.deeds() == [("fetch", "use uv"), ("fetch", "use argon2")]
    uv = house.store.of(SKILL)[entry_id(SKILL, "use uv")]
    assert (uv.author, uv.source, uv.section, uv.created_at, uv.of) == ("ada", "local", "Tools", NOON, 2)
    assert uv.writer.startswith("laptop.")
    assert laptop.text.startswith("# Memory\n\nMind this.\n\n## Tools\n\n- use uv <!-- m:")
    assert "Mind this" not in desk.text
    assert "## Tools" in desk.text


def test_the_second_sync_does_nothing(house: House) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2")
    for home in (laptop, desk):
        stamp, writes = home.path.stat(), house.store.writes
        report = home.sync()
        assert report.in_step
        assert (report.steps, report.waiting, report.conflicts, report.entries) == ((), (), (), 2)
        assert home.path.stat().st_ino == stamp.st_ino
        assert home.path.stat().st_mtime_ns == stamp.st_mtime_ns
        assert house.store.writes == writes


def test_edits_and_deletions_travel(house: House) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2", "50 fps")
    laptop.text = laptop.text.replace("use uv", "use uv, never pip").replace("- 50 fps", "<!-- -->")
    assert laptop.deeds() == [("change", "use uv, never pip"), ("delete", "50 fps")]
    assert desk.deeds() == [("fetch", "use uv, never pip"), ("drop", "50 fps")]
    assert sorted(desk.facts) == ["use argon2", "use uv, never pip"]


def test_the_same_fact_typed_on_two_machines_is_one(house: House) -> None:
    laptop, desk = house.home("laptop", "- use uv\n"), house.home("desk", "- use uv\n")
    laptop.sync()
    assert desk.deeds() == []
    assert desk.facts == laptop.facts == ["use uv"]
    assert len(house.store.entries) == 1


def test_a_marker_that_was_taken_off_is_put_on_again(house: House) -> None:
    laptop, _ = two_homes(house, "use uv")
    with_marker = laptop.text
    laptop.text = f"- use uv\n{with_marker.splitlines()[-1]}\n"
    assert laptop.deeds() == []
    assert laptop.text.splitlines()[0] == with_marker.splitlines()[0]


# Conflicts


def test_both_sides_of_a_conflict_are_kept_on_every_replica_and_settled_by_deleting_a_line(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    laptop.text = laptop.text.replace("use uv", "use poetry")
    desk.text = desk.text.replace("use uv", "use pip")
    laptop.sync()
    report = desk.sync()
    which, sibling = entry_id(SKILL, "use uv"), sibling_id(entry_id(SKILL, "use uv"), "use pip")
    assert [(step.deed, step.id, step.text, step.note) for step in report.steps] == [
        (Deed.CONFLICT, which, "use pip", "use poetry")
    ]
    [conflict] = report.conflicts
    assert (conflict.id, conflict.text, conflict.sibling, conflict.other) == (which, "use poetry", sibling, "use pip")
    assert not report.in_step
    laptop.sync()
    assert laptop.facts == desk.facts == ["use poetry", "use pip"]
    assert "conflict: differs from the entry above" in laptop.text
    assert laptop.sync().conflicts == desk.sync().conflicts == (conflict,)
    laptop.text = "".join(line for line in laptop.text.splitlines(True) if "use poetry" not in line)
    laptop.sync()
    desk.sync()
    assert desk.facts == laptop.facts == ["use pip"]
    assert laptop.sync().conflicts == ()
    assert "conflict:" not in desk.text


@pytest.mark.parametrize("first", [0, 1])
def test_a_conflict_that_two_settle_in_opposite_ways_is_settled_as_the_first_did(house: House, first: int) -> None:
    laptop, desk = two_homes(house, "budget 10")
    laptop.text, desk.text = (home.text.replace("budget 10", new) for home, new in ((laptop, "budget 20"), (desk, "budget 30")))
    for home in (laptop, desk, laptop):
        home.sync()
    assert sorted(laptop.facts) == sorted(desk.facts) == ["budget 20", "budget 30"]
    for home, unwanted in ((laptop, "budget 30"), (desk, "budget 20")):
        home.text = "".join(line for line in home.text.splitlines(True) if unwanted not in line)
    order = (laptop, desk) if first == 0 else (desk, laptop)
    for home in (*order, *order):
        home.sync()
    assert laptop.facts == desk.facts == house.live == [["budget 20", "budget 30"][first]]


@pytest.mark.parametrize("new", ["use pip", None])
def test_a_line_that_only_repeats_another_goes_where_that_is_changed_elsewhere(house: House, new: str | None) -> None:
    laptop, desk = two_homes(house, "use uv", "50 fps")
    laptop.text += "- use uv\n"
    laptop.sync()
    desk.text = desk.text.replace("- use uv", f"- {new}" if new else "<!-- -->")
    for home in (desk, laptop, desk, laptop):
        home.sync()
    assert sorted(laptop.facts) == sorted(desk.facts) == house.live == ["50 fps", *([new] if new else [])]


def test_an_edit_outlives_a_deletion_on_either_side(house: House) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2")
    laptop.text = laptop.text.replace("use uv", "use uv 1")
    desk.text = "".join(line for line in desk.text.splitlines(True) if not line.startswith("- "))
    desk.sync()
    assert house.live == []
    laptop.sync()
    desk.sync()
    assert laptop.facts == desk.facts == ["use uv 1"]


def test_what_was_changed_directly_while_it_was_edited_here_is_a_conflict(house: House) -> None:
    laptop, _ = two_homes(house, "use uv")
    moved(house.editor.edit(SKILL, entry_id(SKILL, "use uv"), None, "use poetry", "bob"))
    laptop.text = laptop.text.replace("use uv", "use pip")
    assert laptop.deeds() == [("conflict", "use pip")]
    assert house.live == ["use pip", "use poetry"]


# Directions


def test_a_pull_brings_down_and_leaves_what_goes_up(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    laptop.text = laptop.text.replace("- use uv", "- from the laptop\n- use uv")
    laptop.sync()
    desk.text = desk.text.replace("- use uv", "- from the desk\n- use uv")
    report = desk.sync(Direction.PULL)
    assert [(step.deed, step.text) for step in report.steps] == [(Deed.FETCH, "from the laptop")]
    assert [(step.deed, step.text) for step in report.waiting] == [(Deed.ADD, "from the desk")]
    assert "from the desk" not in house.live
    assert desk.deeds() == [("add", "from the desk")]


def test_a_push_brings_up_and_leaves_what_comes_down(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    laptop.text = laptop.text.replace("- use uv", "- from the laptop\n- use uv")
    laptop.sync()
    desk.text = desk.text.replace("- use uv", "- from the desk\n- use uv")
    report = desk.sync(Direction.PUSH)
    assert [(step.deed, step.text) for step in report.steps] == [(Deed.ADD, "from the desk")]
    assert [(step.deed, step.text) for step in report.waiting] == [(Deed.FETCH, "from the laptop")]
    assert "from the laptop" not in desk.facts
    assert desk.deeds() == [("fetch", "from the laptop")]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(house: House) -> None:
    laptop, _ = two_homes(house, "use uv", "use argon2")
    moved(house.editor.add(SKILL, "50 fps", "", "bob"))
    laptop.text = laptop.text.replace("use uv", "use uv 1")
    before = laptop.text, dict(house.store.entries), moved(laptop.replica.load())
    said = laptop.sync(dry=True)
    assert (laptop.text, house.store.entries, moved(laptop.replica.load())) == before
    assert said.steps == laptop.sync().steps
    assert len(said.steps) == 2


# What is refused or kept back


def test_a_secret_stays_in_the_file_and_nowhere_else(house: House) -> None:
    laptop, _ = two_homes(house, "use uv")
    laptop.text = laptop.text.replace("use uv", "the secret is 1234") + "- another secret\n- 50 fps\n"
    report = laptop.sync()
    assert [(step.text, step.note) for step in report.held] == [
        ("the secret is 1234", "it says so"),
        ("another secret", "it says so"),
    ]
    assert house.live == ["50 fps", "use uv"]
    assert laptop.facts == ["the secret is 1234", "another secret", "50 fps"]
    again = laptop.sync()
    assert again.in_step
    assert len(again.held) == 2


def test_not_even_an_id_that_was_made_from_a_secret_goes_up_once_it_is_taken_out(house: House) -> None:
    laptop = house.home("laptop", "- the secret is 1234\n- use uv\n")
    laptop.sync()
    assert laptop.text.splitlines()[0] == "- the secret is 1234"
    laptop.text = laptop.text.replace("the secret is 1234", "ask Ada for it")
    laptop.sync()
    assert set(house.store.live(SKILL)) == {entry_id(SKILL, "use uv"), entry_id(SKILL, "ask Ada for it")}


def test_a_detected_key_stays_home(house: House) -> None:
    laptop = house.home("laptop", "- the deploy key is AKIAQ3EGR5KJ7W2XN6PD\n- use uv\n")
    report = moved(Sync(house.store, house.clock, looks_secret, "ada").run(laptop.replica))
    assert [step.deed for step in report.steps] == [Deed.HOLD, Deed.ADD]
    assert house.live == ["use uv"]


def test_an_entry_that_is_too_long_is_kept_back_and_named(house: House) -> None:
    laptop = house.home("laptop", f"- {'x' * 4001}\n- use uv\n")
    [held] = laptop.sync().held
    assert "4,001 characters" in held.note
    assert house.live == ["use uv"]


def test_an_emptied_shared_memory_is_refused_unless_forced(house: House) -> None:
    laptop, _ = two_homes(house, "a", "b", "c", "d")
    house.store.entries.clear()
    before = laptop.text
    with pytest.raises(StorageEmptied, match=r"The shared memory of planning is empty, and it had 4 entries.*--force"):
        laptop.sync()
    assert laptop.text == before
    laptop.sync(force=True)
    assert house.live == ["a", "b", "c", "d"]
    assert laptop.facts == ["a", "b", "c", "d"]


@pytest.mark.parametrize("gone", [True, False])
def test_an_emptied_file_is_refused_and_filled_or_believed_when_forced(house: House, gone: bool) -> None:
    laptop, desk = two_homes(house, "a", "b", "c", "d")
    for home in (laptop, desk):
        mark = home.text.splitlines()[-1]
        home.path.unlink() if gone else home.path.write_text(f"# Memory\n\n{mark}\n")
        with pytest.raises(StorageEmptied, match=r"memory\.md of planning has no entry, or is missing, and it had 4 entries"):
            home.sync()
    laptop.sync(Direction.PULL, force=True)
    assert sorted(laptop.facts) == house.live == ["a", "b", "c", "d"]
    desk.sync(force=True)
    laptop.sync(force=True)
    assert (laptop.facts, house.live) == ([], [])


def test_an_emptied_file_is_refused_also_where_the_shared_memory_has_lost_much(house: House) -> None:
    laptop, _ = two_homes(house, "a", "b", "c", "d")
    del house.store.entries[SKILL, entry_id(SKILL, "a")]
    laptop.path.unlink()
    with pytest.raises(StorageEmptied, match=r"memory\.md of planning has no entry, or is missing, and it had 4 entries"):
        laptop.sync()
    assert len(moved(laptop.replica.load()).base) == 4


def test_a_shared_memory_that_was_put_back_to_an_earlier_day_is_brought_up_again(house: House) -> None:
    laptop, _ = two_homes(house, "use uv", "use argon2")
    earlier = dict(house.store.entries)
    laptop.text = laptop.text.replace("use uv", "use uv, never pip").replace("- use argon2", "<!-- -->")
    laptop.sync()
    house.store.entries = earlier
    house.clock.time += DAY
    assert sorted(laptop.deeds()) == [("change", "use uv, never pip"), ("delete", "use argon2")]
    assert house.live == laptop.facts == ["use uv, never pip"]


def test_a_shared_memory_that_was_filled_anew_by_somebody_who_knew_less_takes_no_text_away(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    moved(house.editor.edit(SKILL, entry_id(SKILL, "use uv"), None, "use poetry", "bob"))
    desk.sync()
    assert desk.facts == ["use poetry"]
    house.store.entries.clear()
    laptop.sync()
    laptop.text = laptop.text.replace("use uv", "use pip")
    laptop.sync()
    assert desk.deeds() == [("conflict", "use poetry")]
    laptop.sync()
    assert house.live == sorted(laptop.facts) == sorted(desk.facts) == ["use pip", "use poetry"]


def test_what_is_written_again_after_its_tombstone_was_removed_stays(house: House) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2")
    laptop.text = laptop.text.replace("- use uv", "<!-- -->")
    laptop.sync()
    laptop.text += "- 50 fps\n"
    laptop.sync()
    desk.sync()
    assert moved(house.store.purge(house.clock.time + 1)) == 1
    desk.text += "- use uv\n"
    for home in (desk, laptop):
        home.sync()
        assert sorted(home.facts) == house.live == ["50 fps", "use argon2", "use uv"]


# Files and states from elsewhere


def test_a_replica_that_lost_its_state_brings_nothing_back(house: House) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2", "50 fps")
    desk.text = desk.text.replace("use uv", "use uv 1").replace("- 50 fps", "<!-- -->")
    desk.sync()
    forget_state(house, laptop)
    laptop.text = laptop.text.replace("- use argon2", "<!-- -->")
    assert laptop.deeds() == [("fetch", "use uv 1"), ("drop", "50 fps"), ("fetch", "use argon2")]
    assert sorted(laptop.facts) == house.live == ["use argon2", "use uv 1"]


def test_beside_a_changed_copy_a_line_that_was_deleted_elsewhere_goes_also_where_the_state_is_lost(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    [line] = [line for line in laptop.text.splitlines() if "use uv" in line]
    desk.text = desk.text.replace(f"{line}\n", "")
    desk.sync()
    laptop.text = laptop.text.replace(line, f"{line.replace('use uv', 'use pip')}\n{line}")
    forget_state(house, laptop)
    laptop.sync()
    desk.sync()
    assert laptop.facts == desk.facts == house.live == ["use pip"]


def test_where_the_state_is_lost_the_second_line_with_a_marker_is_as_good_as_typed(house: House) -> None:
    """That its entry said so once is no sign that it is old: it might have been copied and put back to what it said."""
    laptop, desk = two_homes(house, "use uv")
    [line] = [line for line in laptop.text.splitlines() if "use uv" in line]
    desk.text = desk.text.replace("use uv", "use pip")
    desk.sync()
    laptop.text = laptop.text.replace(line, f"{line.replace('use uv', 'use pip')}\n{line}")
    forget_state(house, laptop)
    laptop.sync()
    desk.sync()
    assert laptop.facts == ["use pip", "use uv"]
    assert sorted(desk.facts) == house.live == ["use pip", "use uv"]


def forget_state(house: House, home: Home) -> None:
    for table in ("replica_entry", "replica_seen", "replica_outbox"):
        house.db.tx.run(f"delete from {table} where replica = ?", home.replica._key)
    house.db.tx.run("delete from replica where key = ?", home.replica._key)


def test_an_old_copy_of_the_file_loses_nothing_and_brings_nothing_back(house: House) -> None:
    laptop, _ = two_homes(house, "use uv", "use argon2")
    old = laptop.text
    laptop.text = old.replace("- use uv", "- 50 fps\n- use uv").replace("use argon2", "use bcrypt")
    laptop.sync()
    laptop.text = "".join(line for line in laptop.text.splitlines(True) if "use uv" not in line)
    laptop.sync()
    laptop.text = old
    laptop.sync()
    assert sorted(laptop.facts) == house.live == ["50 fps", "use bcrypt"]


@pytest.mark.parametrize("marked", [True, False])
def test_an_old_line_is_known_as_old_by_its_marker_alone(house: House, marked: bool) -> None:
    """Without one, it might have been typed just now: to drop it could lose what somebody wrote."""
    laptop, desk = house.home("laptop", "- use md5\n"), house.home("desk")
    laptop.sync()
    desk.sync()
    old = laptop.text if marked else "- use md5\n"
    desk.text = desk.text.replace("use md5", "use argon2")
    desk.sync()
    laptop.sync()
    assert laptop.facts == house.live == ["use argon2"]
    laptop.text = old
    laptop.sync()
    desk.sync()
    expected = ["use argon2"] if marked else ["use argon2", "use md5"]
    assert (sorted(laptop.facts), sorted(desk.facts), house.live) == (expected, expected, expected)


@pytest.mark.parametrize("kept", ["use poetry", ""])
def test_an_old_copy_of_the_file_does_not_bring_a_settled_conflict_back(house: House, kept: str) -> None:
    laptop, desk = two_homes(house, "use uv")
    laptop.text = laptop.text.replace("use uv", "use poetry")
    desk.text = old = desk.text.replace("use uv", "use pip")
    laptop.sync()
    desk.sync()
    laptop.sync()
    assert laptop.facts == ["use poetry", "use pip"]
    lines = laptop.text.splitlines(True)
    laptop.text = "".join(line for line in lines if "- use" not in line or (kept and kept in line))
    laptop.sync()
    desk.text = old
    desk.sync()
    laptop.sync()
    assert desk.facts == laptop.facts == house.live == [fact for fact in [kept] if fact]


@pytest.mark.parametrize("direction", [Direction.PUSH, Direction.PULL])
def test_an_old_copy_of_the_file_that_goes_one_way_first_loses_nothing_and_brings_nothing_back(
    house: House, direction: Direction
) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2")
    old = laptop.text
    laptop.text = old.replace("- use uv", "- 50 fps\n- use poetry\n<!-- -->")
    laptop.sync()
    assert house.live == ["50 fps", "use argon2", "use poetry"]
    laptop.text = old.replace("- use argon2", "- typed now\n- use argon2")
    laptop.sync(direction)
    for home in (laptop, desk):
        home.sync()
        assert sorted(home.facts) == house.live == ["50 fps", "typed now", "use argon2", "use poetry"]


def test_a_state_that_is_used_twice_goes_on_under_two_names(house: House) -> None:
    laptop, _ = two_homes(house, "use uv")
    twin = house.home("twin", laptop.text)
    moved(twin.replica.load())
    names = {}
    for home in (laptop, twin):
        house.db.tx.run("update replica set writer = 'local.same', number = 1 where key = ?", home.replica._key)
    for home, fact in ((laptop, "from the laptop"), (twin, "from the twin")):
        home.text = home.text.replace("- use uv", f"- {fact}\n- use uv")
        home.sync()
        names[fact] = moved(home.replica.load()).writer
    assert names["from the laptop"] == "local.same"
    assert names["from the twin"].startswith("twin.")
    laptop.sync()
    assert sorted(laptop.facts) == sorted(twin.facts) == house.live


def test_a_state_that_is_used_twice_is_noticed_though_all_that_the_other_wrote_was_changed_since(house: House) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2")
    twin = house.home("twin")
    twin.sync()
    for home in (laptop, twin):
        house.db.tx.run("update replica set writer = 'local.same', number = 1 where key = ?", home.replica._key)
    for home, old, new in ((laptop, "use uv", "use uv 1"), (desk, "use uv 1", "use uv 2"), (twin, "use argon2", "use bcrypt")):
        home.sync(Direction.PULL)
        home.text = home.text.replace(old, new)
        home.sync()
    assert moved(twin.replica.load()).writer.startswith("twin.")
    for home in (laptop, desk):
        home.sync()
        assert home.facts == ["use uv 2", "use bcrypt"]


def test_a_state_that_is_used_twice_is_noticed_though_the_shared_memory_forgot_what_the_other_wrote(house: House) -> None:
    laptop, desk = two_homes(house, "use uv", "use argon2")
    twin = house.home("twin", laptop.text)
    moved(twin.replica.load())
    for table, columns in (("replica_entry", "id, base"), ("replica_seen", "writer, number, whole")):
        copied = f"insert into {table} (replica, {columns}) select ?, {columns} from {table} where replica = ?"
        house.db.tx.run(copied, twin.replica._key, laptop.replica._key)
    state = moved(laptop.replica.load())
    same = "update replica set writer = ?, number = ?, generation = ? where key = ?"
    house.db.tx.run(same, state.writer, state.number, state.generation, twin.replica._key)
    laptop.text += "- 60 fps\n"
    laptop.sync()
    desk.sync()
    house.store.entries.clear()
    house.clock.time += DAY
    desk.sync()
    laptop.sync()
    twin.text = twin.text.replace("use argon2", "use bcrypt")
    twin.sync()
    for home in (laptop, desk, twin):
        home.sync()
        assert sorted(home.facts) == house.live == ["60 fps", "use bcrypt", "use uv"]


# Interrupted and disturbed


def test_a_sync_that_is_killed_anywhere_is_repaired_by_the_next(tmp_path: Path) -> None:
    turns = 0
    while is_repaired_after(House(tmp_path / str(turns)), turns):
        turns += 1
    assert turns >= 16, "every call of the file, the state and the shared memory, before and after"


def is_repaired_after(house: House, turn: int) -> bool:
    laptop, desk = two_homes(house, "use uv", "use argon2", "50 fps")
    desk.text = desk.text.replace("use uv", "use uv 1")
    desk.sync()
    laptop.text = laptop.text.replace("use argon2", "use bcrypt").replace("- 50 fps", "- by the laptop\n<!-- -->")
    killed = laptop.cut(turn)
    laptop.sync()
    desk.sync()
    assert sorted(laptop.facts) == sorted(desk.facts) == house.live == ["by the laptop", "use bcrypt", "use uv 1"], turn
    assert laptop.sync().in_step
    assert laptop.sync().conflicts == ()
    return killed


def test_what_may_or_may_not_have_arrived_is_sent_again_before_anything_else(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    late: list[Sequence[Write]] = []

    class Losing(MemoryInMemory):
        async def write(self, writes: Sequence[Write]) -> Any:
            late.append(writes)
            raise Unavailable("gone")

    losing = Losing()
    losing.entries = house.store.entries
    laptop.text = laptop.text.replace("use uv", "use uv 1")
    with pytest.raises(Unavailable):
        laptop.sync(store=losing)
    assert len(moved(laptop.replica.load()).outbox) == 1
    laptop.text = laptop.text.replace("use uv 1", "use uv 2")
    laptop.sync()
    assert [past.text for past in house.store.of(SKILL)[entry_id(SKILL, "use uv")].past] == ["use uv", "use uv 1"]
    house.store.apply(late[0])
    assert house.live == ["use uv 2"]
    assert moved(laptop.replica.load()).outbox == ()
    desk.sync()
    assert desk.facts == ["use uv 2"]


def test_a_push_that_was_seen_by_half_is_seen_again(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    laptop.text = laptop.text.replace("- use uv", "- a\n- b\n- use uv")

    class Half(MemoryInMemory):
        async def write(self, writes: Sequence[Write]) -> Any:
            self.apply(writes[:1])
            raise Unavailable("gone")

    half = Half()
    half.entries = house.store.entries
    with pytest.raises(Unavailable):
        laptop.sync(store=half)
    desk.sync()
    assert len(desk.facts) == 2
    laptop.sync()
    desk.sync()
    assert sorted(desk.facts) == ["a", "b", "use uv"]


def test_a_file_that_is_saved_in_the_middle_is_looked_at_again(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    desk.text = desk.text.replace("use uv", "use uv 1")
    desk.sync()
    replica: Any = Stepwise(laptop.replica)
    mover = Mover(Sync(house.store, house.clock, no_secrets, "ada").run(replica))
    while mover.at != "write":
        mover.step()
    laptop.text = laptop.text.replace("- use uv", "- saved meanwhile\n- use uv")
    report: Report = mover.finish()
    assert [(step.deed, step.text) for step in report.steps] == [(Deed.ADD, "saved meanwhile"), (Deed.FETCH, "use uv 1")]
    assert laptop.facts == ["saved meanwhile", "use uv 1"]


def test_a_file_that_is_saved_again_and_again_is_left_for_later(house: House) -> None:
    laptop, _ = two_homes(house, "use uv")
    moved(house.editor.add(SKILL, "50 fps", "", "bob"))
    replica: Any = Stepwise(laptop.replica)
    mover = Mover(Sync(house.store, house.clock, no_secrets, "ada").run(replica))
    while not mover.done:
        if mover.at == "write":
            laptop.text += "\n"
        mover.step()
    assert isinstance(mover.error, Unavailable)
    assert "is being changed too fast" in mover.error.detail
    laptop.sync()
    assert sorted(laptop.facts) == ["50 fps", "use uv"]


# What it costs


def test_what_was_written_directly_is_read_by_each_replica_once(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    for number in range(100):
        moved(house.editor.add(SKILL, f"fact {number}", "", "bob"))
    laptop.sync()
    assert all(entry.writer != DIRECT for entry in house.store.of(SKILL).values())
    desk.sync()
    for home in (laptop, desk):
        home.sync()
        house.store.reads = 0
        home.sync()
        assert house.store.reads == 0


def test_what_was_changed_before_it_was_given_its_place_keeps_its_change(house: House) -> None:
    laptop, desk = two_homes(house, "use uv")
    entry, _ = moved(house.editor.add(SKILL, "50 fps", "", "bob"))
    mover = Mover(Sync(Stepwise(house.store), house.clock, no_secrets, "ada").run(laptop.replica))
    while mover.at != "adopt":
        mover.step()
    moved(house.editor.edit(SKILL, entry.id, entry.rev, "60 fps", "bob"))
    mover.finish()
    assert house.store.of(SKILL)[entry.id].writer == DIRECT
    for home in (laptop, desk):
        home.sync()
        assert sorted(home.facts) == house.live == ["60 fps", "use uv"]


def test_a_comparison_finds_what_no_pull_brought(house: House) -> None:
    """Two pushes under one number, which should not be, and is where a state was used twice at the same moment."""
    laptop, desk = two_homes(house, "use uv")
    entry = house.store.of(SKILL)[entry_id(SKILL, "use uv")]
    which = entry_id(SKILL, "hidden")
    hidden = entry.model_copy(update={"id": which, "text": "hidden", "rev": "f" * 16})
    house.store.entries[SKILL, which] = hidden
    assert desk.deeds() == [("fetch", "hidden")], "another number of entries"
    place = {"writer": hidden.writer, "number": hidden.number}
    house.store.entries[SKILL, which] = changed(hidden, "hidden 2", Origin("ada", "local", NOON)).model_copy(update=place)
    assert laptop.deeds() == [("fetch", "hidden 2")]
    assert desk.deeds() == []
    house.clock.time += DAY
    assert desk.deeds() == [("fetch", "hidden 2")], "a day has passed"


def test_many_entries_are_pushed_in_numbered_pieces(house: House) -> None:
    laptop, desk = house.home("laptop", "".join(f"- fact {number}\n" for number in range(150))), house.home("desk")
    laptop.sync()
    sizes = sorted((entry.number, entry.of) for entry in house.store.of(SKILL).values())
    assert sorted(set(sizes)) == [(1, 64), (2, 64), (3, 22)]
    assert [sizes.count(place) for place in sorted(set(sizes))] == [64, 64, 22]
    assert len(desk.deeds()) == 150
    desk.sync()
    house.store.reads = 0
    desk.sync()
    assert house.store.reads == 0


def test_what_somebody_else_wrote_is_noted_as_theirs(house: House) -> None:
    laptop = house.home("laptop", "- use uv\n- use argon2\n")
    which = entry_id(SKILL, "use uv")
    laptop.sync(origins={(which, "use uv"): Origin("carol", "task:1", NOON - 5)})
    found = house.store.of(SKILL)
    assert (found[which].author, found[which].source, found[which].created_at) == ("carol", "task:1", NOON - 5)
    assert found[entry_id(SKILL, "use argon2")].author == "ada"
