"""A stand-in for a Qdrant server, over real HTTP on the loopback. It is not Qdrant: qdrant-client's local mode answers.

Double              what it is told: its version, its key, strictness, and which faults come next
served(double)      runs it; gives the URL, behind a proxy that can cut connections
in_the_background   the same, where the test has no event loop
ADA, an_entry, put  somebody, what they write, and how it gets into a memory
Toy                 an embedder
Fault               LOST_REQUEST, LOST_REPLY, HALF (of a batch, then the connection breaks), BUSY, LIMITED, BROKEN, LATE

What local mode does not do, and a server does, the double does itself: keys, statuses, and refusing what has no index.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from qdrant_client.local.qdrant_local import QdrantLocal
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.src.memory import MOST_WRITES, MemoryEntry, Origin, Write, new_entry
from agents.src.services.embedding import Vector
from agents.src.services.loopback import serve
from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_embedded import answer
from agents.src.services.qdrant_wire import Refusal, only_reads
from tests.background import in_a_thread
from tests.building import NOON

ADA = Origin("ada", "local", NOON)
CUT = {"x-double": "cut"}
METHODS = ["GET", "PUT", "POST", "DELETE"]


class Fault(StrEnum):
    LOST_REQUEST = "the connection breaks before anything was done"
    LOST_REPLY = "the connection breaks after all was done"
    HALF = "half of the points were written, then the connection broke"
    LATE = "the connection breaks, and what was asked is done later, by `late`"
    BUSY = "503"
    LIMITED = "429"
    BROKEN = "500"


@dataclass
class Double:
    """`faults` befall the next writes, or the next reads, one each. `asked`: method and path of each request."""

    key: str | None = None
    version: str = "1.20.0"
    title: str = "qdrant - vector search engine"
    strict: bool = True
    faults: deque[Fault] = field(default_factory=deque)
    faults_of_reads: deque[Fault] = field(default_factory=deque)
    asked: list[tuple[str, str]] = field(default_factory=list)
    indexes: dict[str, dict[str, Any]] = field(default_factory=dict)
    client: QdrantLocal = field(default_factory=lambda: QdrantLocal(":memory:"))
    _late: list[tuple[str, str, Any]] = field(default_factory=list)

    def late(self) -> None:
        """What was sent long ago arrives."""
        for method, path, body in self._late:
            with suppress(Refusal):
                answer(self.client, method, path, body)
        self._late.clear()

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._respond, methods=METHODS)])

    async def _respond(self, request: Request) -> Response:
        method, path = request.method, request.url.path
        self.asked.append((method, path))
        if path == "/":
            return JSONResponse({"title": self.title, "version": self.version})
        if self.key and request.headers.get("api-key") != self.key:
            return refused(403 if "api-key" in request.headers else 401, "Invalid API key or JWT")
        raw = await request.body()
        body = json.loads(raw) if raw else None
        faults = self.faults_of_reads if only_reads(method, path) else self.faults
        return self._faulty(faults.popleft(), method, path, body) if faults else self._done(method, path, body)

    def _done(self, method: str, path: str, body: Any) -> Response:
        try:
            self._judge(method, path, body)
            result = answer(self.client, method, path, body)
        except Refusal as refusal:
            return refused(refusal.status, refusal.reason)
        if method == "GET" and path.count("/") == 2:
            result["payload_schema"] = {name: {"data_type": "keyword", "points": 0} for name in self._indexed(path)}
        if method == "PUT" and path.endswith("/index"):
            self._indexed(path)[body["field_name"]] = body["field_schema"]
        return JSONResponse({"result": result, "status": "ok", "time": 0.0})

    def _faulty(self, fault: Fault, method: str, path: str, body: Any) -> Response:
        match fault:
            case Fault.BUSY | Fault.BROKEN:
                return refused(int(fault), "Service unavailable")
            case Fault.LIMITED:
                return refused(429, "Too many requests", {"retry-after": "7"})
            case Fault.LOST_REPLY:
                self._done(method, path, body)
            case Fault.HALF:
                self._done(method, path, halved(body))
            case Fault.LATE:
                self._late.append((method, path, body))
        return Response(headers=CUT)

    # What only a server minds

    def _indexed(self, path: str) -> dict[str, Any]:
        return self.indexes.setdefault(path.split("/")[2], {})

    def _judge(self, method: str, path: str, body: Any) -> None:
        if not self.client.collection_exists(path.split("/")[2]):
            return
        there = self._indexed(path)
        if "/vectors/" in path and self.version < "1.18":
            raise Refusal(404, "")
        order = (body or {}).get("order_by")
        key = order["key"] if isinstance(order, dict) else order
        if key and there.get(key, {}).get("type") not in ("integer", "float", "datetime"):
            raise Refusal(400, f"Bad request: No range index for `order_by` key: `{key}`.")
        if path.endswith("/facet") and body["key"] not in there:
            raise Refusal(400, f"Bad request: No appropriate index for faceting: `{body['key']}`.")
        missing = sorted({*filtered_by(body)} - there.keys())
        if self.strict and missing:
            raise Refusal(400, f'Bad request: Index required but not found for "{missing[0]}"')


def filtered_by(value: Any) -> Iterator[str]:
    """The payload keys of all conditions, wherever they are in a body."""
    if isinstance(value, dict):
        if "key" in value and ("match" in value or "range" in value):
            yield value["key"]
        for name, inner in value.items():
            if name != "payload":
                yield from filtered_by(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from filtered_by(inner)


def halved(body: Any) -> Any:
    """The first half of each upsert of a batch."""
    halves = [
        {"upsert": {**one["upsert"], "points": one["upsert"]["points"][: (len(one["upsert"]["points"]) + 1) // 2]}}
        for one in body["operations"]
    ]
    return {"operations": halves}


def refused(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"status": {"error": reason}, "time": 0.0}, status, headers)


@asynccontextmanager
async def served(double: Double) -> AsyncIterator[str]:
    async with serve(double.app) as url, cutting(url) as cut:
        try:
            yield cut
        finally:
            double.client.close()


@contextmanager
def in_the_background(double: Double) -> Iterator[str]:
    """The same for tests without an event loop."""
    with in_a_thread(served(double)) as url:
        yield url


@asynccontextmanager
async def cutting(url: str) -> AsyncIterator[str]:
    """A proxy of bytes before the double: uvicorn cannot break a connection in the middle, it would answer 500."""
    address = urlsplit(url)
    links: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, there = await asyncio.open_connection(address.hostname, address.port)
        task = asyncio.current_task()
        assert task
        links[task] = (writer, there)
        forth = asyncio.create_task(pump(reader, there))
        await pump(upstream, writer, until=b"x-double: cut")
        writer.transport.abort()
        there.transport.abort()
        await forth
        del links[task]

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writers in links.values():
            for writer in writers:
                writer.transport.abort()
        await asyncio.gather(*links)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: bytes | None = None) -> None:
    """Passes bytes on until the end, or until a piece has these, which it does not pass on."""
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            if until and until in piece:
                return
            writer.write(piece)
            await writer.drain()


# What such a memory is filled with


class Toy:
    """An embedder: how often each of some letters occurs."""

    def __init__(self, model: str = "toy", letters: str = "aeiou") -> None:
        self.model = model
        self.letters = letters
        self.size = len(letters)
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str], query: bool = False) -> list[Vector]:
        self.asked += texts
        return [[float(text.count(letter)) for letter in self.letters] for text in texts]

    async def close(self) -> None: ...


def an_entry(name: str, text: str = "", skill: str = "planning", section: str = "", **fields: object) -> MemoryEntry:
    return new_entry(skill, name, text or f"The fact {name}.", section, ADA).model_copy(update=fields)


async def put(memory: QdrantMemory, *entries: MemoryEntry) -> None:
    for start in range(0, len(entries), MOST_WRITES):
        writes = [Write(entry, None) for entry in entries[start : start + MOST_WRITES]]
        assert await memory.write(writes) == {write.entry.id: write.entry for write in writes}
