"""PostgreSQL behind `Db`: a pool of connections and as many threads, and one connection that listens."""

import asyncio
import contextlib
import secrets
import selectors
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.database import Db, Row, T, Tx, Watcher, migrate

CONNECTIONS = 4
"""Most connections of one process: containers × this must stay below the server's max_connections."""
PATIENCE = 10.0
"""Seconds to wait for a connection."""
RECONNECT = 2.0
"""Seconds between two tries to listen again."""
ALIVE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""How soon a server that is gone without a word is noticed: seconds, and for the last milliseconds."""
CHANNEL = "modal_invoke"
MIGRATION_LOCK = 7_264_511
UNREACHABLE = (
    *(psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout),
    psycopg.errors.ReadOnlySqlTransaction,  # after a failover, a server that is no longer the first one
)


@cache
def translated(sql: str) -> str:
    """`?` marks become psycopg's."""
    return sql.replace("%", "%%").replace("?", "%s")


class PostgresTx(Tx):
    skip_locked = "for update skip locked"
    for_update = "for update"

    def __init__(self, connection: psycopg.Connection[Row], sender: str) -> None:
        self.connection = connection
        self.sender = sender

    def run(self, sql: str, *values: object) -> list[Row]:
        cursor = self.connection.execute(translated(sql), values)
        return cursor.fetchall() if cursor.description else []

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(translated(sql), rows)

    def script(self, sql: str) -> None:
        self.connection.execute(sql)

    def notify(self, task_id: str) -> None:
        self.run("select pg_notify(?, ?)", CHANNEL, f"{self.sender}:{task_id}")


class PostgresDb(Db):
    """Connects to `url` (`postgresql://…`) and applies migrations. Raises Unavailable where the server is out of reach.

    `patience` in seconds.
    """

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self._url = url
        self._sender = secrets.token_hex(8)
        self._closed = threading.Event()
        self._listener: threading.Thread | None = None
        self._pool: ConnectionPool[psycopg.Connection[Row]] = ConnectionPool(
            url, kwargs=ALIVE, min_size=1, max_size=CONNECTIONS, timeout=patience, open=False, name="modal-invoke"
        )
        try:
            self._pool.open(wait=True, timeout=patience)
            self._transact(self._migrate, None)
        except (Misconfigured, Unavailable, PoolTimeout, psycopg.errors.InsufficientPrivilege) as error:
            self._pool.close()
            raise refused(error) from None
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="postgres")

    @staticmethod
    def _migrate(tx: Tx) -> None:
        tx.run("select pg_advisory_xact_lock(?)", MIGRATION_LOCK)
        migrate(tx)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self.write(work)

    async def write(self, work: Callable[[Tx], T], then: Callable[[T], None] | None = None) -> T:
        loop = asyncio.get_running_loop()

        def announce(value: T) -> None:
            if then is not None:
                with contextlib.suppress(RuntimeError):  # that loop has ended, and nobody waits
                    loop.call_soon_threadsafe(then, value)

        try:
            transaction = self._threads.submit(self._transact, work, announce)
        except RuntimeError:
            raise Unavailable("The database is closed: the program is stopping.") from None
        # Shielded: a cancelled caller's transaction may still be waiting for a thread, and would never be run.
        return await asyncio.shield(asyncio.wrap_future(transaction))

    def _transact(self, work: Callable[[Tx], T], announce: Callable[[T], None] | None) -> T:
        try:
            with self._connection() as connection:
                value = work(PostgresTx(connection, self._sender))
        except UNREACHABLE as error:
            raise unreachable(error) from None
        if announce is not None:
            announce(value)
        return value

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Row]]:
        """Commits in the end. After a restart of the server none that the pool kept will do; the pool itself would not notice."""
        connection = self._pool.getconn()
        while is_left(connection):
            connection.close()
            self._pool.putconn(connection)
            connection = self._pool.getconn()
        try:
            with connection:
                yield connection
        finally:
            self._pool.putconn(connection)

    def watch(self, watcher: Watcher) -> None:
        loop = asyncio.get_running_loop()
        self._listener = threading.Thread(target=self._listen, args=(loop, watcher), name="postgres-listener", daemon=True)
        self._listener.start()

    def _listen(self, loop: asyncio.AbstractEventLoop, watcher: Watcher) -> None:
        """Hands over what other processes announce; after a broken connection, `None`: anything may have changed meanwhile."""
        while not self._closed.is_set():
            with (
                contextlib.suppress(psycopg.Error, RuntimeError),
                psycopg.connect(self._url, autocommit=True, **ALIVE) as connection,
            ):
                connection.execute(f"listen {CHANNEL}")
                loop.call_soon_threadsafe(watcher, None)
                self._hand_over(connection, loop, watcher)
            self._closed.wait(RECONNECT)

    def _hand_over(self, connection: psycopg.Connection[Any], loop: asyncio.AbstractEventLoop, watcher: Watcher) -> None:
        while not self._closed.is_set():
            for notice in connection.notifies(timeout=0.5):
                sender, _, task_id = notice.payload.partition(":")
                if sender != self._sender:
                    loop.call_soon_threadsafe(watcher, task_id)

    async def close(self) -> None:
        """Commits what was handed over before this."""
        self._closed.set()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._pool.close)
        if self._listener is not None:
            await asyncio.to_thread(self._listener.join)


def is_left(connection: psycopg.Connection[Row]) -> bool:
    """Whether the server has ended this idle connection. One that has nothing to say stands; only another has to be asked."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            if selector.select(timeout=0):
                ConnectionPool.check_connection(connection)
    except UNREACHABLE:
        return True
    return False


def refused(error: Exception) -> Exception:
    """Why the database cannot be opened."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Misconfigured("The user in DATABASE_URL may not make tables there. Make it the owner, or grant it that.")
    return unreachable(error) if isinstance(error, PoolTimeout) else error


def unreachable(error: Exception) -> Unavailable:
    """Without the driver's words where they may hold the URL; it never prints the password, but it prints the host."""
    return Unavailable(f"The PostgreSQL database cannot be reached ({type(error).__name__}). Check DATABASE_URL and the server.")
