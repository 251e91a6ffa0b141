"""SQLite behind `Db`: one writer thread that commits in groups, and a few readers."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.database import Db, Row, T, Tx, Watcher, migrate

BATCH = 256
"""Most transaction functions in one commit."""
READERS = 3
PATIENCE = 10.0
"""Seconds that a writer waits for another process's transaction."""
TURN = 0.01
"""Seconds between two tries to be the one that makes a new file a WAL database."""
POLL = 0.1
"""Seconds between two looks, one for the whole process, at whether another process wrote."""
OLDEST = (3, 35, 0)
"""The first SQLite with `returning`."""
DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
WAYS_OUT = "Put a good copy of it in its place, or move it away: then a new one is begun."


class SqliteTx(Tx):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def run(self, sql: str, *values: object) -> list[Row]:
        return self.connection.execute(sql, values).fetchall()

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        self.connection.executemany(sql, rows)

    def script(self, sql: str) -> None:
        # executescript() would commit first.
        for statement in sql.split(";\n"):
            self.connection.execute(statement)

    def notify(self, task_id: str) -> None:
        """Other processes see the file's data version change."""


@dataclass(slots=True)
class Job:
    """A transaction function on its way through the writer thread."""

    work: Callable[[Tx], Any]
    then: Callable[[Any], None] | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        """On the event loop, after the commit."""
        if self.error is None and self.then is not None:
            # A step of its own, before whoever awaits the future goes on: its error would keep the rest of the batch waiting.
            self.loop.call_soon(self.then, self.value)
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


def connect(path: Path, patience: float) -> sqlite3.Connection:
    # isolation_level=None: transactions begin and end where this file says, not where the module guesses.
    connection = sqlite3.connect(path, isolation_level=None, timeout=patience, check_same_thread=False, cached_statements=256)
    try:
        turn_to_wal(connection, patience)
        for pragma in ("synchronous=full", "fullfsync=1", "cache_size=-16000"):
            connection.execute(f"pragma {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def turn_to_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Waits its turn where several open a new database at once: for this one lock SQLite itself does not."""
    give_up = time.monotonic() + patience
    while True:
        try:
            connection.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > give_up:
                raise
            time.sleep(TURN)
        else:
            return


def connect_first(path: Path, patience: float) -> sqlite3.Connection:
    """Makes the folder if need be. Raises Misconfigured where it cannot be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return connect(path, patience)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        damaged = getattr(error, "sqlite_errorcode", None) in DAMAGED
        todo = WAYS_OUT if damaged else "Set MODAL_INVOKE_STATE_DIR to a folder that you may write to."
        raise Misconfigured(f"The database {path} cannot be opened ({reason}). {todo}") from None


class SqliteDb(Db):
    """Opens, and makes if need be, the file at `path` and its folder. `patience` in seconds."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise Misconfigured(f"SQLite {sqlite3.sqlite_version} is too old; {'.'.join(map(str, OLDEST))} or newer is needed.")
        self._path = path
        self._patience = patience
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._watchers: list[tuple[asyncio.AbstractEventLoop, Watcher]] = []
        self._local = threading.local()
        self._closed = False
        self._connection = connect_first(path, patience)
        self._connections = [self._connection]
        self._tx = SqliteTx(self._connection)
        try:
            with self._transaction():
                migrate(self._tx)
            [(self._version,)] = self._tx.run("pragma data_version")
        except (Misconfigured, sqlite3.Error) as error:
            self._connection.close()
            raise translated(error) from None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._writer = threading.Thread(target=self._write_all, name="sqlite-writer", daemon=True)
        self._writer.start()

    async def read(self, work: Callable[[Tx], T]) -> T:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Tx], T]) -> T:
        try:
            tx = self._reader()
            tx.run("begin")
            try:
                return work(tx)
            finally:
                tx.run("rollback")
        except sqlite3.OperationalError as error:
            raise translated(error) from None

    def _reader(self) -> SqliteTx:
        """This thread's own connection."""
        if not hasattr(self._local, "tx"):
            self._connections.append(connection := connect(self._path, self._patience))
            self._local.tx = SqliteTx(connection)
        tx: SqliteTx = self._local.tx
        return tx

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("The database is closed: the program is stopping.")

    async def write(self, work: Callable[[Tx], T], then: Callable[[T], None] | None = None) -> T:
        self._check_open()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(Job(work, then, loop, future))
        return await future

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append((asyncio.get_running_loop(), watcher))

    async def close(self) -> None:
        """Commits what was handed over before this."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._tx.run("begin immediate")
        try:
            yield
            self._tx.run("commit")
        except BaseException:
            # A failed commit (a full disk) may have ended the transaction already.
            if self._connection.in_transaction:
                self._tx.run("rollback")
            raise

    def _write_all(self) -> None:
        """The writer thread: commits what has gathered as one transaction, and looks for other writers when idle."""
        while True:
            try:
                gathered = self._gather()
            except queue.Empty:
                self._look_for_others()
                continue
            self._look_for_others()
            jobs = [job for job in gathered if job is not None]
            if jobs:
                self._commit(jobs)
            if len(jobs) < len(gathered):
                return

    def _gather(self) -> list[Job | None]:
        gathered = [self._jobs.get(timeout=POLL)]
        with contextlib.suppress(queue.Empty):
            while len(gathered) < BATCH:
                gathered.append(self._jobs.get_nowait())
        return gathered

    def _commit(self, batch: list[Job]) -> None:
        try:
            with self._transaction():
                for job in batch:
                    job.value = job.work(self._tx)
        except Exception as error:  # noqa: BLE001  # whatever a function raises belongs to its caller, not to this thread
            if len(batch) > 1 and not is_busy(error):
                for job in batch:
                    self._commit([job])
                return
            for job in batch:
                job.error = translated(error)
        deliver(batch)

    def _look_for_others(self) -> None:
        """`data_version` on the writer's own connection changes only when another connection, so another process, commits."""
        try:
            [(version,)] = self._tx.run("pragma data_version")
        except sqlite3.Error:
            return  # the next look may tell; without this thread nothing would ever be written again
        if version != self._version:
            self._version = version
            for loop, watcher in self._watchers:
                with contextlib.suppress(RuntimeError):  # that loop has ended
                    loop.call_soon_threadsafe(watcher, None)


def is_busy(error: Exception) -> bool:
    """Whether another process held the database for longer than a writer's patience: true of the whole batch alike."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def translated(error: Exception) -> Exception:
    """SQLite's own word for a database that cannot be used becomes ours."""
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(f"The database cannot be used now: {error}.")
    return error


def deliver(batch: list[Job]) -> None:
    """Wakes each event loop once, however many of its jobs were in the batch."""
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in batch:
        loops.setdefault(job.loop, []).append(job)
    for loop, jobs in loops.items():
        with contextlib.suppress(RuntimeError):  # that loop has ended, and nobody waits
            loop.call_soon_threadsafe(settle_all, jobs)


def settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()
