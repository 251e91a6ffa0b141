"""What is changed directly in the shared memory."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from agents.src.errors import InvalidMemory, LooksSecret, RevisionMoved, UnknownEntry
from agents.src.memory import DIRECT, Document, Editor, MemoryEntry, Origin, Write, changed, entry_id, history
from tests.building import NOON, SteppedClock
from tests.rooms.memory.house import MemoryInMemory, Mover, Stepwise, moved, no_secrets

SKILL = "planning"


class House:
    def __init__(self) -> None:
        self.store = MemoryInMemory()
        self.clock = SteppedClock()
        self.editor = Editor(self.store, self.clock, no_secrets, "http")
        self.slow = Editor(Stepwise(self.store), self.clock, no_secrets, "http")

    def add(self, text: str = "use uv", section: str = "Tools") -> MemoryEntry:
        return moved(self.editor.add(SKILL, text, section, "ada"))[0]

    def at_write(self, work: Coroutine[Any, Any, Any]) -> Mover:
        """Moved on to just before its write."""
        mover = Mover(work)
        while mover.at != "write":
            mover.step()
        return mover


@pytest.fixture
def house() -> House:
    return House()


def test_an_added_entry_says_who_from_where_and_when(house: House) -> None:
    entry, new = moved(house.editor.add(SKILL, "  use uv \n", "Tools", "ada"))
    assert new
    assert (entry.id, entry.text, entry.section) == (entry_id(SKILL, "use uv"), "use uv", "Tools")
    assert (entry.author, entry.source, entry.created_at, entry.changed_at) == ("ada", "http", NOON, NOON)
    assert (entry.writer, entry.dead) == (DIRECT, False)
    assert moved(house.editor.get(SKILL, entry.id)) == entry


def test_the_same_text_is_the_same_entry(house: House) -> None:
    first = house.add()
    assert moved(house.editor.add(SKILL, "use uv", "Elsewhere", "bob")) == (first, False)
    assert moved(house.editor.add("design", "use uv", "", "bob"))[0].id != first.id


def test_a_text_that_was_forgotten_lives_again_with_its_past(house: House) -> None:
    first = house.add()
    moved(house.editor.forget(SKILL, first.id, first.rev, "ada"))
    entry, new = moved(house.editor.add(SKILL, "use uv", "Tools", "bob"))
    assert new
    assert (entry.id, entry.dead) == (first.id, False)
    assert [past.dead for past in history(entry)] == [False, True, False]


def test_a_text_whose_entry_has_become_another_gets_one_of_its_own(house: House) -> None:
    first = house.add()
    moved(house.editor.edit(SKILL, first.id, None, "use poetry", "ada"))
    entry, new = moved(house.editor.add(SKILL, "use uv", "Tools", "bob"))
    assert new
    assert entry.id == entry_id(SKILL, "use uv", [first.id]) != first.id
    assert sorted(house.store.live(SKILL).values()) == ["use poetry", "use uv"]


def test_two_that_add_the_same_at_once_add_one(house: House) -> None:
    one, other = (house.at_write(house.slow.add(SKILL, "use uv", "", who)) for who in ("ada", "bob"))
    added = [one.finish(), other.finish()]
    assert added[0][0].id == added[1][0].id
    assert len(house.store.live(SKILL)) == 1


def test_an_entry_that_was_edited_while_it_was_added_again_is_left_alone(house: House) -> None:
    adding = house.at_write(house.slow.add(SKILL, "use uv", "", "bob"))
    first = house.add()
    moved(house.editor.edit(SKILL, first.id, None, "use poetry", "ada"))
    entry, _ = adding.finish()
    assert house.store.live(SKILL)[first.id] == "use poetry"
    assert entry.id == first.id
    assert entry.text == "use poetry"


def test_an_edit_is_made_over_the_revision_that_was_seen(house: House) -> None:
    first = house.add()
    edited = moved(house.editor.edit(SKILL, first.id, first.rev, "use poetry", "bob"))
    assert (edited.text, edited.section, edited.author, edited.created_at) == ("use poetry", "Tools", "bob", first.created_at)
    with pytest.raises(RevisionMoved, match=f"is at revision {edited.rev} now"):
        moved(house.editor.edit(SKILL, first.id, first.rev, "use pip", "eve"))
    assert moved(house.editor.edit(SKILL, first.id, None, "use pip", "eve")).text == "use pip"


def test_an_edit_to_the_same_text_changes_nothing(house: House) -> None:
    first = house.add()
    assert moved(house.editor.edit(SKILL, first.id, first.rev, "use uv", "bob")) == first
    with pytest.raises(RevisionMoved):
        moved(house.editor.edit(SKILL, first.id, "0" * 16, "use uv", "bob"))


@pytest.mark.parametrize("how", ["edit", "forget"])
def test_of_two_changes_at_once_one_is_told_that_it_was_too_late(house: House, how: str) -> None:
    first = house.add()
    work = (
        house.slow.edit(SKILL, first.id, None, "mine", "ada") if how == "edit" else house.slow.forget(SKILL, first.id, None, "a")
    )
    late = house.at_write(work)
    theirs = moved(house.editor.edit(SKILL, first.id, None, "theirs", "bob"))
    with pytest.raises(RevisionMoved, match="was changed at this moment"):
        late.finish()
    assert house.store.of(SKILL)[first.id] == theirs


def test_a_change_that_was_built_upon_at_once_counts_as_made(house: House) -> None:
    """Its write has landed; before it looks, somebody else changes the entry again."""

    class Busy(MemoryInMemory):
        def apply(self, writes: Sequence[Write]) -> None:
            super().apply(writes)
            if writes[0].entry.text == "mine":
                on_top = changed(writes[0].entry, "built upon it", Origin("bob", "http", NOON))
                super().apply([Write(on_top, writes[0].entry.rev)])

    busy = Busy()
    busy.entries.update({(SKILL, entry.id): entry for entry in [house.add()]})
    [which] = busy.of(SKILL)
    stands = moved(Editor(busy, house.clock, no_secrets, "http").edit(SKILL, which, None, "mine", "ada"))
    assert stands.text == "built upon it"


def test_what_is_forgotten_keeps_its_text_and_can_be_forgotten_once(house: House) -> None:
    first = house.add()
    dead = moved(house.editor.forget(SKILL, first.id, first.rev, "bob"))
    assert (dead.dead, dead.text, dead.author) == (True, "use uv", "bob")
    assert house.store.live(SKILL) == {}
    for work in (house.editor.forget(SKILL, first.id, None, "bob"), house.editor.edit(SKILL, first.id, None, "x", "bob")):
        with pytest.raises(UnknownEntry, match="was forgotten; its history is still there"):
            moved(work)
    with pytest.raises(UnknownEntry, match="The memory of planning has no entry 000000000000"):
        moved(house.editor.get(SKILL, "000000000000"))


def test_what_cannot_be_an_entry_or_looks_secret_is_refused(house: House) -> None:
    first = house.add()
    works: list[Callable[[str], Coroutine[Any, Any, Any]]] = [
        lambda text: house.editor.add(SKILL, text, "", "ada"),
        lambda text: house.editor.edit(SKILL, first.id, None, text, "ada"),
    ]
    with pytest.raises(LooksSecret):
        moved(house.editor.add(SKILL, "use pip", "the secret is 1234", "ada"))
    with pytest.raises(InvalidMemory, match="section: "):
        moved(house.editor.add(SKILL, "use pip", "x" * 201, "ada"))
    for work in works:
        with pytest.raises(InvalidMemory, match="it is empty"):
            moved(work("  \n"))
        with pytest.raises(LooksSecret, match=r"looks like a secret \(it says so\)"):
            moved(work("my secret"))
    assert house.store.live(SKILL) == {first.id: "use uv"}


def test_a_heading_has_to_be_one_and_may_not_look_secret_either(house: House) -> None:
    with pytest.raises(InvalidMemory, match=r"^section: "):
        house.add(section="x" * 201)
    with pytest.raises(LooksSecret):
        house.add(section="my secret")
    assert house.store.live(SKILL) == {}
    assert house.add(section="## Tools \n and more").section == "Tools and more"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("C#", "C#"),
        ("## C# ##", "C#"),
        ("Tools ##", "Tools"),
        ("# Tools", "Tools"),
        ("#tag", "#tag"),
        ("برنامه\u200cها", "برنامه\u200cها"),
        ("👩\u200d💻 Dev", "👩\u200d💻 Dev"),
        ("A\u00a0B", "A B"),
        ("##", ""),
    ],
)
def test_a_heading_is_kept_as_a_file_that_has_it_says_it(house: House, said: str, kept: str) -> None:
    [item] = Document.parse(f"# Memory\n\n## {kept}\n\n- use uv\n").items
    assert house.add(section=said).section == kept == item.section


@pytest.mark.parametrize("sign", ["\a", "\x9b", "\ud83d"])
def test_a_heading_has_no_control_characters(house: House, sign: str) -> None:
    with pytest.raises(InvalidMemory, match=r"^section: it holds the control character U\+"):
        house.add(section=f"Tools{sign}")


def test_a_history_is_told_from_the_beginning(house: House) -> None:
    first = house.add()
    house.clock.time += 60
    second = moved(house.editor.edit(SKILL, first.id, None, "use poetry", "bob"))
    moved(house.editor.forget(SKILL, first.id, None, "eve"))
    told = history(moved(house.editor.get(SKILL, first.id)))
    assert [(entry.text, entry.dead, entry.author, entry.changed_at - NOON) for entry in told] == [
        ("use uv", False, "ada", 0),
        ("use poetry", False, "bob", 60),
        ("use poetry", True, "eve", 60),
    ]
    assert [entry.rev for entry in told[:2]] == [first.rev, second.rev]
