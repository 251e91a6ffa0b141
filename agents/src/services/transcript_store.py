"""Transcripts of Claude Code in SQL. Implements `SessionStore` of claude-agent-sdk on any `Db`.

What is asked for a task lies under the task's id (`project_key`), and goes with the task: see `forget`.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID, uuid5

import structlog

from agents.src.errors import Unavailable
from agents.src.services.database import Db, Tx

if TYPE_CHECKING:
    from claude_agent_sdk.types import SessionKey, SessionListSubkeysKey, SessionStoreEntry

Entry = dict[str, Any]
"""One line of a transcript. What is in it is Claude Code's affair."""

NAMES = UUID("6f1f7a2e-2d0b-5c1e-9a53-0f6f3f0f8a41")
"""What the ids of Claude Code's sessions are made in."""
ADD = """
    insert into transcript (project, session, subpath, number, entries)
    select ?, ?, ?, coalesce(max(number), 0) + 1, ? from transcript where project = ? and session = ? and subpath = ?
"""
LOAD = "select entries from transcript where project = ? and session = ? and subpath = ? order by number"
SUBPATHS = "select distinct subpath from transcript where project = ? and session = ? and subpath <> '' order by subpath"
DELETE = "delete from transcript where project = ? and session = ?"
FORGET = "delete from transcript where project = ?"

log = structlog.get_logger()


class Transcripts(Protocol):
    """As much of claude-agent-sdk's `SessionStore` as is needed here."""

    async def append(self, key: "SessionKey", entries: "list[SessionStoreEntry]") -> None: ...

    async def load(self, key: "SessionKey") -> "list[SessionStoreEntry] | None": ...

    async def delete(self, key: "SessionKey") -> None: ...

    async def list_subkeys(self, key: "SessionListSubkeysKey") -> list[str]: ...


class SqlTranscriptStore:
    def __init__(self, db: Db) -> None:
        self._db = db

    async def append(self, key: "SessionKey", entries: "list[SessionStoreEntry]") -> None:
        where = place_of(key)
        if entries:
            await self._db.write(lambda tx: tx.run(ADD, *where, json.dumps(entries), *where))

    async def load(self, key: "SessionKey") -> "list[SessionStoreEntry] | None":
        rows = await self._db.read(lambda tx: tx.run(LOAD, *place_of(key)))
        return once_each([entry for (entries,) in rows for entry in json.loads(entries)]) if rows else None

    async def delete(self, key: "SessionKey") -> None:
        """Without a subpath, those of subagents too."""
        project, session, subpath = place_of(key)
        which, values = ("and subpath = ?", [subpath]) if subpath else ("", [])
        await self._db.write(lambda tx: tx.run(f"{DELETE} {which}", project, session, *values))

    async def list_subkeys(self, key: "SessionListSubkeysKey") -> list[str]:
        rows = await self._db.read(lambda tx: tx.run(SUBPATHS, key["project_key"], key["session_id"]))
        return [subpath for (subpath,) in rows]


def forget(tx: Tx, task_id: str) -> None:
    """Removes what is kept for a task: no run goes on with it any more."""
    tx.run(FORGET, task_id)


def place_of(key: "SessionKey") -> tuple[str, str, str]:
    return key["project_key"], key["session_id"], key.get("subpath") or ""


def once_each(entries: "list[SessionStoreEntry]") -> "list[SessionStoreEntry]":
    """What was written again, because nobody knew that it had been written, counts once. Not all entries have an id."""
    seen: set[str] = set()
    kept = []
    for entry in entries:
        uuid = entry.get("uuid")
        if uuid is None or uuid not in seen:
            kept.append(entry)
        if uuid is not None:
            seen.add(uuid)
    return kept


class RunTranscript:
    """What Claude Code writes in one run. The SDK takes it for its `SessionStore`.

    It is kept in memory until somebody is asked something (`keep`): only then can the run be parked. `work` is the session of
    the run (`<task id>:<attempt>`), the same for attempts that go on with each other.
    """

    def __init__(self, store: Transcripts, work: str) -> None:
        self._store = store
        self._project = work.rpartition(":")[0]
        self._waiting: dict[str, list[Entry]] = {}
        self._turn = asyncio.Lock()
        self._begins = True
        self._is_kept = False
        self._known: set[str] = set()
        """The ids of all entries that were added, or are kept."""
        self.session = str(uuid5(NAMES, work))
        """Claude Code's id for it."""

    @property
    def is_kept(self) -> bool:
        """Whether something of it is in the store: a run that goes on would go on with that."""
        return self._is_kept or not self._begins

    def _key(self, subpath: str = "") -> "SessionKey":
        key: SessionKey = {"project_key": self._project, "session_id": self.session}
        return {**key, "subpath": subpath} if subpath else key

    async def append(self, key: "SessionKey", entries: "list[SessionStoreEntry]") -> None:
        self.add([dict(entry) for entry in entries], key.get("subpath") or "")
        if self._is_kept:
            try:
                await self._write()
            except Unavailable as error:
                log.warning("transcript_waits", work=self.session, detail=error.detail)  # it goes with what comes next

    async def load(self, key: "SessionKey") -> "list[SessionStoreEntry] | None":  # noqa: ARG002
        """Nothing: what went before lies where Claude Code looks by itself."""
        return None

    async def past(self) -> dict[str, list[Entry]]:
        """What earlier attempts wrote, by subpath; empty where nothing is kept. The run then goes on with it."""
        found = {"": await self._store.load(self._key())}
        if found[""]:
            found |= {path: await self._store.load(self._key(path)) for path in await self._store.list_subkeys(self._key())}
        past = {path: [dict(entry) for entry in entries] for path, entries in found.items() if entries}
        self._begins = not past
        self._know(entry for entries in past.values() for entry in entries)
        return past

    def begin_anew(self) -> None:
        """What earlier attempts wrote does not count."""
        self._waiting, self._begins, self._known = {}, True, set()

    def add(self, entries: list[Entry], subpath: str = "") -> None:
        """To what is to be kept."""
        self._waiting.setdefault(subpath, []).extend(entries)
        self._know(entries)

    def fill_in(self, entries: list[Entry], subpath: str = "") -> None:
        """Adds those of these that have an id which was not among what came before."""
        self.add([entry for entry in entries if entry.get("uuid") and entry["uuid"] not in self._known], subpath)

    def _know(self, entries: Iterable[Entry]) -> None:
        self._known.update(entry["uuid"] for entry in entries if entry.get("uuid"))

    async def keep(self) -> None:
        """Writes what there is, and from now on all that comes. Raises Unavailable."""
        self._is_kept = True
        await self._write()

    async def _write(self) -> None:
        async with self._turn:
            if self._begins:
                await self._store.delete(self._key())
                self._begins = False
            while self._waiting:
                subpath, entries = next(iter(self._waiting.items()))
                taken = len(entries)
                await self._store.append(self._key(subpath), cast("list[SessionStoreEntry]", entries[:taken]))
                del entries[:taken]
                if not entries:
                    del self._waiting[subpath]
