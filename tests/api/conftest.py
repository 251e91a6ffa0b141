from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What the program logs. Printing it would take longer than most tests: each traceback is drawn with its variables."""
    with capture_logs() as entries:
        yield entries
