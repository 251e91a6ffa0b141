"""The shared memory that tests keep in a dict behaves as the real one does."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.src.memory import DIRECT, Mark, MemoryEntry, Origin, Write, changed, new_entry
from tests.rooms.memory.house import MemoryInMemory, moved
from tests.rooms.memory.life import EmbeddedQdrant

SKILLS, IDS, WRITERS = ["planning", "design"], ["a" * 12, "b" * 12, "c" * 12], ["w1", "w2"]
OPERATION = st.tuples(
    st.sampled_from(["write", "write", "write", "adopt", "purge", "look"]),
    st.sampled_from(SKILLS),
    st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True),
    st.sampled_from([*WRITERS, DIRECT]),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(["one", "two", None]),
)


@pytest.fixture(scope="module")
def qdrant() -> Iterator[EmbeddedQdrant]:
    store = EmbeddedQdrant()
    yield store
    store.end()


@given(operations=st.lists(OPERATION, min_size=4, max_size=12))
@settings(max_examples=60)
def test_both_answer_alike(qdrant: EmbeddedQdrant, operations: list[Any]) -> None:
    double = MemoryInMemory()
    for skill in SKILLS:
        qdrant.clear(skill)
    for at, (what, skill, ids, writer, number, right, text) in enumerate(operations):
        there = double.of(skill)
        if what == "write":
            writes = [a_write(skill, which, there.get(which), text, (writer, number, len(ids), at), right) for which in ids]
            assert moved(double.write(writes)) == moved(qdrant.write(writes))
        elif what == "adopt":
            seen = [entry if right else changed(entry, "x", ORIGIN) for which, entry in there.items() if which in ids]
            if seen:
                moved(double.adopt(seen, "w1", number))
                moved(qdrant.adopt(seen, "w1", number))
        elif what == "purge":
            assert moved(double.purge(at - 1.0)) == moved(qdrant.purge(at - 1.0))
        marks = {writer: Mark(number, right)}
        assert sorted(moved(double.changes(skill, marks)), key=of_id) == sorted(moved(qdrant.changes(skill, marks)), key=of_id)
        for name in ("count", "revisions"):
            assert moved(getattr(double, name)(skill)) == moved(getattr(qdrant, name)(skill))
        assert moved(double.get(skill, ids)) == moved(qdrant.get(skill, ids))


ORIGIN = Origin("ada", "local", 0.0)


def of_id(entry: MemoryEntry) -> str:
    return entry.id


def a_write(
    skill: str, which: str, there: MemoryEntry | None, text: str | None, place: tuple[str, int, int, int], right: bool
) -> Write:
    """Over what is there, or, if it is not to be right, over what is not."""
    writer, number, of, at = place
    origin = Origin("ada", "local", float(at))
    made = changed(there, text, origin) if there else new_entry(skill, which, text or "new", "", origin)
    stamp = {"writer": writer, "number": 0 if writer == DIRECT else number, "of": of}
    expects = there.rev if there else None
    return Write(made.model_copy(update=stamp), expects if right else (None if there else "0" * 16))


def test_pages_are_whole_and_without_repeats() -> None:
    double = MemoryInMemory()
    writes = [Write(new_entry("planning", f"{number:012x}", f"fact {number}", "", ORIGIN), None) for number in range(10)]
    moved(double.write(writes))
    cursor, seen = None, list[str]()
    while True:
        page = moved(double.page(["planning"], cursor, 3))
        seen += [entry.id for entry in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == [f"{number:012x}" for number in range(10)]
    assert moved(double.page([], None, 3)).items == ()
    assert [hit.entry.text for hit in moved(double.search("Fact 7!", None, 1))] == ["fact 7"]
