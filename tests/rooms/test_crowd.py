"""Who is told that their tasks are many at once, and what."""

import pytest

from agents.src.tasks import Ahead, EventType, Places, warning_of
from tests.building import a_task

TASK = a_task(caller="ada", skill="noop")
ANYWHERE = Places()
FIVE = "No more than 5 tasks run at once here: it waits in the queue"
NOBODY = Ahead(running=0, running_skill=0, queued=0, queued_skill=0)


def told(others: int, places: Places = ANYWHERE, ahead: Ahead | None = None) -> str | None:
    warning = warning_of(TASK, others, places, ahead)
    if warning is None:
        return None
    assert (warning.type, warning.data["code"]) == (EventType.WARNING, "concurrency_warning")
    return str(warning.data["message"])


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (0, None),
        (1, None),
        (2, "ada has 3 tasks under way at once, with this one."),
        (99, "ada has 100 tasks under way at once, with this one."),
        (100, "ada has more than 100 tasks under way at once, with this one."),
        (101, "ada has more than 100 tasks under way at once, with this one."),
    ],
)
def test_more_than_two_tasks_at_once_are_remarked_on(others: int, message: str | None) -> None:
    assert told(others) == message


@pytest.mark.parametrize(
    ("places", "ahead", "why"),
    [
        (Places(), Ahead(9, 9, 9, 9), ""),
        (Places(5), NOBODY, ""),
        (Places(5), Ahead(4, 4, 0, 0), ""),
        (Places(5), Ahead(5, 0, 0, 0), f"{FIVE}, as the next."),
        (Places(5), Ahead(4, 0, 1, 0), f"{FIVE}, behind 1 other."),
        (Places(5), Ahead(5, 0, 7, 1), f"{FIVE}, behind 7 others."),
        (
            Places(5),
            Ahead(5, 0, 101, 9),
            f"{FIVE}, behind 100 others or more.",
        ),
        (Places(1), Ahead(1, 0, 0, 0), "No more than 1 task runs at once here: it waits in the queue, as the next."),
        (Places(5, 2), Ahead(2, 1, 0, 0), ""),
        (Places(None, 2), Ahead(9, 1, 9, 0), ""),
        (
            Places(5, 2),
            Ahead(2, 2, 3, 1),
            "No more than 2 tasks of the skill noop run at once here: it waits in the queue, behind 1 other.",
        ),
        (
            Places(None, 2),
            Ahead(9, 2, 101, 8),
            "No more than 2 tasks of the skill noop run at once here: it waits in the queue, behind 8 others or more.",
        ),
    ],
)
def test_one_that_has_to_wait_says_behind_how_many(places: Places, ahead: Ahead, why: str) -> None:
    assert told(2, places, ahead) == f"ada has 3 tasks under way at once, with this one. {why}".rstrip()
    assert told(1, places, ahead) is None
