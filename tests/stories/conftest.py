"""Where the stories happen.

house    a place with its skills: a server on SQLite, a server on PostgreSQL, and the deployed app where the environment
         names one (docs/deploy.md). A test that asks for it runs in each of them.
advising as `house`, but its skill `advisor` has the rehearsal that it needs. The local ones are the test's own
spending the same for the skill `spender`
local    the server on SQLite: for stories that do with it what only a local server bears
cloud    the deployed app
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.conftest import in_database
from tests.live.deployed.deployment import Deployment, deployed, is_named
from tests.stories.house import DATABASE_SCRIPT, SPENDING_SCRIPT, House, Place, entering
from tests.stories.local import LocalServer, served

SharedMemory = Callable[[str], Mapping[str, str]]
PLACES = ["sqlite", "postgres", *(["deployed"] if is_named() else [])]


@pytest.fixture(scope="session", params=PLACES)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        shared_memory: SharedMemory = request.getfixturevalue("shared_memory")
        with (
            new_database(url, "stories") as its_url,
            served(tmp_path_factory.mktemp("postgres"), its_url, shared_memory("postgres")) as server,
            entering(server) as house,
        ):
            yield house
    else:
        place: Place = request.getfixturevalue("local" if request.param == "sqlite" else "cloud")
        with entering(place) as house:
            yield house


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory, shared_memory: SharedMemory) -> Iterator[LocalServer]:
    with served(tmp_path_factory.mktemp("sqlite"), shared_memory=shared_memory("sqlite")) as server:
        yield server


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployed(tmp_path_factory.mktemp("deployed"))


@pytest.fixture(params=PLACES)
def advising(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with rehearsing(request, tmp_path, DATABASE_SCRIPT) as house:
        yield house


@pytest.fixture(params=PLACES)
def spending(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with rehearsing(request, tmp_path, SPENDING_SCRIPT) as house:
        yield house


@contextmanager
def rehearsing(request: pytest.FixtureRequest, folder: Path, script: Path) -> Iterator[House]:
    """Deployed, the skill's own secret says which script it has."""
    with ExitStack() as opened:
        if request.param == "deployed":
            place: Place = request.getfixturevalue("cloud")
        else:
            url = None
            if request.param == "postgres":
                url = opened.enter_context(new_database(request.getfixturevalue("postgres_url"), "rehearsing"))
            place = opened.enter_context(served(folder / "server", url, settings={"MODAL_INVOKE_REHEARSAL": str(script)}))
        yield opened.enter_context(entering(place))


@pytest.fixture(scope="session")
def shared_memory() -> Iterator[SharedMemory]:
    """A stand-in for a Qdrant server; what names a collection of it."""
    from tests.qdrant_double import Double, in_the_background  # brings qdrant-client

    key = "a key of the stories"
    with in_the_background(Double(key=key)) as url:
        yield lambda collection: {"QDRANT_URL": url, "QDRANT_API_KEY": key, "QDRANT_COLLECTION": collection}


@contextmanager
def new_database(url: str, purpose: str) -> Iterator[str]:
    name = f"{purpose}_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {name} strategy file_copy".encode())
        yield in_database(url, name)
        connection.execute(f"drop database {name} with (force)".encode())
