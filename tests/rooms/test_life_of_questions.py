"""Questions live through whatever people, workers and time do to them, in any order; `life_of_questions.py` says what they do.

The long run: `python -m tests.rooms.life_of_questions --examples 20000`.
"""

import pytest

from tests.rooms.life_of_questions import live

HAPPENS = ("questions", "answers", "answers that came too late", "answers found again", "passed on", "park")


@pytest.mark.parametrize("part", range(4))
def test_life(part: int) -> None:
    """In parts, so that several processes may share them."""
    happened = live(examples=260, number=part, steps=16)
    assert happened["histories"] >= 250
    assert [what for what in HAPPENS if not happened[what]] == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_long_life(part: int) -> None:
    assert live(examples=1000, number=1000 + part, steps=60)["histories"] >= 1000
