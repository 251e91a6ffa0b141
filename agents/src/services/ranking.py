"""How the shared memory is searched: what Qdrant is asked, and how its answers become one order.

Qdrant searches by words, and by meaning where there are dense vectors. What a search finds counts by the square of its score as a
share of that search's best: unlike ranks, this tells a clear hit from the first of many weak ones. Then an entry is lifted by the
best of its section, since what belongs together stands together. docs/decisions/memory-search.md has the figures.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agents.src.services.bm25 import Sparse
from agents.src.services.embedding import Vector

BM25 = "bm25"
"""The name of the collection's sparse vector; its modifier is `idf`."""
CANDIDATES = 100
"""Points that each search gives."""
SECTION_BEST, SECTION_WEIGHT = 2, 0.5
"""So many entries speak for their section, and so much. Chosen on the first five conversations of benchmarks/recall.py."""


class Ranked(NamedTuple):
    """A found point; a higher score fits better."""

    id: str
    score: float


def dense_name(size: int) -> str:
    """The name of the collection's dense vector of that length."""
    return f"dense-{size}"


def query_body(
    sparse: Sparse, dense: tuple[str, Vector] | None, model: str | None, flter: Mapping[str, Any] | None, limit: int
) -> dict[str, Any]:
    """The body of POST /collections/{c}/points/query/batch. `dense`: a vector's name and value, made by `model`."""
    common = {"limit": max(limit, CANDIDATES), "with_payload": ["skill", "section"]}
    words = {"query": sparse._asdict(), "using": BM25, **({"filter": flter} if flter else {}), **common}
    if dense is None:
        return {"searches": [words]}
    name, vector = dense
    # Vectors of another model would be compared as if they meant the same.
    own = {"must": [{"key": "model", "match": {"value": model}}, *([flter] if flter else [])]}
    return {"searches": [words, {"query": vector, "using": name, "filter": own, **common}]}


def ranked(answers: Sequence[Mapping[str, Any]], limit: int) -> list[Ranked]:
    """Best first, from the batch's result: for each search `{"points": [{"id", "score", "payload"}, …]}`, best first."""
    payloads = {str(point["id"]): point["payload"] for answer in answers for point in answer["points"]}
    scores = dict.fromkeys(payloads, 0.0)
    for answer in answers:
        found = {str(point["id"]): max(0.0, point["score"]) for point in answer["points"]}
        for point, share in _shares(found, list(payloads)):
            scores[point] += share
    lifted = _lifted(scores, payloads)
    order = sorted(lifted, key=lambda point: (-lifted[point], point))
    return [Ranked(point, lifted[point]) for point in order[:limit]]


def _shares(found: Mapping[str, float], points: Sequence[str]) -> Iterator[tuple[str, float]]:
    """For each point the square of its score, as a share of the best."""
    best = max(found.values(), default=0.0)
    # A search that found as many as it may did not look at the others: they may fit as well as its last.
    missing = min(found.values()) if len(found) >= CANDIDATES else 0.0
    yield from ((point, (found.get(point, missing) / best) ** 2 if best else 0.0) for point in points)


def _lifted(scores: Mapping[str, float], payloads: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    sections: dict[Any, list[float]] = defaultdict(list)
    for point, score in scores.items():
        sections[_section(point, payloads[point])].append(score)
    lifts = {section: sum(sorted(those)[-SECTION_BEST:]) / SECTION_BEST for section, those in sections.items()}
    return {point: score + SECTION_WEIGHT * lifts[_section(point, payloads[point])] for point, score in scores.items()}


def _section(point: str, payload: Mapping[str, Any]) -> tuple[str, ...]:
    """An entry without a heading above it stands alone."""
    section = payload.get("section")
    return (str(payload.get("skill")), section) if section else (point,)
