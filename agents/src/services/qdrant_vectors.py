"""What entries are found by: a sparse vector of their words, and a dense one where an embedder is configured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from agents.src.errors import Unavailable
from agents.src.memory import MemoryEntry
from agents.src.services import bm25
from agents.src.services.embedding import Embedder, Vector, embedded_text
from agents.src.services.ranking import BM25, dense_name

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Made:
    """An entry's vectors by name, and the model that made the dense one; None without one."""

    vectors: dict[str, Any]
    model: str | None


class Vectors:
    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder

    @property
    def model(self) -> str | None:
        return self._embedder.model if self._embedder else None

    async def of(self, entries: Sequence[MemoryEntry]) -> dict[str, Made]:
        """By entry id. Without dense vectors while the embedder is out of reach: `reindex` makes up for them."""
        texts = [text_of(entry) for entry in entries]
        dense = await self._embedded(texts)
        words = [{BM25: sparse._asdict()} if sparse.indices else {} for sparse in map(bm25.document, texts)]
        if self._embedder is None or dense is None:
            return {entry.id: Made(made, None) for entry, made in zip(entries, words, strict=True)}
        name, model = dense_name(self._embedder.size), self._embedder.model
        return {entry.id: Made({**made, name: vector}, model) for entry, made, vector in zip(entries, words, dense, strict=True)}

    async def of_query(self, query: str) -> tuple[str, Vector] | None:
        """The dense vector's name and value; None without an embedder, or while it is out of reach."""
        dense = await self._embedded([query], query=True)
        return (dense_name(self._embedder.size), dense[0]) if self._embedder and dense else None

    async def _embedded(self, texts: Sequence[str], query: bool = False) -> list[Vector] | None:
        if self._embedder is None or not texts:
            return None
        try:
            return await self._embedder.embed(texts, query)
        except Unavailable as problem:
            # What is remembered must not wait for it, and words find most of it.
            log.warning("memory_not_embedded", detail=problem.detail)
            return None

    async def close(self) -> None:
        if self._embedder:
            await self._embedder.close()


def text_of(entry: MemoryEntry) -> str:
    return embedded_text(entry.skill, entry.section, entry.text)
