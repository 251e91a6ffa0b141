"""The shared memory in Qdrant. Implements `MemoryStore` on any `Wire`; `docs/decisions/qdrant.md` says why it is made so."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.src.errors import InvalidRequest, Misconfigured
from agents.src.memory import MOST_WRITES, Hit, Mark, MemoryEntry, MemoryPage, Write
from agents.src.services import bm25
from agents.src.services import qdrant_points as points
from agents.src.services.embedding import Embedder, open_embedder
from agents.src.services.qdrant_collection import Collection as Place
from agents.src.services.qdrant_purge import purge
from agents.src.services.qdrant_reading import PAGE, SMALL_PAGE, everything, fetch, scroll
from agents.src.services.qdrant_vectors import Vectors
from agents.src.services.ranking import query_body, ranked

if TYPE_CHECKING:
    from agents.src.services.qdrant_wire import Wire
    from agents.src.settings import Settings

SURE = "?wait=true&ordering=strong"
"""Of a write: answered once it is done, and in one order on all replicas."""
CURSOR = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Standing:
    """`entries`: the live ones; None where nothing was kept yet."""

    place: str
    version: str
    collection: str
    entries: int | None


class QdrantMemory:
    """Belongs to the event loop that first uses it. Every method raises Unavailable or Misconfigured rather than give nothing."""

    def __init__(self, wire: "Wire", collection: str, embedder: Embedder | None = None) -> None:
        self._wire = wire
        self._place = Place(wire, collection, embedder)
        self._vectors = Vectors(embedder)

    # What replicas ask

    async def changes(self, skill: str, seen: Mapping[str, Mark]) -> tuple[MemoryEntry, ...]:
        return await everything(self._place, points.unseen(skill, seen))

    async def count(self, skill: str) -> int:
        answer = await self._place.ask("POST", "/points/count", {"filter": points.live([skill]), "exact": True})
        return int(answer["count"])

    async def revisions(self, skill: str) -> dict[str, str]:
        which = {"must": [points.equals("skill", skill)]}
        pages = scroll(self._place, which, ["id", "rev", "skill"], SMALL_PAGE)
        found = [points.values_of(point, "id", "rev") async for page in pages for point in page]
        return dict(found)

    async def get(self, skill: str, ids: Collection[str]) -> dict[str, MemoryEntry]:
        wanted = [points.point_id(skill, entry_id) for entry_id in ids]
        pages = [await fetch(self._place, wanted[start : start + PAGE]) for start in range(0, len(wanted), PAGE)]
        entries = [points.entry_of(point) for page in pages for point in page]
        return {entry.id: entry for entry in entries}

    async def write(self, writes: Sequence[Write]) -> dict[str, MemoryEntry | None]:
        if not writes:
            return {}
        entries = [write.entry for write in writes]
        made = await self._vectors.of([entry for entry in entries if not entry.dead])
        whole = {entry.id: points.point_of(entry, made.get(entry.id)) for entry in entries}
        await self._place.ask("POST", f"/points/batch{SURE}", {"operations": points.guarded(writes, whole)})
        stands = await self.get(entries[0].skill, list(whole))
        return {entry_id: stands.get(entry_id) for entry_id in whole}

    async def adopt(self, entries: Sequence[MemoryEntry], writer: str, number: int) -> None:
        if entries:
            await self._place.ask("POST", f"/points/payload{SURE}", points.adoption(entries, writer, number))

    # What people and tasks ask

    async def page(self, skills: Collection[str] | None, cursor: str | None, limit: int) -> MemoryPage:
        """Raises InvalidRequest for a cursor that no page gave."""
        if cursor is not None and not CURSOR.fullmatch(cursor):
            raise InvalidRequest("The cursor is not the `next` of a page.")
        if skills is not None and not skills:
            return MemoryPage((), None)
        body = {"filter": points.live(skills), "limit": limit, "with_payload": True} | ({"offset": cursor} if cursor else {})
        answer = await self._place.ask("POST", "/points/scroll", body)
        return MemoryPage(tuple(map(points.entry_of, answer["points"])), answer["next_page_offset"])

    async def search(self, query: str, skills: Collection[str] | None, limit: int) -> tuple[Hit, ...]:
        sparse, dense = bm25.query(query), await self._vectors.of_query(query)
        if (skills is not None and not skills) or (not sparse.indices and dense is None):
            return ()
        body = query_body(sparse, dense, self._vectors.model, points.live(skills), limit)
        best = ranked(await self._place.ask("POST", "/points/query/batch", body), limit)
        found = {point["id"]: points.entry_of(point) for point in await fetch(self._place, [one.id for one in best])}
        # Between the two requests an entry may have been forgotten.
        return tuple(Hit(found[one.id], one.score) for one in best if one.id in found and not found[one.id].dead)

    async def purge(self, before: float) -> int:
        return await purge(self._place, before)

    async def reindex(self) -> int:
        """Gives vectors anew to live entries whose vectors are of another model, of another text, or missing; how many."""
        renewed = 0
        async for page in scroll(self._place, points.live(None)):
            stale = [points.entry_of(point) for point in page if not points.is_up_to_date(point, self._vectors.model)]
            for start in range(0, len(stale), MOST_WRITES):
                renewed += await self._renew(stale[start : start + MOST_WRITES])
        return renewed

    async def _renew(self, entries: Sequence[MemoryEntry]) -> int:
        made = await self._vectors.of(entries)
        await self._place.ask("POST", f"/points/batch{SURE}", {"operations": points.renewal(entries, made)})
        return sum(one.model == self._vectors.model for one in made.values())

    async def standing(self) -> Standing:
        """Looks, and makes nothing."""
        version = await self._wire.version()
        return Standing(self._wire.place, version, self._place.name, await self._place.count(points.live(None)))

    async def close(self) -> None:
        await self._wire.close()
        await self._vectors.close()


def open_memory(settings: "Settings") -> QdrantMemory:
    """On the server that QDRANT_URL names, else in the state directory. Nothing is asked or opened yet. Raises Misconfigured."""
    embedder = open_embedder(settings.memory_embedding, settings.memory_embedding_url, settings.memory_embedding_api_key)
    return QdrantMemory(open_wire(settings), settings.qdrant_collection, embedder)


def open_wire(settings: "Settings") -> "Wire":
    if settings.qdrant_url is not None:
        from agents.src.services.qdrant_http import HttpWire

        return HttpWire(settings.qdrant_url, settings.qdrant_api_key)
    if (settings.memory_embedding or "").startswith("qdrant:"):
        raise Misconfigured("MEMORY_EMBEDDING=qdrant:… is done by a Qdrant server: set QDRANT_URL, or choose another provider.")
    from agents.src.services.qdrant_local import LocalWire

    return LocalWire(settings.state_dir / "qdrant")
