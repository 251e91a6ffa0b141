"""Which entry a line is: what people do to lines in an editor must not make two entries of one, or one of two."""

from hypothesis import given
from hypothesis import strategies as st

from agents.src.memory.document import Document
from agents.src.memory.identity import digest, entry_id, identified, sibling_id

ONE, TWO = "a167aa41ae7e", "9c1b22f0d3e4"
SKILL = "planning"


def of(text: str, known: dict[str, str] | None = None) -> dict[int, str]:
    return identified(Document.parse(text), known or {}, SKILL)


def test_parts_of_a_digest_have_their_borders() -> None:
    assert digest("ab", "c") != digest("a", "bc") != digest("abc")
    assert digest("ä") == digest("ä")


def test_the_same_fact_of_the_same_skill_is_the_same_entry() -> None:
    assert of("- use uv") == of("# Memory\n* use uv  \r\n") == {0: entry_id(SKILL, "use uv")}
    assert entry_id(SKILL, "use uv") != entry_id("thumbnails", "use uv")


def test_an_id_that_is_taken_gives_way_to_the_next() -> None:
    first = entry_id(SKILL, "a")
    second = entry_id(SKILL, "a", {first})
    third = entry_id(SKILL, "a", {first, second})
    assert len({first, second, third}) == 3
    assert second == entry_id(SKILL, "a", {first})


def test_siblings_follow_from_their_entry_and_their_text() -> None:
    assert sibling_id(ONE, "a") == f"{ONE}~{digest('a')[:8]}"
    assert sibling_id(sibling_id(ONE, "a"), "b").count("~") == 2


def test_a_marker_counts_whether_it_is_known_or_not() -> None:
    assert of(f"- a <!-- m:{ONE} -->") == {0: ONE}
    assert of(f"- changed <!-- m:{ONE} -->", {ONE: "a"}) == {0: ONE}


def test_an_unchanged_line_without_its_marker_is_recognised() -> None:
    assert of("- a", {ONE: "a"}) == {0: ONE}


def test_a_changed_line_without_its_marker_is_new() -> None:
    assert of("- b", {ONE: "a"}) == {0: entry_id(SKILL, "b")}


def test_a_changed_copy_above_the_original_does_not_take_its_marker() -> None:
    assert of(f"- b <!-- m:{ONE} -->\n- a <!-- m:{ONE} -->", {ONE: "a"}) == {0: entry_id(SKILL, "b"), 1: ONE}


def test_nor_does_it_take_that_of_an_entry_which_somebody_deleted() -> None:
    document = Document.parse(f"- b <!-- m:{ONE} -->\n- a <!-- m:{ONE} -->")
    assert identified(document, {}, SKILL, {ONE: "a"}) == {0: entry_id(SKILL, "b"), 1: ONE}
    assert identified(Document.parse("- a"), {}, SKILL, {TWO: "a"}) == {0: entry_id(SKILL, "a")}


def test_of_copies_that_both_changed_the_first_keeps_the_marker() -> None:
    assert of(f"- b <!-- m:{ONE} -->\n- c <!-- m:{ONE} -->", {ONE: "a"}) == {0: ONE, 1: entry_id(SKILL, "c")}


def test_an_exact_repeat_is_left_out() -> None:
    assert of(f"- a\n- a <!-- m:{ONE} -->\n- a <!-- m:{ONE} -->\n- b\n- b") == {1: ONE, 3: entry_id(SKILL, "b")}


def test_two_entries_of_one_text_both_survive_the_loss_of_their_markers() -> None:
    assert of("- a\n- a\n- a", {ONE: "a", TWO: "a"}) == {0: TWO, 1: ONE}


def test_a_text_whose_id_went_on_to_another_text_gets_another_id() -> None:
    old = entry_id(SKILL, "a")
    assert of(f"- b <!-- m:{old} -->\n- a", {old: "a"}) == {0: old, 1: entry_id(SKILL, "a", {old})}
    assert of("- a", {old: "b"}) == {0: entry_id(SKILL, "a", {old})}


WORDS = st.sampled_from(["a", "b", "c"])
MARKERS = st.sampled_from(["", "", f" <!-- m:{ONE} -->", f" <!-- m:{TWO} -->", f" <!-- m:{entry_id(SKILL, 'a')} -->"])
FILES = st.lists(st.builds("- {}{}\n".format, WORDS, MARKERS), max_size=8).map("".join)
KNOWN = st.dictionaries(st.sampled_from([ONE, TWO, *(entry_id(SKILL, word) for word in "abc")]), WORDS)


@given(FILES, KNOWN)
def test_ids_are_unique_and_every_text_has_one(text: str, known: dict[str, str]) -> None:
    items = Document.parse(text).items
    ids = of(text, known)
    assert len(set(ids.values())) == len(ids)
    assert {items[index].text for index in ids} == {item.text for item in items}
    assert {item.id for item in items if item.id} <= set(ids.values())


@given(FILES, KNOWN)
def test_no_known_entry_whose_text_still_stands_is_lost_unless_another_has_it(text: str, known: dict[str, str]) -> None:
    items, ids = Document.parse(text).items, of(text, known)
    said = {items[index].text: entry for index, entry in ids.items()}
    for entry, words in known.items():
        assert entry in ids.values() or words not in said or said[words] != entry_id(SKILL, words, known)


@given(FILES, KNOWN)
def test_once_the_ids_are_written_they_stay(text: str, known: dict[str, str]) -> None:
    document = Document.parse(text)
    ids = identified(document, known, SKILL)
    written = document.edited(ids=ids, texts={}, gone=(), added=(), generation="g")
    again = Document.parse(written)
    now = {entry: again.items[index].text for index, entry in ids.items()}
    assert identified(again, now, SKILL) == ids
    assert again.edited(ids=ids, texts={}, gone=(), added=(), generation="g") == written
