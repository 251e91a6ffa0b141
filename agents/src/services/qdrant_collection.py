"""The collection that entries lie in: made at first use, and brought up to what this version needs."""

import asyncio
from typing import Any

from agents.src.errors import Misconfigured
from agents.src.services.embedding import Embedder
from agents.src.services.qdrant_points import INDEXES, Json
from agents.src.services.qdrant_wire import Refusal, Wire, told
from agents.src.services.ranking import BM25, dense_name

WAIT = "?wait=true"


class Collection:
    """Answers for one collection's requests; `name` needs no quoting (see QDRANT_COLLECTION)."""

    def __init__(self, wire: Wire, name: str, embedder: Embedder | None) -> None:
        self.name = name
        self._wire = wire
        self._embedder = embedder
        self._there = False
        self._opening = asyncio.Lock()

    async def ask(self, method: str, path: str, body: Json) -> Any:
        """`path` below the collection's own. One that was deleted meanwhile is made again. Raises Misconfigured, Unavailable."""
        await self._open()
        with told(self._wire.place):
            try:
                return await self._wire.call(method, f"{self._path}{path}", body)
            except Refusal as refusal:
                if not refusal.no_collection:
                    raise
            self._there = False
            await self._open()
            return await self._wire.call(method, f"{self._path}{path}", body)

    async def count(self, which: Json) -> int | None:
        """None where there is no collection yet. Makes nothing. Raises Misconfigured, Unavailable."""
        with told(self._wire.place):
            found = await self._look()
            if found is None:
                return None
            self._check(found)
            answer = await self._wire.call("POST", f"{self._path}/points/count", {"filter": which, "exact": True})
        return int(answer["count"])

    @property
    def _path(self) -> str:
        return f"/collections/{self.name}"

    async def _open(self) -> None:
        if self._there:
            return
        async with self._opening:
            if not self._there:
                with told(self._wire.place):
                    await self._prepare(await self._look() or await self._made())
                self._there = True

    async def _look(self) -> Json | None:
        try:
            found: Json = await self._wire.call("GET", self._path)
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            return None
        return found

    async def _made(self) -> Json:
        vectors = {} if self._embedder is None else {dense_name(self._embedder.size): dense(self._embedder)}
        body = {"vectors": vectors, "sparse_vectors": {BM25: {"modifier": "idf"}}}
        try:
            await self._wire.call("PUT", self._path, body)
        except Refusal as refusal:
            if not is_already_there(refusal):
                raise
        made: Json = await self._wire.call("GET", self._path)
        return made

    async def _prepare(self, found: Json) -> None:
        self._check(found)
        if self._embedder and dense_name(self._embedder.size) not in (found["config"]["params"].get("vectors") or {}):
            await self._add_dense(self._embedder)
        indexed = found.get("payload_schema") or {}
        for field, schema in INDEXES.items():
            if field not in indexed:
                await self._wire.call("PUT", f"{self._path}/index{WAIT}", {"field_name": field, "field_schema": schema})

    def _check(self, found: Json) -> None:
        sparse = found["config"]["params"].get("sparse_vectors") or {}
        if sparse.get(BM25, {}).get("modifier") != "idf":
            raise Misconfigured(
                f"The collection {self.name} in Qdrant ({self._wire.place}) was made by something else. "
                "Set QDRANT_COLLECTION to another name."
            )

    async def _add_dense(self, embedder: Embedder) -> None:
        name = dense_name(embedder.size)
        try:
            await self._wire.call("PUT", f"{self._path}/vectors/{name}{WAIT}", {"dense": dense(embedder)})
        except Refusal as refusal:
            if is_already_there(refusal):
                return
            raise Misconfigured(
                f"The collection {self.name} has no vector {name} for MEMORY_EMBEDDING, and Qdrant does not add it "
                f"({refusal.reason}). Upgrade Qdrant to 1.18 or newer, or set QDRANT_COLLECTION to a new name and push again."
            ) from None


def dense(embedder: Embedder) -> Json:
    return {"size": embedder.size, "distance": "Cosine"}


def is_already_there(refusal: Refusal) -> bool:
    """Somebody else was faster."""
    return refusal.status == 409 or "already exists" in refusal.reason
