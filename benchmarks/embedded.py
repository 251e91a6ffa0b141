"""(e) The embedded Qdrant by its size, against a raw upsert of the same points.

first    pushes all entries, 64 at a time; `x raw`: in multiples of the raw upsert
open     opens the folder and counts; push: 64 entries more; changes: ten of another machine, found; search: for five words

python benchmarks/embedded.py [--sizes 1000,5000,10000]
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agents.src.memory import MOST_WRITES, Mark, MemoryEntry, Origin, Write, new_entry
from agents.src.services import qdrant_points as points
from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_local import LocalWire
from agents.src.services.qdrant_vectors import Vectors

WORDS = [f"{first}{second}{third}" for first in "bdfgklmnprst" for second in "aeiou" for third in ("ng", "rk", "st", "lm", "x")]
ROUNDS = 20
ADA = Origin("ada", "local", 0.0)


def an_entry(number: int) -> MemoryEntry:
    """Twelve words of 300, as a fact has about so many."""
    text = " ".join(random.Random(number).choices(WORDS, k=12))
    push = {"writer": "laptop", "number": number // MOST_WRITES + 1, "of": MOST_WRITES}
    return new_entry("planning", f"e{number}", text, "", ADA).model_copy(update=push)


async def timed(act: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    await act()
    return (time.perf_counter() - started) * 1000


async def push(memory: QdrantMemory, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, MOST_WRITES):
        these = range(start, min(start + MOST_WRITES, numbers.stop))
        await memory.write([Write(an_entry(number), None) for number in these])


async def raw(folder: Path, size: int) -> None:
    """The same points by Qdrant's own client, without a condition and without looking."""
    from qdrant_client.http import models
    from qdrant_client.local.qdrant_local import QdrantLocal

    client = QdrantLocal(str(folder))
    client.create_collection("memory", {}, {"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)})
    for start in range(0, size, MOST_WRITES):
        entries = [an_entry(number) for number in range(start, min(start + MOST_WRITES, size))]
        made = await Vectors(None).of(entries)
        client.upsert("memory", [models.PointStruct(**points.point_of(entry, made[entry.id])) for entry in entries])
    client.close()


async def measure(folder: Path, size: int) -> None:
    await raw(folder / "warm", 1)
    memory = QdrantMemory(LocalWire(folder / "ours"), "memory")
    first = await timed(lambda: push(memory, range(size)))
    await memory.close()
    theirs = await timed(lambda: raw(folder / "raw", size))
    memory = QdrantMemory(LocalWire(folder / "ours"), "memory")
    opening = await timed(lambda: memory.count("planning"))
    pushes = [await timed(partial(push, memory, range(at, at + MOST_WRITES))) for at in range(size, size + 320, MOST_WRITES)]
    theirs_too = [an_entry(-number).model_copy(update={"writer": "desk", "number": 1, "of": 10}) for number in range(1, 11)]
    await memory.write([Write(entry, None) for entry in theirs_too])
    seen = {"laptop": Mark((size + 320) // MOST_WRITES + 1, whole=True)}
    assert len(await memory.changes("planning", seen)) == 10
    changes = [await timed(lambda: memory.changes("planning", seen)) for _ in range(ROUNDS)]
    queries = [" ".join(random.Random(-number).choices(WORDS, k=5)) for number in range(ROUNDS)]
    searches = sorted([await timed(partial(memory.search, query, ["planning"], 10)) for query in queries])
    await memory.close()
    figures = [first / 1000, first / theirs, opening, statistics.median(pushes), statistics.median(changes)]
    row = [*figures, statistics.median(searches), searches[-1]]
    print(f"{size:7,}  " + "  ".join(f"{figure:9.2f}" for figure in row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,5000,10000")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    print("entries  first s     x raw     open ms   push ms    changes ms  search ms  slowest")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(Path(folder), size))


if __name__ == "__main__":
    main()
