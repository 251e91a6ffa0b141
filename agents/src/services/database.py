"""The database: short transaction functions, run off the event loop, in SQL that SQLite and PostgreSQL share.

A transaction function takes a `Tx`, does its statements and returns a value. It may be run again (a batch that fails is
repeated one by one), so it does nothing but SQL. `docs/decisions/database.md` has the measurements behind this.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from agents.src.errors import Misconfigured

T = TypeVar("T")
Row = tuple[Any, ...]
Watcher = Callable[[str | None], None]
"""Called on the event loop after another process changed something: a task's id, or None where it cannot be known."""

MIGRATIONS = Path(__file__).parent / "migrations"


class Tx(ABC):
    """An open transaction. SQL marks its parameters with `?`."""

    skip_locked = ""
    """What ends a `select` of rows to be claimed, so that two claimers never wait for each other."""
    for_update = ""
    """What ends a `select` of rows that the rest of the transaction rests on, so that nobody changes them meanwhile."""

    @abstractmethod
    def run(self, sql: str, *values: object) -> list[Row]:
        """Runs one statement and gives its rows, none where it gives none."""

    @abstractmethod
    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """Runs one statement for each row of values."""

    @abstractmethod
    def script(self, sql: str) -> None:
        """Runs several statements without values."""

    @abstractmethod
    def notify(self, task_id: str) -> None:
        """Tells other processes, once this transaction has committed, that the task changed."""


class Db(ABC):
    """An open database with its migrations applied. Raises Unavailable where it cannot be reached."""

    @abstractmethod
    async def read(self, work: Callable[[Tx], T]) -> T:
        """Runs `work`, which only reads."""

    @abstractmethod
    async def write(self, work: Callable[[Tx], T], then: Callable[[T], None] | None = None) -> T:
        """Runs `work` and commits.

        `then` is called on the event loop with what `work` gave, after the commit and before the caller goes on, even when the
        caller was cancelled meanwhile.
        """

    @abstractmethod
    def watch(self, watcher: Watcher) -> None:
        """Calls `watcher` on the running event loop whenever another process has changed something."""

    @abstractmethod
    async def close(self) -> None: ...


def migrate(tx: Tx) -> list[str]:
    """Applies the migrations that the database lacks, in order; their names. The caller's transaction holds the lock."""
    tx.run("create table if not exists migration (name text primary key)")
    applied = {name for (name,) in tx.run("select name from migration")}
    scripts = sorted(MIGRATIONS.glob("*.sql"))
    unknown = applied - {script.stem for script in scripts}
    if unknown:
        raise Misconfigured(f"The database was made by a newer version (it has {max(unknown)}). Upgrade modal-invoke.")
    missing = [script for script in scripts if script.stem not in applied]
    for script in missing:
        tx.script(script.read_text())
        tx.run("insert into migration (name) values (?)", script.stem)
    return [script.stem for script in missing]


def open_database(url: str | None, state_dir: Path) -> Db:
    """PostgreSQL where `url` names one, else SQLite in the state directory."""
    if url is None:
        from agents.src.services.sqlite import SqliteDb

        return SqliteDb(state_dir / "state.db")
    if not url.startswith(("postgresql://", "postgres://")):
        raise Misconfigured("DATABASE_URL must begin with postgresql://; without it, SQLite is used.")
    from agents.src.services.postgres import PostgresDb

    return PostgresDb(url)
