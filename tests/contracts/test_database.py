"""What both databases keep to as `Db`."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.database import MIGRATIONS, Db, Tx, open_database
from agents.src.services.postgres import CONNECTIONS, PostgresDb
from agents.src.services.sqlite import SqliteDb, connect_first
from tests.building import PATIENCE, eventually
from tests.conftest import OpenDb, closing_all

ADD = "insert into allowance (caller, arrival) values (?, 0)"
NAMES = [script.stem for script in sorted(MIGRATIONS.glob("*.sql"))]


def with_db(open_db: OpenDb, story: Callable[[Db], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE):
            await story(open_db())

    asyncio.run(live())


def adding(name: str) -> Callable[[Tx], str]:
    def work(tx: Tx) -> str:
        tx.run(ADD, name)
        return name

    return work


async def names(db: Db) -> list[str]:
    rows = await db.read(lambda tx: tx.run("select caller from allowance order by caller"))
    return [name for (name,) in rows]


def test_a_function_that_raises_fails_alone(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        def wrong(tx: Tx) -> str:
            tx.run(ADD, "wrong")
            raise ValueError("mine")

        works = [adding("a"), wrong, adding("b"), adding("a"), adding("c")]
        outcomes = await asyncio.gather(*(db.write(work) for work in works), return_exceptions=True)
        assert sorted(outcome for outcome in outcomes if isinstance(outcome, str)) == ["a", "b", "c"]
        assert isinstance(outcomes[1], ValueError)
        assert await names(db) == ["a", "b", "c"]

    with_db(open_db, story)


def test_then_comes_after_the_commit_and_before_the_caller_goes_on(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        elsewhere, order = open_db(), list[str]()
        loop, seen = asyncio.get_running_loop(), list[asyncio.Task[list[str]]]()

        def then(name: object) -> None:
            assert asyncio.get_running_loop() is loop
            order.append(f"then {name}")
            seen.append(asyncio.create_task(names(elsewhere)))

        order.append(f"back {await db.write(adding('a'), then)}")
        assert order == ["then a", "back a"]
        assert await seen[0] == ["a"]
        with pytest.raises(Exception, match=r".+"):
            await db.write(adding("a"), then)
        assert len(order) == 2

    with_db(open_db, story)


def test_an_error_of_then_reaches_nobody_else(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        wrongs: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrongs.append(context["exception"]))

        def then(name: object) -> None:
            raise ValueError(name)

        assert await asyncio.gather(*(db.write(adding(name), then) for name in "abc")) == ["a", "b", "c"]
        assert sorted(map(str, wrongs)) == ["a", "b", "c"]

    with_db(open_db, story)


def test_a_caller_that_goes_away_loses_neither_the_write_nor_its_announcement(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        gate, begun = threading.Event(), threading.Event()
        announced: list[str] = []

        def blocked(name: str) -> Callable[[Tx], str]:
            def work(tx: Tx) -> str:
                begun.set()
                gate.wait(PATIENCE)
                return adding(name)(tx)

            return work

        # More than PostgreSQL has threads: some are cancelled at work, some while they wait for a thread.
        wanted = [f"{number}" for number in range(9)]
        writes = [asyncio.create_task(db.write(blocked(name), announced.append)) for name in wanted]
        await asyncio.to_thread(begun.wait, PATIENCE)
        for write in writes:
            write.cancel()
        await asyncio.wait(writes)
        assert all(write.cancelled() for write in writes)
        gate.set()
        await eventually(lambda: sorted(announced) == wanted)
        assert await names(db) == wanted

    with_db(open_db, story)


def test_closing_commits_what_was_handed_over(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        writes = [asyncio.create_task(db.write(adding(f"{number:03}"))) for number in range(300)]
        await asyncio.sleep(0)  # each has handed its function over
        await db.close()
        await asyncio.gather(*writes)
        for asking in (db.write(adding("late")), names(db)):
            with pytest.raises(Unavailable):
                await asking
        assert len(await names(open_db())) == 300

    with_db(open_db, story)


def test_a_reader_sees_no_half_of_a_transaction(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        def both(tx: Tx) -> None:
            tx.run(ADD, "left")
            halfway.set()
            gate.wait(PATIENCE)
            tx.run(ADD, "right")

        halfway, gate = threading.Event(), threading.Event()
        writing = asyncio.create_task(db.write(both))
        await asyncio.to_thread(halfway.wait, PATIENCE)
        assert await names(db) == []
        gate.set()
        await writing
        assert await names(db) == ["left", "right"]

    with_db(open_db, story)


def test_a_statement_may_hold_a_percent_sign(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        await db.write(adding("a%b"))
        assert await db.read(lambda tx: tx.run("select caller, 7 % 4 from allowance where caller like 'a\\%%' escape '\\'")) == [
            ("a%b", 3)
        ]

    with_db(open_db, story)


# Migrations

OPEN = """
import asyncio, pathlib, sys
from agents.src.services.database import open_database
sys.stdin.readline()
asyncio.run(open_database(sys.argv[1] or None, pathlib.Path(sys.argv[2])).close())
"""


def test_processes_that_start_at_once_migrate_once(database_url: str | None, state_dir: Path) -> None:
    command = [sys.executable, "-c", OPEN, database_url or "", str(state_dir)]
    opening = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in opening:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in opening:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said

    async def applied() -> list[str]:
        db = open_database(database_url, state_dir)
        rows = await db.read(lambda tx: tx.run("select name from migration order by name"))
        await db.close()
        return [name for (name,) in rows]

    assert asyncio.run(applied()) == NAMES


def test_a_database_of_a_newer_version_is_refused(open_db: OpenDb) -> None:
    async def story(db: Db) -> None:
        await db.write(lambda tx: tx.run("insert into migration (name) values ('9999_from_the_future')"))
        with pytest.raises(Misconfigured, match=r"newer version \(it has 9999_from_the_future\)\. Upgrade"):
            open_db()

    with_db(open_db, story)


# What is SQLite's own


def test_a_database_that_another_process_holds_is_unavailable_to_the_whole_batch(
    state_dir: Path,
) -> None:
    async def story(db: Db) -> None:
        holder = sqlite3.connect(state_dir / "state.db", isolation_level=None)
        holder.execute("begin immediate")
        # One after the other, each waiting for itself, they would take longer than the test has.
        outcomes = await asyncio.gather(*(db.write(adding(str(number))) for number in range(100)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert await names(db) == []  # reading goes on
        holder.execute("rollback")
        holder.close()
        assert await db.write(adding("a")) == "a"
        await db.close()

    with_db(lambda: SqliteDb(state_dir / "state.db", patience=0.3), story)


def test_all_who_open_a_new_database_at_once_get_it(tmp_path: Path) -> None:
    def opened(number: int) -> bool:
        ready.wait(PATIENCE)
        connect_first(tmp_path / str(number) / "state.db", PATIENCE).close()
        return True

    ready = threading.Barrier(6)
    with ThreadPoolExecutor(6) as threads:
        for number in range(60):  # without waiting for each other, one in fifty would fail
            assert all(threads.map(opened, [number] * 6))


def test_the_folder_is_made_for_its_owner_alone(state_dir: Path, open_sqlite: OpenDb) -> None:
    open_sqlite()
    assert state_dir.stat().st_mode & 0o777 == 0o700


def test_many_writers_share_few_commits(open_sqlite: OpenDb) -> None:
    async def story(db: Db) -> None:
        assert isinstance(db, SqliteDb)
        commits = 0

        def count_commits(statement: str) -> None:
            nonlocal commits
            commits += statement == "commit"

        gate = threading.Event()
        held = asyncio.create_task(db.write(lambda tx: gate.wait(PATIENCE)))
        await asyncio.sleep(0)
        writes = [asyncio.create_task(db.write(adding(f"{number:03}"))) for number in range(200)]
        await asyncio.sleep(0)
        db._connection.set_trace_callback(count_commits)
        gate.set()
        await asyncio.gather(held, *writes)
        assert commits <= 3

    with_db(open_sqlite, story)


def test_a_look_at_other_processes_that_fails_does_not_end_the_writing(open_sqlite: OpenDb) -> None:
    async def story(db: Db) -> None:
        assert isinstance(db, SqliteDb)
        looked = threading.Event()

        def interrupt() -> int:
            looked.set()
            return 1

        db._connection.set_progress_handler(interrupt, 1)
        await asyncio.to_thread(looked.wait, PATIENCE)
        db._connection.set_progress_handler(None, 0)
        assert await db.write(adding("a")) == "a"

    with_db(open_sqlite, story)


def test_a_file_that_is_no_database_is_left_as_it_is(state_dir: Path) -> None:
    state_dir.mkdir(exist_ok=True)
    (state_dir / "state.db").write_bytes(b"no database " * 100)
    with pytest.raises(Misconfigured, match="move it away"):
        SqliteDb(state_dir / "state.db")
    assert (state_dir / "state.db").read_bytes() == b"no database " * 100


@pytest.mark.parametrize("url", ["mysql://db", "sqlite:///x.db", ""])
def test_other_databases_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="postgresql://"):
        open_database(url, tmp_path)


def test_a_postgres_that_is_not_there_is_told_without_its_address() -> None:
    with pytest.raises(Unavailable) as caught:
        PostgresDb("postgresql://someone:secret@127.0.0.1:1/db", patience=0.2)
    assert "127.0.0.1" not in caught.value.detail
    assert "secret" not in caught.value.detail


@pytest.fixture
def on_postgres(new_postgres: Callable[[], str]) -> Iterator[tuple[PostgresDb, psycopg.Connection[Any]]]:
    """An empty database, and another connection to the same one."""
    url = new_postgres()
    with closing_all(url, Path("nowhere")) as opening, psycopg.connect(url, autocommit=True) as beside:
        db = opening()
        assert isinstance(db, PostgresDb)
        yield db, beside


END_ALL = (
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
)


def test_after_a_restart_of_the_server_no_kept_connection_is_used(
    on_postgres: tuple[PostgresDb, psycopg.Connection[Any]],
) -> None:
    async def story(db: Db) -> None:
        together = threading.Barrier(CONNECTIONS)
        await asyncio.gather(*(db.read(lambda _: together.wait(PATIENCE)) for _ in range(CONNECTIONS)))
        ended = beside.execute(END_ALL).fetchall()
        assert ended == [(True,)] * CONNECTIONS
        assert await asyncio.gather(*(db.write(adding(name)) for name in "abcdefgh")) == [*"abcdefgh"]

    db, beside = on_postgres
    with_db(lambda: db, story)


def test_a_postgres_that_only_reads_is_unavailable(on_postgres: tuple[PostgresDb, psycopg.Connection[Any]]) -> None:
    async def story(db: Db) -> None:
        def write(tx: Tx) -> None:
            tx.run("set transaction read only")
            tx.run(ADD, "a")

        with pytest.raises(Unavailable):
            await db.write(write)

    with_db(lambda: on_postgres[0], story)


def test_a_user_who_may_make_no_tables_is_told_what_to_do(new_postgres: Callable[[], str]) -> None:
    url = new_postgres()
    role = f"weak_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as beside:
        beside.execute(f"create role {role}".encode())
        try:
            with pytest.raises(Misconfigured, match=r"may not make tables there\. Make it the owner"):
                PostgresDb(f"{url}{'&' if '?' in url else '?'}options=-crole%3D{role}")
        finally:
            beside.execute(f"drop role {role}".encode())
