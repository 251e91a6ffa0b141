"""Old tombstones are removed, but for those that tell how far a writer has come."""

from collections import defaultdict

from agents.src.memory import DIRECT
from agents.src.services import qdrant_points as points
from agents.src.services.qdrant_collection import Collection
from agents.src.services.qdrant_points import Json
from agents.src.services.qdrant_reading import PAGE, SMALL_PAGE, scroll

FIELDS = ["skill", "writer", "number"]
NONE = -1
"""A number that no push has."""


async def purge(place: Collection, before: float) -> int:
    """How many were removed. Those that live again meanwhile stay."""
    old = {"must": [points.equals("dead", True), points.within("changed_at", lt=before)]}
    ids = await _spared(place, await _by_writer(place, old))
    removed = 0
    for start in range(0, len(ids), PAGE):
        these = {"has_id": ids[start : start + PAGE]}
        await place.ask("POST", "/points/delete?wait=true&ordering=strong", {"filter": {"must": [these, *old["must"]]}})
        left = await place.ask("POST", "/points/count", {"filter": {"must": [these]}, "exact": True})
        removed += len(these["has_id"]) - int(left["count"])
    return removed


async def _by_writer(place: Collection, old: Json) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """(skill, writer) → (point, number) of the tombstones that are old enough."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    async for page in scroll(place, old, FIELDS, SMALL_PAGE):
        for point in page:
            skill, writer, number = points.values_of(point, *FIELDS)
            found[skill, writer].append((point["id"], number))
    return found


async def _spared(place: Collection, tombstones: dict[tuple[str, str], list[tuple[str, int]]]) -> list[str]:
    """Points that may go. A writer whose last push is gone would number its next ones anew."""
    ids = []
    for (skill, writer), found in tombstones.items():
        last = NONE if writer == DIRECT else await _last(place, skill, writer)
        ids += [point for point, number in found if number != last]
    return ids


async def _last(place: Collection, skill: str, writer: str) -> int:
    """The number of a writer's last push that anything is left of."""
    which = {"must": [points.equals("skill", skill), points.equals("writer", writer)]}
    order = {"key": "number", "direction": "desc"}
    body = {"filter": which, "limit": 1, "order_by": order, "with_payload": ["number"]}
    answer = await place.ask("POST", "/points/scroll", body)
    return int(answer["points"][0]["payload"]["number"]) if answer["points"] else NONE
