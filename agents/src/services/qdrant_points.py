"""Entries as Qdrant has them: points, and the filters that find them. All of it plain REST JSON."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from pydantic import ValidationError

from agents.src.errors import Misconfigured
from agents.src.memory import DIRECT, Mark, MemoryEntry, Write, digest
from agents.src.services.qdrant_vectors import Made, text_of

Json = dict[str, Any]

NAMESPACE = UUID("6f1f6a5e-8d0b-5c55-9a3e-0d8f6f1c7a42")
"""Never change it: every machine finds an entry's point by it."""
INDEXES: Mapping[str, Json] = {
    "skill": {"type": "keyword", "is_tenant": True},
    "writer": {"type": "keyword"},
    "number": {"type": "integer"},
    "rev": {"type": "keyword"},
    "dead": {"type": "bool"},
    "changed_at": {"type": "float"},
    "model": {"type": "keyword"},
}
"""What is filtered by. A server may refuse a filter without an index; the embedded Qdrant never tells."""


def point_id(skill: str, entry_id: str) -> str:
    return str(uuid5(NAMESPACE, f"{skill}/{entry_id}"))


def id_of(entry: MemoryEntry) -> str:
    return point_id(entry.skill, entry.id)


def point_of(entry: MemoryEntry, made: Made | None) -> Json:
    """With the entry's fields. Without vectors, as a tombstone is, no search finds it."""
    payload = entry.model_dump(mode="json") | (origin_of(entry, made.model) if made else {})
    return {"id": id_of(entry), "vector": made.vectors if made else {}, "payload": payload}


def origin_of(entry: MemoryEntry, model: str | None) -> Json:
    """What its vectors come from: the digest of the text, and which model made the dense one."""
    return {"embedded": digest(text_of(entry))} | ({"model": model} if model else {})


def is_up_to_date(point: Json, model: str | None) -> bool:
    """Whether a live entry's vectors are of its text and this model."""
    wanted = origin_of(entry_of(point), model)
    return all(point["payload"].get(field) == value for field, value in wanted.items())


def entry_of(point: Json) -> MemoryEntry:
    """Raises Misconfigured where it is none: somebody wrote the point by hand."""
    try:
        return MemoryEntry.model_validate(point["payload"])
    except ValidationError as error:
        raise no_entry(point, {".".join(map(str, fault["loc"])) for fault in error.errors()}) from None


def values_of(point: Json, *fields: str) -> tuple[Any, ...]:
    """Of a point of which no more than these fields was read. Raises Misconfigured where one is missing."""
    payload = point["payload"]
    if missing := {field for field in fields if payload.get(field) is None}:
        raise no_entry(point, missing)
    return tuple(payload[field] for field in fields)


def no_entry(point: Json, fields: Iterable[str]) -> Misconfigured:
    skill, wrong = (point["payload"] or {}).get("skill"), ", ".join(sorted(fields))
    whose = f' of the skill "{skill}"' if skill else ""
    return Misconfigured(
        f"The point {point['id']}{whose} in Qdrant is no entry of a memory; missing or wrong: {wrong}. "
        "Delete that point from the collection that QDRANT_COLLECTION names."
    )


# Filters


def equals(key: str, value: str | bool | int) -> Json:
    return {"key": key, "match": {"value": value}}


def within(key: str, **bounds: float) -> Json:
    """`bounds`: gt, gte, lt, lte."""
    return {"key": key, "range": bounds}


def at(point: str, rev: str) -> Json:
    """One point, while it is of that revision."""
    return {"must": [{"has_id": [point]}, equals("rev", rev)]}


def any_at(revs: Iterable[tuple[str, str]]) -> Json:
    """Points that are still of the revisions that go with them: judged point by point, in one filter."""
    return {"should": [at(point, rev) for point, rev in revs]}


def live(skills: Collection[str] | None) -> Json:
    of_skills = [] if skills is None else [{"key": "skill", "match": {"any": sorted(skills)}}]
    return {"must": [equals("dead", False), *of_skills]}


def unseen(skill: str, seen: Mapping[str, Mark]) -> Json:
    """All of a skill but what a replica has seen by its marks."""
    if not seen:
        return {"must": [equals("skill", skill)]}
    further = [
        {"must": [equals("writer", writer), within("number", **{"gt" if mark.whole else "gte": mark.number})]}
        for writer, mark in seen.items()
    ]
    unknown = {"must_not": [{"key": "writer", "match": {"any": sorted({*seen, DIRECT})}}]}
    return {"must": [equals("skill", skill)], "should": [equals("writer", DIRECT), unknown, *further]}


# Writes


def guarded(writes: Sequence[Write], points: Mapping[str, Json]) -> list[Json]:
    """The operations of one request. `points` by entry id.

    An unconditional upsert would put a point where none is, and over one that nobody has seen.
    """
    new = [write for write in writes if write.expects is None]
    changed = {id_of(write.entry): write for write in writes if write.expects is not None}
    operations: list[Json] = []
    if new:
        operations.append({"points": [points[write.entry.id] for write in new], "update_mode": "insert_only"})
    if changed:
        expected = any_at((point, write.expects or "") for point, write in changed.items())
        replaced = [points[write.entry.id] for write in changed.values()]
        operations.append({"points": replaced, "update_mode": "update_only", "update_filter": expected})
    return [{"upsert": operation} for operation in operations]


def adoption(entries: Sequence[MemoryEntry], writer: str, number: int) -> Json:
    """Only the payload is set: vectors stay."""
    which: Json = {"must": [equals("writer", DIRECT)], **any_at((id_of(entry), entry.rev) for entry in entries)}
    return {"payload": {"writer": writer, "number": number, "of": len(entries)}, "filter": which}


def renewal(entries: Sequence[MemoryEntry], made: Mapping[str, Made]) -> list[Json]:
    """Operations that give entries vectors anew (`made` by entry id), each while it is of the revision they were made for."""
    revs = {entry.id: (id_of(entry), entry.rev) for entry in entries}
    vectors = [{"id": revs[entry_id][0], "vector": one.vectors} for entry_id, one in made.items() if one.vectors]
    notes = [
        {"set_payload": {"payload": origin_of(entry, made[entry.id].model), "filter": at(*revs[entry.id])}} for entry in entries
    ]
    update = {"points": vectors, "update_filter": any_at(revs.values())}
    return [{"update_vectors": update}, *notes] if vectors else notes
