"""(d) Enqueue → done for queued tasks, and what a task costs as the table grows.

python benchmarks/backlog.py [--full]       --full grows the table to a million rows, which takes some minutes
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agents.src.bootstrap import Parts
from agents.src.services.logs import configure_logs
from agents.src.settings import read_settings
from agents.src.skills import SkillRequest
from agents.src.tasks import Caller, Event, EventType
from benchmarks.noop import noop_parts

ROOT = Caller("root")
REQUEST = SkillRequest(skill="noop", task="x" * 400)
CAP = 5


def opened(folder: Path) -> Parts:
    return noop_parts(read_settings(state_dir=folder, max_concurrent_tasks=CAP))


async def drain(folder: Path, number: int) -> float:
    """Tasks per second from the opening of the worker to the end of the last of so many queued tasks."""
    parts = opened(folder)
    await asyncio.gather(*(parts.dispatcher.dispatch(REQUEST, ROOT, parts.clock.new_id()) for _ in range(number)))
    left, done = number, asyncio.Event()

    def count(events: Sequence[Event]) -> None:
        nonlocal left
        left -= sum(event.type is EventType.COMPLETED for event in events)
        if not left:
            done.set()

    parts.hub.listeners.append(count)
    started = time.perf_counter()
    await parts.open()
    await done.wait()
    seconds = time.perf_counter() - started
    await parts.close()
    return number / seconds


async def one_by_one(parts: Parts, number: int) -> float:
    """Microseconds of CPU a task, submitted and run eight at a time."""
    before = time.process_time()
    for _ in range(number // 8):
        await asyncio.gather(*(run_one(parts) for _ in range(8)))
    return (time.process_time() - before) / number * 1e6


async def run_one(parts: Parts) -> None:
    task_id = parts.clock.new_id()
    with parts.hub.follow(task_id) as following:
        await parts.dispatcher.dispatch(REQUEST, ROOT, task_id)
        while following.task is None:
            await following.get()


async def grow(folder: Path, sizes: list[int]) -> None:
    parts = opened(folder)
    await parts.open()
    print(f"{'rows':>9} {'CPU us a task':>14}")
    rows = 0
    for size in sizes:
        await fill(parts, rows, size)
        cost = await one_by_one(parts, 2000)
        rows = size + 2000
        print(f"{size:9} {cost:14.0f}", flush=True)
    await parts.close()


async def fill(parts: Parts, start: int, end: int) -> None:
    """Ended tasks with their events, as the product writes them, copied in bulk."""
    batch = 5000
    for first in range(start, end, batch):
        ids = [parts.clock.new_id() for _ in range(min(batch, end - first))]
        await parts.db.write(lambda tx, ids=ids: insert_ended(tx, ids))  # type: ignore[misc]  # mypy#15459


def insert_ended(tx: object, ids: list[str]) -> None:
    from agents.src.services.database import Tx

    assert isinstance(tx, Tx)
    now = time.time()
    columns = "id, skill, prompt, caller, created_at, status, args, metadata, priority, attempt, result, brief, next_seq, run_at"
    values = "?, 'noop', ?, 'root', ?, 'completed', '{}', '{}', 0, 1, '{\"text\":\"done\"}', ?, 4, ?"
    brief = '{"skill":"noop"}' + " " * 700
    tx.many(f"insert into task ({columns}) values ({values})", [(task_id, "x" * 400, now, brief, now) for task_id in ids])
    tx.many(
        "insert into event (task_id, seq, type, at, data) values (?, ?, ?, ?, '{}')",
        [(task_id, seq, kind, now) for task_id in ids for seq, kind in enumerate(("submitted", "started", "completed"), 1)],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    wanted = parser.parse_args()
    configure_logs(read_settings())
    print(f"{'queued':>9} {'tasks/s':>9}   ({CAP} at once)")
    for number in (1000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            print(f"{number:9} {asyncio.run(drain(Path(folder), number)):9.0f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(grow(Path(folder), [0, 10_000, 100_000, *([1_000_000] if wanted.full else [])]))


if __name__ == "__main__":
    main()
