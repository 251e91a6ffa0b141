"""(f) What a sync of the memory costs: 10 changes among many entries, none at all, and the first push.

python benchmarks/sync.py [--sizes 1000 10000 100000] [--embedded 1000 10000] [--push 10000] [--into disk http]

Points are counted where they pass into and out of the shared memory: read are those that a pull brings, and those that are looked
at after they were written. `--embedded` sizes also run on Qdrant's embedded mode, in a folder; beyond that it takes too long,
and the counts come from a shared memory in this process (tests/rooms/memory/house.py).

The first push is all that a sync does: reading and rewriting memory.md, looking for secrets, making vectors, its own state in
SQLite, guarded writes, and looking what stands there. Raw is Qdrant's own client with the same points, ready with the same
vectors, in requests of the same size, answered once they are done, and nothing else: no condition, no look afterwards. On
disk it is shown as it comes, and with the write-ahead log that the product switches on. The double is a process of its own, for
both alike; it is Python, and slower than Qdrant, so that with a real server the ratio would be higher. Each into a Qdrant of
its own, in turns, the fastest of each; all is imported before.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from agents.src.clock import Clock
from agents.src.memory import MOST_WRITES, MemoryEntry, MemoryStore, Origin, Report, Sync, entry_id, new_entry
from agents.src.services import qdrant_points
from agents.src.services.loopback import serve
from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_http import HttpWire
from agents.src.services.qdrant_local import LocalWire
from agents.src.services.qdrant_vectors import Vectors
from agents.src.services.qdrant_wire import CountingWire, Wire
from agents.src.services.ranking import BM25
from agents.src.services.replica import FolderReplica
from agents.src.services.secrets import looks_secret
from agents.src.services.sqlite import SqliteDb
from tests.qdrant_double import Double
from tests.rooms.memory.house import MemoryInMemory

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

SKILL = "planning"
CHANGES = 10
"""Half of them here, half elsewhere."""
TURNS = 3
WARM = 100
"""Entries of a first push that is not counted."""


def fact(number: int) -> str:
    return f"client {number} wants their videos at {24 + number % 37} fps, in take {number * 7919 % 100_003}"


@dataclass
class Counted:
    """A shared memory, and what has passed into and out of it."""

    store: MemoryStore
    counts: Callable[[], tuple[int, int]]

    @classmethod
    def in_memory(cls) -> "Counted":
        store = MemoryInMemory()
        return cls(store, lambda: (store.reads, store.writes))

    @classmethod
    def on(cls, wire: Wire) -> "Counted":
        counting = CountingWire(wire)
        return cls(QdrantMemory(counting, "bench"), lambda: (counting.read, counting.written))


class Home:
    """A replica in a folder of its own, with a state of its own."""

    def __init__(self, root: Path, name: str, store: MemoryStore, inspect: Callable[[str], str | None] = looks_secret) -> None:
        self.path = root / name / "memory.md"
        self.path.parent.mkdir()
        self.db = SqliteDb(root / f"{name}.db")
        self.replica = FolderReplica(self.path.parent, SKILL, self.db, Clock(), name, name, locks=root / "locks")
        self.syncing = Sync(store, Clock(), inspect, "ada")

    async def sync(self) -> Report:
        return await self.syncing.run(self.replica)

    def fill(self, size: int) -> None:
        self.path.write_text("# Memory\n\n" + "".join(f"- {fact(number)}\n" for number in range(size)))

    def change(self, first: int, number: int) -> None:
        text = self.path.read_text()
        for which in range(first, first + number):
            text = text.replace(f"- {fact(which)} ", f"- {fact(which)}, no more ", 1)
        self.path.write_text(text)


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def ten_changes(root: Path, counted: Counted, size: int, what: str) -> None:
    laptop, desk = Home(root, "laptop", counted.store), Home(root, "desk", counted.store)
    try:
        laptop.fill(size)
        await laptop.sync()
        await desk.sync()
        await laptop.sync()  # from here on nothing is new
        desk.change(size // 2, CHANGES // 2)
        await desk.sync()
        laptop.change(size // 3, CHANGES - CHANGES // 2)
        before = counted.counts()
        seconds = await timed(laptop.sync)
        read, written = (after - first for after, first in zip(counted.counts(), before, strict=True))
        await laptop.sync()
        before = counted.counts()
        idle = await timed(laptop.sync)
        idle_read = counted.counts()[0] - before[0]
        print(f"{what:18} {size:8,} {read:6} {written:8} {seconds:9.2f} {idle_read:10} {idle:8.2f}", flush=True)
    finally:
        for home in (laptop, desk):
            await home.db.close()


# The first push


def entries(size: int) -> list[MemoryEntry]:
    origin = Origin("ada", "local", 0.0)
    return [new_entry(SKILL, entry_id(SKILL, fact(number)), fact(number), "", origin) for number in range(size)]


async def raw_points(size: int) -> list[Any]:
    """The points that the product would write, vectors and all, as Qdrant's client takes them."""
    from qdrant_client.http import models

    made = entries(size)
    vectors = await Vectors(None).of(made)
    return [models.PointStruct(**qdrant_points.point_of(entry, vectors.get(entry.id))) for entry in made]


def raw_upsert(client: "QdrantClient", points: list[Any], *, logged: bool = False) -> float:
    """Seconds. `logged`: with SQLite's write-ahead log."""
    from qdrant_client.http import models

    client.create_collection("bench", {}, {BM25: models.SparseVectorParams(modifier=models.Modifier.IDF)})
    if logged:
        client._client.collections["bench"].storage.storage.execute("pragma journal_mode=wal")  # type: ignore[attr-defined]
    started = time.perf_counter()
    for start in range(0, len(points), MOST_WRITES):
        client.upsert("bench", points[start : start + MOST_WRITES], wait=True)
    seconds = time.perf_counter() - started
    client.close()
    return seconds


async def first_push(root: Path, wire: Wire, size: int) -> float:
    """Seconds."""
    home = Home(root, "laptop", QdrantMemory(wire, "bench"))
    try:
        home.fill(size)
        return await timed(home.sync)
    finally:
        await home.db.close()
        await wire.close()


def serve_double(link: Connection) -> None:
    """In a process of its own: says where, and serves until told to end."""

    async def live() -> None:
        async with serve(Double().app) as url:
            link.send(url)
            await asyncio.to_thread(link.recv)

    asyncio.run(live())


@contextmanager
def a_double() -> Iterator[str]:
    """The URL of a new one, with nothing in it."""
    fresh = get_context("spawn")
    here, there = fresh.Pipe()
    process = fresh.Process(target=serve_double, args=(there,))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def on_disk(size: int, points: list[Any]) -> tuple[float, ...]:
    """Seconds: Qdrant's client as it comes, the same with a write-ahead log, the push."""
    from qdrant_client import QdrantClient

    seconds = []
    for logged in (False, True):
        with tempfile.TemporaryDirectory() as name:
            seconds.append(raw_upsert(QdrantClient(path=name), points, logged=logged))
    with tempfile.TemporaryDirectory() as name:
        return (*seconds, asyncio.run(first_push(Path(name), LocalWire(Path(name) / "qdrant"), size)))


def over_http(size: int, points: list[Any]) -> tuple[float, ...]:
    """Seconds: Qdrant's client, the push."""
    from qdrant_client import QdrantClient

    with a_double() as url:
        raw = raw_upsert(QdrantClient(url=url), points)
    with a_double() as url, tempfile.TemporaryDirectory() as name:
        return raw, asyncio.run(first_push(Path(name), HttpWire(url, None), size))


def pushes(size: int, into: list[str]) -> None:
    print("\nfirst push:                entries   raw s  push s   ratio")
    points = asyncio.run(raw_points(size))
    places = {"disk": (on_disk, ("embedded, on disk", "... write-ahead log")), "http": (over_http, ("HTTP, a double",))}
    for measured, names in map(places.__getitem__, into):
        measured(WARM, points[:WARM])
        best = [min(of_one) for of_one in zip(*(measured(size, points) for _ in range(TURNS)), strict=True)]
        for name, raw in zip(names, best, strict=False):
            print(f"{name:24} {size:9,} {raw:7.2f} {best[-1]:7.2f} {best[-1] / raw:7.2f}", flush=True)


async def on_embedded(root: Path, size: int) -> None:
    counted = Counted.on(LocalWire(root / "qdrant"))
    try:
        await ten_changes(root, counted, size, "embedded, on disk")
    finally:
        await counted.store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--embedded", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--push", type=int, default=10_000)
    parser.add_argument("--into", nargs="+", choices=["disk", "http"], default=["disk", "http"])
    wanted = parser.parse_args()
    print(f"{CHANGES} changes:         entries   read  written   seconds  idle read  seconds")
    for size in wanted.sizes:
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(ten_changes(Path(name), Counted.in_memory(), size, "in this process"))
    for size in wanted.embedded:
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(on_embedded(Path(name), size))
    if wanted.push:
        pushes(wanted.push, wanted.into)


if __name__ == "__main__":
    main()
