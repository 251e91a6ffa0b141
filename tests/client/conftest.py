from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.driver import Client
from tests.client.stand_in import TOKEN, StandIn, serving


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving() as stand_in:
        yield stand_in


@pytest.fixture
def client(server: StandIn, tmp_path: Path) -> Client:
    """A client that is told by its environment where the server is."""
    return Client(tmp_path, server.url, TOKEN)
