"""Words as sparse vectors: the ids are Qdrant's own, as its `qdrant/bm25` gave them (qdrant-edge-py 0.9.0)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.services import bm25
from agents.src.services.porter2 import stem

QDRANTS = {
    "running": 243905464,
    "runs": 243905464,
    "ran": 567658162,
    "added": 1271291307,
    "evenings": 1587604933,
    "international": 2139336747,
    "organizers": 957769532,
    "university": 482863870,
    "emergencies": 2073907658,
    "generously": 1068447005,
    "communism": 941756865,
    "arsenal": 514406247,
    "skis": 261488321,
    "skies": 785651815,
    "dying": 1109731834,
    "idly": 1124826582,
    "news": 839153328,
    "howe": 818423220,
    "innings": 1558613090,
    "proceeding": 629533374,
    "succeeded": 21146474,
    "excellency": 894492446,
    "happily": 924502968,
    "hopefulness": 1103923824,
    "relational": 1338150097,
    "vietnamization": 543152938,
    "conformabli": 2055541886,
    "analogously": 1726761455,
    "operator": 100532018,
    "feudalism": 1123764024,
    "decisiveness": 590062121,
    "sensitiviti": 2142566036,
    "apologies": 70007125,
    "formative": 1646401716,
    "electrical": 254310662,
    "adjustment": 551230273,
    "adoption": 1550334664,
    "probate": 961610829,
    "rate": 1151308235,
    "cease": 968878415,
    "controlling": 1120066484,
    "fizzed": 428731091,
    "hoping": 1103923824,
    "hopping": 1962306191,
    "cry": 609123099,
    "say": 2044745418,
    "youth": 914338492,
    "yyed": 401865282,
    "enjoyed": 930117598,
    "2x": 1131517175,
    "naïve": 756638508,
    "déjà": 686458043,
    "straße": 2095602437,
    "काम": 1622412356,
    "ПРИВЕТ": 993413998,
}
SENTENCE = "The client's videos are 50 fps, not 60: use ffmpeg's -r 50 (never re-encode)."
SENTENCES = {
    38598737: 1.64342,
    118156056: 1.88141,
    388471277: 1.64342,
    639288724: 1.64342,
    640124220: 1.64342,
    1141673130: 1.64342,
    1399652590: 1.64342,
    1553167345: 1.64342,
    1696538840: 1.64342,
    1969182875: 1.64342,
}


@pytest.mark.parametrize(("word", "number"), QDRANTS.items())
def test_a_word_has_the_id_that_qdrant_gives_it(word: str, number: int) -> None:
    assert bm25.document(word).indices == [number]
    assert bm25.query(word).values[bm25.query(word).indices.index(number)] == 1.0


def test_a_sentence_has_the_vector_that_qdrant_gives_it() -> None:
    made = bm25.document(SENTENCE)
    assert dict(zip(made.indices, made.values, strict=True)) == pytest.approx(SENTENCES, abs=1e-5)


@pytest.mark.parametrize(("text", "value"), [("nice nice nice", 1.99363), ("entry " * 300, 2.19011)])
def test_a_repeated_word_counts_more_but_never_much_more(text: str, value: float) -> None:
    assert bm25.document(text).values == pytest.approx([value], abs=1e-5)


@pytest.mark.parametrize("text", ["", "the and of", "don’t", "…", "😀 😀", "___"])
def test_a_text_that_says_nothing_has_an_empty_vector(text: str) -> None:
    assert bm25.document(text) == bm25.query(text) == ([], [])


def test_the_longest_run_without_spaces_is_found_by_a_part_of_it() -> None:
    entry, part = bm25.document("漢字テストを使う"), bm25.query("テスト")
    assert set(part.indices) & set(entry.indices) == {bm25.term_id("テス"), bm25.term_id("スト")}
    assert bm25.term_id("漢字テストを使う") in entry.indices


def test_pairs_of_characters_leave_the_values_of_words_as_they_are() -> None:
    made = bm25.document("foo_bar.baz 漢字テスト काम")
    values = dict(zip(made.indices, made.values, strict=True))
    qdrants = [156908512, 244814614, 418006688, 1158584717, 1622412356]
    assert [values[number] for number in qdrants] == pytest.approx([1.66973] * 5, abs=1e-5)


def test_a_query_looks_for_other_forms_of_its_words_too() -> None:
    asked = bm25.query("When did we go?")
    assert dict(zip(asked.indices, asked.values, strict=True)) == {
        bm25.term_id("go"): 1.0,
        bm25.term_id("went"): bm25.OTHER_FORM,
        bm25.term_id("gone"): bm25.OTHER_FORM,
    }


def test_a_word_that_was_asked_for_is_not_made_less_by_being_a_form_of_another() -> None:
    asked = bm25.query("go went")
    values = dict(zip(asked.indices, asked.values, strict=True))
    assert (values[bm25.term_id("go")], values[bm25.term_id("went")]) == (1.0, 1.0)


def test_it_is_all_the_same_how_an_accent_is_written() -> None:
    assert bm25.document(unicodedata.normalize("NFD", "café Zürich")) == bm25.document("café Zürich")


@given(st.text())
def test_any_text_makes_vectors_that_qdrant_takes(text: str) -> None:
    for made in (bm25.document(text), bm25.query(text)):
        assert len(set(made.indices)) == len(made.indices) == len(made.values)
        assert all(0 <= number < 1 << 32 for number in made.indices)
        assert all(0 < value <= 2.2 for value in made.values)


@given(st.text(alphabet="abcdeghilnorstuy", max_size=20))
def test_a_stem_is_no_longer_than_its_word_but_for_one_letter(word: str) -> None:
    assert len(stem(word)) <= len(word) + 1
