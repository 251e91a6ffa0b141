"""What Qdrant is asked in a search, and the order that becomes of its answers. Qdrant is qdrant-client's own, in memory."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from agents.src.services import bm25
from agents.src.services.ranking import BM25, CANDIDATES, dense_name, query_body, ranked

LIVE = {"must": [{"key": "dead", "match": {"value": False}}]}
ENTRIES: list[tuple[str, str, list[float] | None]] = [
    ("Use argon2 for passwords, never bcrypt.", "Security", [1.0, 0.0]),
    ("Videos of this client are 50 fps.", "Video", [0.0, 1.0]),
    ("The client pays within 30 days.", "Money", [0.1, 0.9]),
    ("Hash with a salt.", "Security", [0.9, 0.1]),
    ("A tombstone about argon2.", "Security", None),
]


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    client = QdrantClient(":memory:")
    words = {BM25: models.SparseVectorParams(modifier=models.Modifier.IDF)}
    meaning = {dense_name(2): models.VectorParams(size=2, distance=models.Distance.COSINE)}
    client.create_collection("c", vectors_config=meaning, sparse_vectors_config=words)
    client.upsert("c", [a_point(number, *entry) for number, entry in enumerate(ENTRIES)])
    yield client
    client.close()


def a_point(number: int, text: str, section: str, dense: list[float] | None) -> models.PointStruct:
    vectors: dict[str, Any] = {BM25: models.SparseVector(**bm25.document(text)._asdict())}
    model = "m" if number != 2 else "an older one"
    payload = {"skill": "planning", "section": section, "dead": dense is None, "model": model, "text": text}
    return models.PointStruct(id=number, vector=vectors | ({dense_name(2): dense} if dense else {}), payload=payload)


def search(client: QdrantClient, query: str, dense: list[float] | None = None, limit: int = 10) -> list[str]:
    vector = (dense_name(2), dense) if dense else None
    body = query_body(bm25.query(query), vector, "m", LIVE, limit)
    requests = models.QueryRequestBatch.model_validate(body).searches
    answers = [answer.model_dump() for answer in client.query_batch_points("c", requests)]
    return [found.id for found in ranked(answers, limit)]


def a_found(number: int, score: float, section: str = "", skill: str = "planning") -> Mapping[str, Any]:
    return {"id": number, "score": score, "payload": {"skill": skill, "section": section}}


def test_words_find_live_entries_alone(client: QdrantClient) -> None:
    assert search(client, "Which hash for passwords: argon2?") == ["0", "3"]


def test_meaning_finds_what_no_word_does(client: QdrantClient) -> None:
    assert search(client, "cryptography") == []
    assert search(client, "cryptography", [1.0, 0.05])[:2] == ["0", "3"]


def test_vectors_of_another_model_are_not_compared(client: QdrantClient) -> None:
    assert "2" not in search(client, "cryptography", [0.0, 1.0])


def test_a_search_gives_as_many_as_it_may(client: QdrantClient) -> None:
    assert len(search(client, "client passwords salt", [1.0, 1.0], limit=2)) == 2


def test_what_qdrant_is_asked_is_of_its_own_form() -> None:
    for dense in (None, ("dense-2", [0.5, 0.5]), ("dense-2", {"text": "words", "model": "m"})):
        body = query_body(bm25.query("words"), dense, "m", None, 500)  # type: ignore[arg-type]
        searches = models.QueryRequestBatch.model_validate(body).searches
        assert [search.limit for search in searches] == [500] * len(searches)
        assert len(searches) == (1 if dense is None else 2)


def test_the_server_may_be_asked_to_embed_the_query() -> None:
    body = query_body(bm25.query("words"), ("dense-2", {"text": "words", "model": "m"}), "m", None, 5)
    query = models.QueryRequestBatch.model_validate(body).searches[1].query
    assert isinstance(query, models.Document)
    assert (query.text, query.model) == ("words", "m")


def test_one_clear_hit_counts_more_than_the_first_of_many_weak_ones() -> None:
    clear = {"points": [a_found(1, 9.0), a_found(2, 1.0)]}
    weak = {"points": [a_found(2, 0.31), a_found(3, 0.3), a_found(1, 0.29)]}
    assert [found.id for found in ranked([clear, weak], 3)] == ["1", "2", "3"]


def test_a_section_with_another_hit_comes_before_a_lonely_one() -> None:
    answer = {"points": [a_found(1, 5.0, "A"), a_found(2, 4.0, "B"), a_found(3, 3.9, "A")]}
    assert [found.id for found in ranked([answer], 3)] == ["1", "3", "2"]


def test_sections_of_different_skills_have_nothing_to_do_with_each_other() -> None:
    answer = {"points": [a_found(1, 5.0, "A"), a_found(2, 4.0, "B"), a_found(3, 3.9, "A", skill="research")]}
    assert [found.id for found in ranked([answer], 3)] == ["1", "2", "3"]


def test_without_headings_the_order_is_that_of_the_scores() -> None:
    answer = {"points": [a_found(number, 10.0 - number) for number in range(5)]}
    assert [found.id for found in ranked([answer], 5)] == ["0", "1", "2", "3", "4"]


def test_an_entry_that_a_short_search_did_not_find_gets_nothing_from_it() -> None:
    """One hit is the best and the last of its search at once."""
    words = {"points": [a_found(1, 5.0)]}
    meaning = {"points": [a_found(2, 0.8), a_found(1, 0.1)]}
    one, two = ranked([words, meaning], 2)
    assert (one.id, two.id) == ("1", "2")
    assert two.score < one.score


def test_what_a_full_search_left_out_counts_as_its_last() -> None:
    words = {"points": [a_found(number, 10.0 - number / 100) for number in range(CANDIDATES)]}
    meaning = {"points": [a_found(CANDIDATES, 0.8), a_found(0, 0.1)]}
    assert ranked([words, meaning], 2)[0].id == str(CANDIDATES)


@pytest.mark.parametrize("answers", [[], [{"points": []}], [{"points": []}, {"points": []}]])
def test_nothing_found_is_nothing_ranked(answers: list[Mapping[str, Any]]) -> None:
    assert ranked(answers, 10) == []


def test_scores_below_nothing_count_as_nothing() -> None:
    assert [found.score for found in ranked([{"points": [a_found(1, -0.2), a_found(2, -0.4)]}], 2)] == [0.0, 0.0]


def test_equal_scores_have_an_order_all_the_same() -> None:
    one = ranked([{"points": [a_found(2, 1.0), a_found(1, 1.0)]}], 2)
    other = ranked([{"points": [a_found(1, 1.0), a_found(2, 1.0)]}], 2)
    assert one == other
