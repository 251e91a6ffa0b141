"""The task's nouns: the table of moves, usage."""

import itertools

import pytest

from agents.src.errors import IllegalMove
from agents.src.tasks import Brief, Status, Usage
from agents.src.tasks.task import MOVES
from tests.building import a_brief, a_task

LEGAL = {
    ("queued", "running"),
    ("queued", "input_required"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("running", "queued"),
    ("running", "input_required"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("input_required", "queued"),
    ("input_required", "running"),
    ("input_required", "completed"),
    ("input_required", "failed"),
    ("input_required", "cancelled"),
}


@pytest.mark.parametrize(("here", "there"), list(itertools.product(Status, Status)))
def test_moves(here: Status, there: Status) -> None:
    task = a_task(status=here)
    if (here, there) in LEGAL:
        moved = task.to(there, attempt=4)
        assert (moved.status, moved.attempt, moved.id) == (there, 4, task.id)
        assert task.status is here
    else:
        with pytest.raises(IllegalMove, match=f"is {here}; it cannot become {there}"):
            task.to(there)


def test_from_an_ended_task_nothing_moves() -> None:
    assert {status for status in Status if status.ended} == {status for status in Status if not MOVES[status]}


def test_usage_adds_up() -> None:
    one = Usage(input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_creation_tokens=4, cost_usd=0.5)
    assert one + one == Usage(input_tokens=2, output_tokens=4, cache_read_tokens=6, cache_creation_tokens=8, cost_usd=1.0)
    assert one + Usage() == one


def test_a_brief_survives_the_way_through_json_also_from_a_newer_version() -> None:
    brief = a_brief(args={"n": 2**70, "s": "🙂"}, retries={"max_retries": 2}, on_crash="interrupt", program="work.py")
    assert Brief.model_validate_json(brief.model_dump_json()) == brief
    newer = brief.model_dump(mode="json") | {"colour": "red"}
    assert Brief.model_validate(newer) == brief
