"""When word is sent to a callback, and when that is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.tasks import NoticeState, Reply, seconds_of, verdict
from agents.src.tasks.schedule import DELAYS, LONGEST_WAIT
from tests.building import NOON


def test_it_is_tried_at_the_times_of_standard_webhooks() -> None:
    waits = [verdict(Reply(500), attempts, NOON, 0.0).due_at for attempts in range(1, 10)]
    assert [wait and wait - NOON for wait in waits] == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert verdict(Reply(500), 10, NOON, 0.0).state is NoticeState.GIVEN_UP


@pytest.mark.parametrize("status", [200, 202, 204, 299])
@pytest.mark.parametrize("attempts", [1, 10])
def test_any_2xx_ends_it(status: int, attempts: int) -> None:
    found = verdict(Reply(status, 60.0), attempts, NOON, 0.5)
    assert (found.state, found.due_at, found.status, found.gone) == (NoticeState.DELIVERED, None, status, False)


@pytest.mark.parametrize("status", [None, 100, 199, 301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    found = verdict(Reply(status), 1, NOON, 0.0)
    assert (found.state, found.due_at, found.status, found.gone) == (NoticeState.WAITING, NOON + 5, status, False)


def test_410_ends_it_for_good() -> None:
    found = verdict(Reply(410, 5.0), 1, NOON, 0.0)
    assert (found.state, found.due_at, found.status, found.gone) == (NoticeState.GIVEN_UP, None, 410, True)
    assert not verdict(Reply(500), 10, NOON, 0.0).gone


@pytest.mark.parametrize(
    ("asked", "wait"), [(None, 5.0), (0.0, 5.0), (4.0, 5.0), (90.0, 90.0), (LONGEST_WAIT, LONGEST_WAIT), (1e12, LONGEST_WAIT)]
)
def test_what_an_answer_asks_for_counts_within_bounds(asked: float | None, wait: float) -> None:
    assert verdict(Reply(503, asked), 1, NOON, 0.0).due_at == NOON + wait


@given(st.integers(1, 9), st.floats(0, 1))
def test_jitter_only_adds_and_never_much(attempts: int, spread: float) -> None:
    due_at = verdict(Reply(500), attempts, NOON, spread).due_at
    assert due_at is not None
    assert DELAYS[attempts] <= due_at - NOON <= DELAYS[attempts] * 1.2 + 1e-3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-5", None),
        ("soon", None),
        ("１２", None),
        ("9" * 400, 999_999_999.0),
        ("Fri, 15 Jan 2027 08:02:00 GMT", 120.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("Fri, 99 Jan 2027 08:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, NOON) == seconds
