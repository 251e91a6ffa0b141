"""How lessons are taken into a memory.md."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from agents.src.memory import ACCEPTED, Act, Document, Lesson, LessonState, MemoryEntry, Taught, entry_id, sibling_id
from agents.src.memory.entry import Origin, changed, new_entry
from agents.src.memory.folding import Folding, Verdict, chains
from tests.building import NOON

SKILL = "planning"
BCRYPT, ARGON, SCRYPT = "use bcrypt", "use argon2", "use scrypt"
ID = entry_id(SKILL, BCRYPT)
IN_THE_FILE, HELD, REJECTED = LessonState.NEW, LessonState.HELD, LessonState.REJECTED
ADA = Origin("ada", "local", NOON)
TASK = Origin("ada", "task:t1", NOON)


@dataclass
class House:
    """A file that was made from its base, and what tasks say to it. `lines`: id → text."""

    base: dict[str, MemoryEntry] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    said: list[Taught] = field(default_factory=list)

    @property
    def text(self) -> str:
        lines = "".join(f"- {text} <!-- m:{entry_id} -->\n" for entry_id, text in self.lines.items())
        return f"# Memory\n\nProse stays.\n\n{lines}\n<!-- sync:g1 -->\n"

    def know(self, text: str, origin: Origin = ADA) -> MemoryEntry:
        entry = new_entry(SKILL, entry_id(SKILL, text), text, "", origin)
        self.lines[entry.id] = text
        self.base[entry.id] = entry
        return entry

    def change(self, entry_id: str, text: str | None, origin: Origin = ADA) -> MemoryEntry:
        """The file and the base learn it."""
        self.base[entry_id] = changed(self.base[entry_id], text, origin)
        self.lines.pop(entry_id)
        if text is not None:
            self.lines[entry_id] = text
        return self.base[entry_id]

    def say(self, action: Act, entry_id: str, text: str = "", rev: str | None = None, task: str = "t1", note: str = "") -> None:
        lesson = Lesson(action=action, id=entry_id, text=text, rev=rev)
        self.said.append(Taught(len(self.said) + 1, task, SKILL, "ada", lesson, LessonState.NEW, NOON, note))

    def add(self, text: str, task: str = "t1", note: str = "") -> None:
        self.say(Act.ADD, entry_id(SKILL, text), text, task=task, note=note)

    def fold(self) -> list[Verdict]:
        """What becomes of the lessons; the lines are then the file's. Once more with the same changes nothing."""
        folding = Folding(SKILL, self.text, self.base)
        verdicts = [folding.fold(chain) for chain in chains(self.said)]
        self.lines = lines_of(folding.text)
        again = Folding(SKILL, folding.text, self.base)
        for chain, verdict in zip(chains(self.said), verdicts, strict=True):
            if verdict.state is IN_THE_FILE:  # what is said of the others is settled
                again.fold(chain)
        assert lines_of(again.text) == self.lines
        assert "Prose stays.\n" in folding.text
        assert Document.parse(folding.text).generation == "g1"
        return verdicts


def lines_of(text: str) -> dict[str, str]:
    return {item.id: item.text for item in Document.parse(text).items if item.id}


def test_a_new_fact_goes_into_the_file() -> None:
    house = House()
    house.add(ARGON)
    assert house.fold() == [Verdict(IN_THE_FILE, id=entry_id(SKILL, ARGON))]
    assert house.lines == {entry_id(SKILL, ARGON): ARGON}


def test_it_goes_under_its_heading() -> None:
    lesson = Lesson(action=Act.ADD, id=ID, text=BCRYPT, section="Passwords")
    taught = Taught(1, "t1", SKILL, "ada", lesson, LessonState.NEW, NOON)
    folding = Folding(SKILL, "", {})
    folding.fold(*chains([taught]))
    assert [(item.text, item.section) for item in Document.parse(folding.text).items] == [(BCRYPT, "Passwords")]


def test_a_file_that_was_made_from_no_base_is_nobodys_heir_afterwards() -> None:
    """Else entries that others have would count as deleted here."""
    house = House()
    house.add(ARGON)
    folding = Folding(SKILL, "- typed by hand\n", {})
    folding.fold(*chains(house.said))
    assert Document.parse(folding.text).generation == "0"


def test_what_the_file_says_already_is_not_said_twice() -> None:
    house = House()
    house.know(ARGON)
    house.add(ARGON)
    assert house.fold() == [Verdict(IN_THE_FILE, id=entry_id(SKILL, ARGON))]
    assert list(house.lines.values()) == [ARGON]


def test_a_fact_is_corrected_over_what_the_task_saw() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.say(Act.CORRECT, ID, ARGON, entry.rev)
    assert house.fold() == [Verdict(IN_THE_FILE, id=ID)]
    assert house.lines == {ID: ARGON}


def test_a_correction_of_what_was_changed_meanwhile_stands_beside_it() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.change(ID, SCRYPT)
    house.say(Act.CORRECT, ID, ARGON, entry.rev)
    assert house.fold() == [Verdict(IN_THE_FILE, id=sibling_id(ID, ARGON))]
    assert house.lines == {ID: SCRYPT, sibling_id(ID, ARGON): ARGON}


def test_a_person_who_is_just_editing_the_line_keeps_it_too() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.lines[ID] = SCRYPT
    house.say(Act.CORRECT, ID, ARGON, entry.rev)
    house.fold()
    assert house.lines == {ID: SCRYPT, sibling_id(ID, ARGON): ARGON}


def test_two_tasks_that_correct_the_same_differently_are_a_conflict() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.say(Act.CORRECT, ID, ARGON, entry.rev, task="t1")
    house.say(Act.CORRECT, ID, SCRYPT, entry.rev, task="t2")
    house.fold()
    assert house.lines == {ID: ARGON, sibling_id(ID, SCRYPT): SCRYPT}


def test_a_correction_to_what_another_entry_says_leaves_that_one() -> None:
    house = House()
    entry = house.know(BCRYPT)
    other = house.know(ARGON)
    house.say(Act.CORRECT, ID, ARGON, entry.rev)
    assert house.fold() == [Verdict(IN_THE_FILE, id=other.id)]
    assert house.lines == {other.id: ARGON}


def test_a_correction_of_what_was_forgotten_meanwhile_waits_for_a_person() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.change(ID, None)
    house.say(Act.CORRECT, ID, ARGON, entry.rev)
    [verdict] = house.fold()
    assert verdict.state is HELD
    assert house.lines == {}


def test_an_accepted_one_brings_it_back() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.change(ID, None)
    house.say(Act.CORRECT, ID, ARGON, entry.rev, note=ACCEPTED)
    house.fold()
    assert house.lines == {ID: ARGON}


def test_what_was_forgotten_on_purpose_is_not_learned_again_without_a_person() -> None:
    house = House()
    house.know(BCRYPT)
    house.change(ID, None)
    house.add(BCRYPT)
    [verdict] = house.fold()
    assert verdict.state is HELD
    assert house.lines == {}
    house.said.clear()
    house.add(BCRYPT, note=ACCEPTED)
    house.fold()
    assert house.lines == {ID: BCRYPT}


def test_it_is_known_as_forgotten_by_its_text_whatever_entry_said_it_last() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.change(ID, ARGON)
    house.change(ID, None)
    house.know(SCRYPT)
    house.add(ARGON)
    house.say(Act.CORRECT, entry_id(SKILL, SCRYPT), ARGON, house.base[entry_id(SKILL, SCRYPT)].rev, task="t2")
    house.say(Act.CORRECT, ID, ARGON, entry.rev, task="t3")
    assert [verdict.state for verdict in house.fold()] == [HELD, HELD, HELD]
    assert house.lines == {entry_id(SKILL, SCRYPT): SCRYPT}


def test_what_has_become_another_fact_is_not_learned_again() -> None:
    house = House()
    house.know(BCRYPT)
    house.change(ID, ARGON)
    house.add(BCRYPT)
    [verdict] = house.fold()
    assert verdict == Verdict(REJECTED, f"It was known before, and has since become: {ARGON}")
    assert house.lines == {ID: ARGON}


def test_a_fact_is_forgotten() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.say(Act.FORGET, ID, BCRYPT, entry.rev)
    assert house.fold() == [Verdict(IN_THE_FILE, id=ID)]
    assert house.lines == {}


def test_a_fact_that_was_changed_meanwhile_is_not_forgotten() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.change(ID, ARGON)
    house.say(Act.FORGET, ID, BCRYPT, entry.rev)
    assert house.fold() == [Verdict(REJECTED, f"It was changed meanwhile, to: {ARGON}")]
    assert house.lines == {ID: ARGON}


def test_of_what_a_task_says_about_an_entry_the_last_word_counts() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.say(Act.CORRECT, ID, SCRYPT, entry.rev)
    house.say(Act.CORRECT, ID, ARGON)
    assert house.fold() == [Verdict(IN_THE_FILE, id=ID)]
    assert house.lines == {ID: ARGON}


def test_a_task_may_correct_and_forget_what_it_added() -> None:
    house = House()
    house.add(BCRYPT)
    house.say(Act.CORRECT, ID, ARGON)
    house.add(SCRYPT)
    house.say(Act.FORGET, entry_id(SKILL, SCRYPT), SCRYPT)
    house.fold()
    assert house.lines == {ID: ARGON}


def test_a_task_may_correct_what_it_taught_and_the_memory_has() -> None:
    house = House()
    house.know(BCRYPT, TASK)
    house.say(Act.CORRECT, ID, ARGON)
    house.fold()
    assert house.lines == {ID: ARGON}


def test_but_not_silently_over_what_a_person_made_of_it() -> None:
    house = House()
    house.know(BCRYPT, TASK)
    house.change(ID, SCRYPT)
    house.say(Act.CORRECT, ID, ARGON)
    house.fold()
    assert house.lines == {ID: SCRYPT, sibling_id(ID, ARGON): ARGON}


def test_an_addition_that_became_another_meanwhile_and_was_corrected_stands_beside_it() -> None:
    house = House()
    house.know(BCRYPT)
    house.change(ID, SCRYPT)
    house.add(BCRYPT)
    house.say(Act.CORRECT, ID, ARGON)
    house.fold()
    assert house.lines == {ID: SCRYPT, sibling_id(ID, ARGON): ARGON}


def test_what_the_shared_memory_has_taken_counts_whatever_was_made_of_it_since() -> None:
    """The keeper was killed before it could note that the lesson was taken, and a person has gone on."""
    house = House()
    entry = house.know(BCRYPT)
    house.change(ID, ARGON, TASK)
    house.change(ID, SCRYPT)
    house.say(Act.CORRECT, ID, ARGON, entry.rev)
    assert house.fold() == [Verdict(IN_THE_FILE, id=ID)]
    assert house.lines == {ID: SCRYPT}


def test_a_forgotten_fact_that_a_person_brought_back_stays() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.base[ID] = changed(changed(entry, None, TASK), BCRYPT, ADA)
    house.say(Act.FORGET, ID, BCRYPT, entry.rev)
    house.fold()
    assert house.lines == {ID: BCRYPT}


def test_a_settled_conflict_does_not_come_back() -> None:
    house = House()
    entry = house.know(BCRYPT)
    house.change(ID, SCRYPT)
    which = sibling_id(ID, ARGON)
    house.base[which] = changed(new_entry(SKILL, which, ARGON, "", TASK), None, ADA)
    house.say(Act.CORRECT, ID, ARGON, entry.rev)
    house.fold()
    assert house.lines == {ID: SCRYPT}


FACTS = [f"fact {n}" for n in range(4)]


@given(st.data())
def test_whatever_is_said_lessons_taken_twice_are_taken_once_and_no_other_line_is_touched(data: st.DataObject) -> None:
    house = House()
    for text in data.draw(st.lists(st.sampled_from(FACTS), unique=True)):
        entry = house.know(text)
        if data.draw(st.booleans()):
            house.change(entry.id, data.draw(st.sampled_from([f"{text}, or else", None])))
    stranger = house.know("nobody speaks of this")
    ids = [entry_id(SKILL, text) for text in FACTS]
    revs = [rev for entry in house.base.values() for rev in (entry.rev, *(past.rev for past in entry.past))]
    for _ in range(data.draw(st.integers(1, 4))):
        action = data.draw(st.sampled_from(Act))
        text = data.draw(st.sampled_from([*FACTS, "new"] if action is Act.ADD else ["new", "newer"]))
        which = entry_id(SKILL, text) if action is Act.ADD else data.draw(st.sampled_from(ids))
        rev = None if action is Act.ADD else data.draw(st.sampled_from([None, *revs]))
        task = "t1" if action is Act.ADD else data.draw(st.sampled_from(["t2", "t3"]))
        house.say(action, which, text, rev, task, data.draw(st.sampled_from(["", ACCEPTED])))
    house.fold()
    assert house.lines[stranger.id] == stranger.text
