"""What a sync decides about each entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.memory import MemoryEntry, Origin, changed, new_entry, sibling_id
from agents.src.memory.plan import Agree, Line, Push, Split, Take, decide, plan

ID = "a167aa41ae7e"
ADA, BOB = Origin("ada", "local", 1.0), Origin("bob", "cloud", 2.0)
OLD = new_entry("planning", ID, "use pip", "Tools", ADA)
MINE = Line("use uv", "Tools")
THEIRS = changed(OLD, "use poetry", BOB)
DEAD = changed(OLD, None, BOB)
SAME = Line("use pip", "Tools")
ANEW = OLD.model_copy(update={"rev": "0" * 16})
"""Put there by somebody who knows nothing of what came later."""
PDM = Line("use pdm")
APART = changed(OLD, "use pdm", ADA)
"""Agreed on here, before the shared memory was emptied and filled anew by somebody who did not know it."""


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "action"),
    [
        # one side changed: it goes to the other side
        (OLD, SAME, OLD, Agree(OLD)),
        (OLD, MINE, OLD, Push(ID, MINE, OLD)),
        (OLD, SAME, THEIRS, Take(THEIRS, SAME)),
        (OLD, None, OLD, Push(ID, None, OLD)),
        (OLD, SAME, DEAD, Take(DEAD, SAME)),
        (None, MINE, None, Push(ID, MINE, None)),
        (None, None, OLD, Take(OLD, None)),
        # both, to the same: they agree
        (OLD, Line("use poetry"), THEIRS, Agree(THEIRS)),
        (OLD, None, DEAD, Agree(DEAD)),
        (None, SAME, OLD, Agree(OLD)),
        (None, None, DEAD, Agree(DEAD)),
        # both, to different texts: both are kept
        (OLD, MINE, THEIRS, Split(THEIRS, MINE, sibling_id(ID, "use uv"), None)),
        (None, MINE, OLD, Split(OLD, MINE, sibling_id(ID, "use uv"), None)),
        # an edit meets a deletion: the edit lives
        (OLD, MINE, DEAD, Push(ID, MINE, DEAD)),
        (OLD, None, THEIRS, Take(THEIRS, None)),
        (DEAD, MINE, DEAD, Push(ID, MINE, DEAD)),
        (DEAD, SAME, DEAD, Push(ID, SAME, DEAD)),
        (None, MINE, DEAD, Push(ID, MINE, DEAD)),
        # theirs was made from mine: no conflict
        (None, SAME, THEIRS, Take(THEIRS, SAME)),
        (None, SAME, DEAD, Take(DEAD, SAME)),
        (OLD, MINE, changed(changed(OLD, "use uv", ADA), "use uv, always", BOB), "take"),
        (OLD, MINE, changed(changed(OLD, "use uv", ADA), None, BOB), "take"),
        # the shared memory has fallen back: it is brought up again
        (THEIRS, Line("use poetry"), OLD, Push(ID, Line("use poetry"), OLD)),
        (THEIRS, SAME, OLD, Agree(OLD)),
        (DEAD, None, OLD, Push(ID, None, OLD)),
        (THEIRS, None, OLD, Push(ID, None, OLD)),
        (THEIRS, Line("use poetry"), ANEW, Push(ID, Line("use poetry"), ANEW)),
        (OLD, MINE, ANEW, Push(ID, MINE, ANEW)),
        (OLD, None, ANEW, Push(ID, None, ANEW)),
        # but what was deleted may have been written again, and what was deleted there is deleted
        (DEAD, None, ANEW, Take(ANEW, None)),
        (OLD, SAME, changed(ANEW, None, BOB), Take(changed(ANEW, None, BOB), SAME)),
        (OLD, MINE, changed(ANEW, None, BOB), Push(ID, MINE, changed(ANEW, None, BOB))),
        # it has become something else, and not from what was agreed on: both are kept
        (APART, PDM, THEIRS, Split(THEIRS, PDM, sibling_id(ID, "use pdm"), None)),
        (APART, MINE, THEIRS, Split(THEIRS, MINE, sibling_id(ID, "use uv"), None)),
        (APART, SAME, THEIRS, Take(THEIRS, SAME)),
        (APART, None, THEIRS, Take(THEIRS, None)),
        (APART, PDM, changed(THEIRS, None, BOB), Push(ID, PDM, changed(THEIRS, None, BOB))),
        (APART, None, changed(THEIRS, None, BOB), Agree(changed(THEIRS, None, BOB))),
        # on neither side there is anything
        (None, None, None, None),
        (OLD, None, None, None),
        (OLD, SAME, None, Push(ID, SAME, None)),
    ],
)
def test_each_row(base: MemoryEntry | None, mine: Line | None, theirs: MemoryEntry | None, action: object) -> None:
    if action == "take":
        assert theirs
        action = Take(theirs, mine)
    assert decide(base, mine, theirs, ID) == action


def test_what_is_agreed_already_is_left_out() -> None:
    assert plan({ID: OLD}, {ID: SAME}, {ID: OLD}, heir=True) == {}
    assert plan({}, {ID: SAME}, {ID: OLD}, heir=True) == {ID: Agree(OLD)}
    assert plan({ID: OLD}, {ID: SAME}, {ID: OLD}, heir=False) == {}


def test_in_a_file_from_elsewhere_nothing_that_is_missing_was_deleted() -> None:
    assert plan({ID: OLD}, {}, {ID: OLD}, heir=True) == {ID: Push(ID, None, OLD)}
    assert plan({ID: OLD}, {}, {ID: OLD}, heir=False) == {ID: Take(OLD, None)}


def test_a_sibling_that_is_there_already_is_known() -> None:
    sibling = sibling_id(ID, "use uv")
    there = new_entry("planning", sibling, "use uv", "Tools", BOB)
    actions = plan({ID: OLD}, {ID: MINE}, {ID: THEIRS, sibling: there}, heir=True)
    assert actions[ID] == Split(THEIRS, MINE, sibling, there)


def test_an_old_copy_does_not_bring_a_settled_conflict_back() -> None:
    sibling = sibling_id(ID, "use uv")
    settled = changed(new_entry("planning", sibling, "use uv", "Tools", BOB), None, BOB)
    there = {ID: THEIRS, sibling: settled}
    assert plan({ID: OLD}, {ID: MINE}, there, heir=False) == {ID: Take(THEIRS, MINE), sibling: Agree(settled)}
    assert plan({ID: OLD}, {ID: MINE}, there, heir=True) == {ID: Split(THEIRS, MINE, sibling, settled)}


TEXTS = st.sampled_from(["a", "b", "c", "d"])
STATES = st.none() | TEXTS


@st.composite
def histories(draw: st.DrawFn, begin: MemoryEntry | None = None) -> list[MemoryEntry]:
    """One entry's revisions, oldest first."""
    made = [begin or new_entry("planning", ID, draw(TEXTS), "", ADA)]
    for text in draw(st.lists(STATES, max_size=4)):
        if text is not None or not made[-1].dead:
            made.append(changed(made[-1], text, BOB))
    return made


def outcome(base: MemoryEntry | None, mine: Line | None, theirs: MemoryEntry | None) -> set[str]:
    """The live texts once the action is done on both sides."""
    match decide(base, mine, theirs, ID):
        case Agree(theirs=there) | Take(theirs=there):
            return set() if there.dead else {there.text}
        case Push(mine=line):
            return {line.text} if line else set()
        case Split(theirs=there, mine=line):
            return {there.text, line.text}
        case None:
            return set()


@given(revisions=histories(), data=st.data(), mine=STATES)
def test_no_text_is_lost_and_none_comes_back(revisions: list[MemoryEntry], data: st.DataObject, mine: str | None) -> None:
    """Whatever was agreed on before, or nothing, and whatever each side made of it."""
    seen = data.draw(st.integers(-1, len(revisions) - 1))
    base, theirs = revisions[seen] if seen >= 0 else None, revisions[-1]
    texts = outcome(base, Line(mine) if mine is not None else None, theirs)
    was = base.text if base and not base.dead else None
    known = {entry.text for entry in revisions[max(seen, 0) :] if not entry.dead}
    if mine is not None and mine != was and mine not in known:
        assert mine in texts, "what was written here is lost"
    if not theirs.dead and (base is None or theirs.rev != base.rev):
        assert theirs.text in texts, "what was written there is lost"
    assert texts <= {mine, theirs.text} - {None}
    if theirs.dead and mine is not None and mine == was and theirs.rev != (base.rev if base else ""):
        assert not texts, "what was deleted there came back"


@given(common=histories(), data=st.data(), mine=STATES)
def test_no_text_is_lost_where_the_shared_memory_went_another_way(
    common: list[MemoryEntry], data: st.DataObject, mine: str | None
) -> None:
    """What was agreed on is not what the shared memory has been made from: it was emptied, or put back to an earlier day."""
    base, theirs = data.draw(histories(common[-1]))[-1], data.draw(histories(common[-1]))[-1]
    texts = outcome(base, Line(mine) if mine is not None else None, theirs)
    if base.rev != theirs.rev and not theirs.descends_from(base.rev):
        assert mine in {*texts, *theirs.texts_after(None), None}, "what stands here is lost"
        assert theirs.dead or theirs.text in texts | base.texts_after(None), "what was written there is lost"
    assert texts <= {mine, theirs.text} - {None}


def test_what_was_changed_more_often_than_an_entry_remembers_is_no_other_entry() -> None:
    theirs = OLD
    for number in range(20):
        theirs = changed(theirs, f"use pip {number}", BOB)
    assert decide(OLD, SAME, theirs, ID) == Take(theirs, SAME)
    back = changed(theirs, "use pip", BOB)
    assert decide(THEIRS, Line("use poetry"), back, ID) == Take(back, Line("use poetry"))


@given(was=TEXTS, one=STATES, other=STATES)
def test_it_does_not_matter_which_side_is_which(was: str, one: str | None, other: str | None) -> None:
    base = new_entry("planning", ID, was, "", ADA)

    def there(text: str | None) -> MemoryEntry:
        return base if text == was else changed(base, text, BOB)

    def here(text: str | None) -> Line | None:
        return None if text is None else Line(text)

    assert outcome(base, here(one), there(other)) == outcome(base, here(other), there(one))


@given(revisions=histories(), data=st.data(), mine=STATES)
def test_what_was_done_is_done(revisions: list[MemoryEntry], data: st.DataObject, mine: str | None) -> None:
    """After an action both sides are the same, and there is nothing more to do."""
    base = data.draw(st.sampled_from([None, *revisions]))
    theirs: MemoryEntry | None = revisions[-1]
    line = Line(mine) if mine is not None else None
    match decide(base, line, theirs, ID):
        case Agree(theirs=there) | Take(theirs=there) | Split(theirs=there):
            theirs, line = there, None if there.dead else Line(there.text)
        case Push(mine=pushed, over=over):
            assert over is theirs
            assert over
            theirs, line = changed(over, pushed.text if pushed else None, ADA), pushed
    assert plan({ID: theirs} if theirs else {}, {ID: line} if line else {}, {ID: theirs} if theirs else {}, heir=True) == {}
