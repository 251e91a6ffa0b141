"""A memory lives through whatever people, machines and networks do to it, in any order; `life.py` says what they do.

The long run: `python -m tests.rooms.memory.life --examples 50000`.
"""

import pytest

from tests.rooms.memory.life import live, live_in_qdrant


@pytest.mark.parametrize("part", range(4))
def test_life(part: int) -> None:
    """In parts, so that several processes may share them."""
    happened = live(examples=260, number=part, steps=16)
    assert happened["histories"] >= 250
    for what in ("syncs", "syncs at once", "kill", "conflicts", "lost states", "twins", "refused"):
        assert happened[what], what


def test_life_in_qdrant() -> None:
    happened = live_in_qdrant(examples=25, number=1, steps=20)
    assert happened["syncs"]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_long_life(part: int) -> None:
    assert live(examples=2000, number=1000 + part, steps=60)["histories"] >= 2000


@pytest.mark.slow
def test_long_life_in_qdrant() -> None:
    assert live_in_qdrant(examples=300, number=2, steps=30)["histories"] >= 300
