"""What tests of the memory are built with: a shared memory and a database without threads, and syncs that are moved by hand.

MemoryInMemory     the port `MemoryStore`, kept in a dict; what every store does, without a network
InlineDb           real SQL on SQLite in memory, at once
AtOnce             an event loop that does at once what others give to a thread; what is awaited in it is moved with `Mover`
Waited             a store on a loop of its own, for what is moved by hand
Mover, moved       steps from one port call to the next; `Stepwise` makes a port's calls the steps
open_eyes          lets everything be shared; `no_secrets` keeps back what says so
"""

import asyncio
import re
import sqlite3
import threading
from collections.abc import Callable, Collection, Coroutine, Generator, Mapping, Sequence
from typing import Any, TypeVar

from agents.src.memory import DIRECT, MOST_WRITES, Hit, Mark, MemoryEntry, MemoryPage, MemoryStore, Write
from agents.src.services.database import Db, Tx, Watcher, migrate
from agents.src.services.sqlite import SqliteTx
from tests.building import SteppedClock

T = TypeVar("T")


def open_eyes(text: str) -> str | None:
    return None


def no_secrets(text: str) -> str | None:
    return "it says so" if "secret" in text else None


class MemoryInMemory:
    """Implements `MemoryStore`. `reads` and `writes` count entries, as they go over the wire."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], MemoryEntry] = {}
        self.reads = self.writes = 0

    def of(self, skill: str) -> dict[str, MemoryEntry]:
        return {which: entry for (of, which), entry in self.entries.items() if of == skill}

    def live(self, skill: str) -> dict[str, str]:
        return {which: entry.text for which, entry in self.of(skill).items() if not entry.dead}

    def clear(self, skill: str) -> None:
        for which in self.of(skill):
            del self.entries[skill, which]

    async def changes(self, skill: str, seen: Mapping[str, Mark]) -> tuple[MemoryEntry, ...]:
        found = tuple(entry for entry in self.entries.values() if entry.skill == skill and is_news(entry, seen))
        self.reads += len(found)
        return found

    async def count(self, skill: str) -> int:
        return sum(entry.skill == skill and not entry.dead for entry in self.entries.values())

    async def revisions(self, skill: str) -> dict[str, str]:
        return {which: entry.rev for which, entry in self.of(skill).items()}

    async def get(self, skill: str, ids: Collection[str]) -> dict[str, MemoryEntry]:
        found = {which: self.entries[skill, which] for which in ids if (skill, which) in self.entries}
        self.reads += len(found)
        return found

    async def write(self, writes: Sequence[Write]) -> dict[str, MemoryEntry | None]:
        self.apply(writes)
        self.reads += len(writes)
        return {write.entry.id: self.entries.get((write.entry.skill, write.entry.id)) for write in writes}

    def apply(self, writes: Sequence[Write]) -> None:
        assert 0 < len(writes) <= MOST_WRITES
        for write in writes:
            key = (write.entry.skill, write.entry.id)
            there = self.entries.get(key)
            if (there.rev if there else None) == write.expects:
                self.entries[key] = write.entry
                self.writes += 1

    async def adopt(self, entries: Sequence[MemoryEntry], writer: str, number: int) -> None:
        assert 0 < len(entries) <= MOST_WRITES
        for entry in entries:
            there = self.entries.get((entry.skill, entry.id))
            if there is not None and there.rev == entry.rev and there.writer == DIRECT:
                place = {"writer": writer, "number": number, "of": len(entries)}
                self.entries[entry.skill, entry.id] = there.model_copy(update=place)
                self.writes += 1

    async def page(self, skills: Collection[str] | None, cursor: str | None, limit: int) -> MemoryPage:
        keys = sorted(key for key, entry in self.entries.items() if not entry.dead and (skills is None or key[0] in skills))
        rest = [key for key in keys if cursor is None or "/".join(key) > cursor]
        items = tuple(self.entries[key] for key in rest[:limit])
        return MemoryPage(items, "/".join(rest[limit - 1]) if len(rest) > limit else None)

    async def search(self, query: str, skills: Collection[str] | None, limit: int) -> tuple[Hit, ...]:
        wanted = words(query)
        live = [entry for entry in self.entries.values() if not entry.dead and (skills is None or entry.skill in skills)]
        hits = [Hit(entry, float(score)) for entry in live if (score := len(wanted & words(entry.text)))]
        return tuple(sorted(hits, key=lambda hit: -hit.score)[:limit])

    async def purge(self, before: float) -> int:
        last: dict[tuple[str, str], int] = {}
        for entry in self.entries.values():
            last[entry.skill, entry.writer] = max(entry.number, last.get((entry.skill, entry.writer), 0))
        old = [
            key
            for key, entry in self.entries.items()
            if entry.dead
            and entry.changed_at < before
            and (entry.writer == DIRECT or entry.number < last[entry.skill, entry.writer])
        ]
        for key in old:
            del self.entries[key]
        return len(old)

    async def close(self) -> None: ...


def is_news(entry: MemoryEntry, seen: Mapping[str, Mark]) -> bool:
    mark = seen.get(entry.writer)
    return entry.writer == DIRECT or mark is None or entry.number > mark.number - (not mark.whole)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


class InlineDb(Db):
    """One connection, used by whoever calls."""

    def __init__(self) -> None:
        self.tx = SqliteTx(sqlite3.connect(":memory:", isolation_level=None))
        migrate(self.tx)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return work(self.tx)

    async def write(self, work: Callable[[Tx], T], then: Callable[[T], None] | None = None) -> T:
        self.tx.run("begin")
        try:
            value = work(self.tx)
        except BaseException:
            self.tx.run("rollback")
            raise
        self.tx.run("commit")
        if then:
            then(value)
        return value

    def watch(self, watcher: Watcher) -> None: ...

    async def close(self) -> None:
        self.tx.connection.close()


# Moving by hand


class Turn:
    """Gives the word to whoever moves this, and takes what that says."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __await__(self) -> Generator["Turn", Any, Any]:
        return (yield self)


class Done:
    """What needs no waiting for."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.value
        yield


class AtOnce:
    """Only as much of a loop as `asyncio.to_thread` asks for."""

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> Done:
        return Done(func(*args))


AT_ONCE: Any = AtOnce()


class PatientClock(SteppedClock):
    """Whoever sleeps lets the others move; that takes as long as it says."""

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await Turn("sleep")


class Stepwise:
    """A port whose every call is two steps: before it has an effect, and after.

    At the first, its mover may have it do something else instead: `instead(name, function, arguments, wish)`.
    """

    def __init__(self, port: Any, instead: Callable[[str, Any, tuple[Any, ...], Any], Any] | None = None) -> None:
        self._port = port
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._port, name)
        if name in ("skill", "locked"):
            return function

        async def step(*args: Any, **kwargs: Any) -> Any:
            wish = await Turn(name)
            if wish is not None and self._instead:
                self._instead(name, self._port, args, wish)
            answer = await function(*args, **kwargs)
            await Turn(name)
            return answer

        return step


class Mover:
    """Moves a coroutine from turn to turn."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self.at: str | None = None
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._move(lambda: self._work.send(None))

    def step(self, wish: Any = None) -> None:
        self._move(lambda: self._work.send(wish))

    def throw(self, error: BaseException) -> None:
        self._move(lambda: self._work.throw(error))

    def _move(self, move: Callable[[], Any]) -> None:
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(AT_ONCE)
        try:
            self.at = move().name
        except StopIteration as end:
            self.done, self.result = True, end.value
        except BaseException as error:  # noqa: BLE001  # it is kept for whoever asks
            self.done, self.error = True, error
        finally:
            asyncio._set_running_loop(before)

    def finish(self) -> Any:
        """Moves on to the end; what it gave. Raises what it raised."""
        while not self.done:
            self.step()
        if self.error is not None:
            raise self.error
        return self.result


def moved(work: Coroutine[Any, Any, T]) -> T:
    value: T = Mover(work).finish()
    return value


class Waited:
    """A `MemoryStore` that needs an event loop of its own, for those who have none: each call waits for its answer."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="waited", daemon=True)
        self._thread.start()

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._store, name)

        async def called(*args: Any) -> Any:
            return self.wait_for(function(*args))

        return called

    def of(self, skill: str) -> dict[str, MemoryEntry]:
        return {entry.id: entry for entry in self.wait_for(self._store.changes(skill, {}))}

    def live(self, skill: str) -> dict[str, str]:
        return {which: entry.text for which, entry in self.of(skill).items() if not entry.dead}

    def apply(self, writes: Sequence[Write]) -> None:
        self.wait_for(self._store.write(writes))

    def end(self) -> None:
        self.wait_for(self._store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
