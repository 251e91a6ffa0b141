"""(e) What a sync of the memory costs: 10 changes among many entries, none at all, and the first push.

python benchmarks/sync.py [--sizes 1000 10000 100000] [--embedded 1000 10000] [--push 10000]

Points are counted where they pass into and out of the shared memory. `--embedded` sizes also run on Qdrant's embedded mode, in a
folder; beyond that it takes too long, and the counts come from a shared memory in this process (tests/rooms/memory/house.py).
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from agents.src.clock import Clock
from agents.src.memory import MOST_WRITES, MemoryEntry, MemoryStore, Origin, Report, Sync, entry_id, new_entry
from agents.src.services import qdrant_points
from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_http import HttpWire
from agents.src.services.qdrant_local import LocalWire
from agents.src.services.qdrant_vectors import Vectors
from agents.src.services.qdrant_wire import CountingWire, Wire
from agents.src.services.replica import FolderReplica
from agents.src.services.secrets import looks_secret
from agents.src.services.sqlite import SqliteDb
from tests.qdrant_double import Double, in_the_background
from tests.rooms.memory.house import MemoryInMemory

SKILL = "planning"
CHANGES = 10
"""Half of them here, half elsewhere."""
TURNS = 2
Place = Callable[[Path], AbstractContextManager[Wire]]
"""Gives a new, empty Qdrant."""


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
    """The points that the product would write, vectors and all."""
    made = entries(size)
    vectors = await Vectors(None).of(made)
    return [qdrant_points.point_of(entry, vectors.get(entry.id)) for entry in made]


async def raw_upsert(wire: Wire, points: list[Any]) -> float:
    """Seconds for the same points, in requests of the same size, and nothing else."""
    await QdrantMemory(wire, "bench").count(SKILL)  # makes the collection
    started = time.perf_counter()
    for start in range(0, len(points), MOST_WRITES):
        upsert = {"upsert": {"points": points[start : start + MOST_WRITES]}}
        await wire.call("POST", "/collections/bench/points/batch?wait=true", {"operations": [upsert]})
    return time.perf_counter() - started


async def first_push(root: Path, wire: Wire, size: int) -> float:
    home = Home(root, "laptop", QdrantMemory(wire, "bench"))
    try:
        home.fill(size)
        return await timed(home.sync)
    finally:
        await home.db.close()


async def pushed(what: str, size: int, place: Place) -> None:
    """Each into a Qdrant of its own, in turns; the fastest of each."""
    points = await raw_points(size)
    best = {"raw": float("inf"), "push": float("inf")}
    for _ in range(TURNS):
        for how in best:
            with tempfile.TemporaryDirectory() as name, place(Path(name) / "qdrant") as wire:
                work = raw_upsert(wire, points) if how == "raw" else first_push(Path(name), wire, size)
                best[how] = min(best[how], await work)
                await wire.close()
    ratio = best["push"] / best["raw"]
    print(f"{what:18} {size:8,} {best['raw']:7.2f} {best['push']:7.2f} {ratio:7.2f}", flush=True)


@contextmanager
def embedded(folder: Path) -> Iterator[Wire]:
    yield LocalWire(folder)


@contextmanager
def over_http(folder: Path) -> Iterator[Wire]:
    """A double of a server, in a thread of this process."""
    with in_the_background(Double()) as url:
        yield HttpWire(url, None)


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
    wanted = parser.parse_args()
    print(f"{CHANGES} changes:         entries   read  written   seconds  idle read  seconds")
    for size in wanted.sizes:
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(ten_changes(Path(name), Counted.in_memory(), size, "in this process"))
    for size in wanted.embedded:
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(on_embedded(Path(name), size))
    if wanted.push:
        print("\nfirst push:         entries   raw s  push s   ratio")
        asyncio.run(pushed("embedded, on disk", wanted.push, embedded))
        asyncio.run(pushed("HTTP, a double", wanted.push, over_http))


if __name__ == "__main__":
    main()
