"""Where the stories happen.

house    a place with its skills: a server on SQLite, a server on PostgreSQL, and the deployed app where the environment
         names one (docs/deploy.md). A test that asks for it runs in each of them.
local    the server on SQLite: for stories that do with it what only a local server bears
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.conftest import in_database
from tests.live.deployed.deployment import deployed, is_named
from tests.stories.house import House, collect_skills, entering
from tests.stories.local import LocalServer

PLACES = ["sqlite", "postgres", *(["deployed"] if is_named() else [])]


@pytest.fixture(scope="session", params=PLACES)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if request.param == "deployed":
        with entering(deployed(tmp_path_factory.mktemp("deployed"))) as house:
            yield house
    elif request.param == "sqlite":
        with entering(request.getfixturevalue("local")) as house:
            yield house
    else:
        url: str = request.getfixturevalue("postgres_url")
        with (
            new_database(url) as its_url,
            served(tmp_path_factory.mktemp("postgres"), its_url) as server,
            entering(server) as house,
        ):
            yield house


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with served(tmp_path_factory.mktemp("sqlite")) as server:
        yield server


@contextmanager
def served(folder: Path, database_url: str | None = None) -> Iterator[LocalServer]:
    """A server that answers. It must stop when it is told to, have met no error of its own, and have kept its token to itself."""
    server = LocalServer(folder, collect_skills(folder / "skills"), database_url)
    server.start()
    try:
        yield server
    finally:
        code = server.end(signal.SIGTERM)
    assert code == -signal.SIGTERM
    assert not [word for word in ("Traceback", server.token) if word in server.log.read_text()]


@contextmanager
def new_database(url: str) -> Iterator[str]:
    name = f"stories_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {name} strategy file_copy".encode())
        yield in_database(url, name)
        connection.execute(f"drop database {name} with (force)".encode())
