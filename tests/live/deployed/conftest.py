"""A deployment to test, and its database. Skipped where the environment names none (docs/deploy.md)."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.live.deployed.deployment import NEEDED, Deployment, deployed, is_named
from tests.stories.house import House, entering


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    if not is_named():
        pytest.skip(f"not set: one of {', '.join(NEEDED)} (docs/deploy.md)")
    return deployed(tmp_path_factory.mktemp("deployed"))


@pytest.fixture(scope="session")
def house(deployment: Deployment) -> Iterator[House]:
    with entering(deployment) as house:
        yield house


@pytest.fixture
def database(deployment: Deployment) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(deployment.database_url, autocommit=True) as connection:
        yield connection
