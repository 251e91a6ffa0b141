"""How many points are read: page by page, and once more where others wrote meanwhile."""

from collections.abc import AsyncIterator
from typing import Any

from agents.src.errors import Unavailable
from agents.src.memory import MemoryEntry
from agents.src.services.qdrant_collection import Collection
from agents.src.services.qdrant_points import Json, entry_of

PAGE = 256
"""Points in one answer: the longest entries with all their past are 17 MB."""
SMALL_PAGE = 4096
"""The same, of points without their texts."""
LOOKS = 8
"""Times that a list is read again because somebody wrote meanwhile."""
ESSENTIALS = ("id", "rev", "writer", "number")


async def scroll(place: Collection, which: Json, payload: Any = True, page: int = PAGE) -> AsyncIterator[list[Json]]:
    """Pages of points in the order of their ids. `payload`: the fields wanted, True for all."""
    offset: str | None = ""
    while offset is not None:
        body = {"filter": which, "limit": page, "with_payload": payload} | ({"offset": offset} if offset else {})
        answer = await place.ask("POST", "/points/scroll", body)
        offset = answer["next_page_offset"]
        yield answer["points"]


async def everything(place: Collection, which: Json) -> tuple[MemoryEntry, ...]:
    """Entries as they stood at one time. Raises Unavailable where they never stand still.

    What lands behind the page that is being read is not seen, though a later push by the same writer may be: who went by
    the latest number would never ask for it again. So where one page does not hold all, the essentials are read
    again, until nothing has moved.
    """
    found: dict[str, Json] = {}
    pages = 0
    async for page in scroll(place, which):
        found.update({point["id"]: point for point in page})
        pages += 1
    for _ in range(LOOKS if pages > 1 else 0):
        moved = await _moved(place, which, found)
        if not moved:
            break
        for start in range(0, len(moved), PAGE):
            found.update({point["id"]: point for point in await fetch(place, moved[start : start + PAGE])})
    else:
        if pages > 1:
            raise Unavailable("The memory is being changed too fast to be read as a whole; try again.")
    return tuple(entry_of(point) for point in found.values())


async def _moved(place: Collection, which: Json, found: dict[str, Json]) -> list[str]:
    """Ids of points that are not, or not as they are now, among those found. What was removed meanwhile is let go."""
    now = {}
    async for page in scroll(place, which, list(ESSENTIALS), SMALL_PAGE):
        now.update({point["id"]: point for point in page})
    for gone in found.keys() - now.keys():
        del found[gone]
    return [point for point, seen in now.items() if point not in found or essentials(seen) != essentials(found[point])]


def essentials(point: Json) -> list[Any]:
    return [point["payload"].get(field) for field in ESSENTIALS]


async def fetch(place: Collection, ids: list[str]) -> list[Json]:
    """Those of the points that are there."""
    if not ids:
        return []
    found: list[Json] = await place.ask("POST", "/points", {"ids": ids, "with_payload": True})
    return found
