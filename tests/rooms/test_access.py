"""Who may call, and how often."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.errors import InvalidRequest, SkillNotAllowed
from agents.src.settings import Rate
from agents.src.skills import Token, allowance, check_token_name, hashed, new_secret
from agents.src.skills.access import SLACK
from agents.src.tasks import ROOT, Caller
from tests.building import NOON

RATES = st.builds(Rate, st.integers(1, 20), st.sampled_from([1, 60, 3600]))


def submissions(rate: Rate, gaps: list[float]) -> tuple[list[float], list[int]]:
    """When submissions after these pauses were allowed, and what was left after each."""
    arrival, now, allowed, left = None, NOON, [], []
    for gap in gaps:
        now += gap
        arrival, found = allowance(arrival, now, rate)
        if found.retry_after is None:
            allowed.append(now)
            left.append(found.remaining)
    return allowed, left


@given(RATES, st.lists(st.floats(0, 500), max_size=80), st.floats(0.01, 4000))
def test_in_any_window_no_more_than_the_burst_and_what_grows_back(rate: Rate, gaps: list[float], window: float) -> None:
    allowed, left = submissions(rate, gaps)
    for start in allowed:
        within = sum(start <= time < start + window for time in allowed)
        assert within <= rate.limit + window * rate.limit / rate.period + 1
    assert all(0 <= each < rate.limit for each in left)


@given(RATES, st.lists(st.floats(0, 500), max_size=60))
def test_a_refusal_says_when_to_come_back_and_costs_nothing(rate: Rate, gaps: list[float]) -> None:
    arrival, now = None, NOON
    for gap in gaps:
        now += gap
        before = arrival
        arrival, found = allowance(arrival, now, rate)
        interval = rate.period / rate.limit
        assert 0 <= found.reset <= rate.period + interval * SLACK + 1e-3
        if found.retry_after is not None:
            assert before is not None and arrival == max(before, now)
            assert 0 < found.retry_after <= interval * (1 + SLACK) + 1e-3
            assert allowance(arrival, now + found.retry_after + 1e-3, rate)[1].retry_after is None


def test_the_whole_rate_may_come_at_once() -> None:
    allowed, left = submissions(Rate(60, 60), [0.0] * 100)
    assert len(allowed) == 60
    assert left == list(range(59, -1, -1))


def test_a_steady_caller_within_its_rate_is_never_refused() -> None:
    allowed, _ = submissions(Rate(7, 60), [60 / 7] * 500)
    assert len(allowed) == 500


@given(RATES)
def test_after_a_whole_period_all_is_back(rate: Rate) -> None:
    allowed, left = submissions(rate, [*itertools.repeat(0.0, rate.limit), rate.period + 0.001])
    assert len(allowed) == rate.limit + 1
    assert left[-1] == rate.limit - 1


# Tokens


def test_secrets_are_long_and_kept_as_hashes() -> None:
    secret = new_secret()
    assert re.fullmatch(r"mi_[\w-]{43}", secret)
    assert secret != new_secret()
    assert hashed(secret) == hashed(secret) != hashed(new_secret())
    assert secret not in hashed(secret)


def test_validity() -> None:
    token = Token("ada", "hash", None, Rate(1, 1), NOON, expires_at=NOON + 10)
    assert token.valid_at(NOON + 9.9)
    assert not token.valid_at(NOON + 10)
    assert Token("ada", "hash", None, Rate(1, 1), NOON).valid_at(NOON + 1e9)
    assert not Token("ada", "hash", None, Rate(1, 1), NOON, None, NOON).valid_at(NOON)


@pytest.mark.parametrize("name", ["a", "ci-2", "team_x", "0", "a" * 64])
def test_names(name: str) -> None:
    assert check_token_name(name) == name


@pytest.mark.parametrize("name", ["", ROOT, "A", "a b", "-a", "a-", "a" * 65, "ä", "a\n", "../a"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        check_token_name(name)


def test_a_caller_sees_its_own_and_may_use_what_is_allowed() -> None:
    token = Token("ada", "hash", frozenset({"planning", "noop"}), Rate(1, 1), NOON)
    assert token.caller == Caller("ada", token.skills, token.rate)
    assert token.caller.sees == "ada"
    token.caller.check_skill("planning")
    with pytest.raises(SkillNotAllowed, match="'other'; it allows noop, planning"):
        token.caller.check_skill("other")
    root = Caller(ROOT)
    root.check_skill("other")
    assert root.sees is None
