"""What becomes of a task after a run that did not complete."""

import pytest

from agents.src.errors import BudgetExhausted, EngineFailed, TaskFailed, TimedOut
from agents.src.tasks import Artifact, Brief, OnCrash, Result, Retries, Run, Status
from agents.src.tasks.policy import CRASHES, after_crash, after_failure, delay_before
from tests.building import NOON, a_brief, a_task

TWICE = a_brief(retries=Retries(max_retries=2, initial_delay=3.0, backoff_coefficient=4.0, max_delay=50.0))


def a_run(attempt: int = 1, brief: Brief = TWICE, cancel_requested: bool = False) -> Run:
    return Run(a_task(status=Status.RUNNING, attempt=attempt, cancel_requested=cancel_requested), brief, "worker-1")


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 3.0), (2, 12.0), (3, 48.0), (4, 50.0), (60, 50.0)])
def test_delays_grow_up_to_a_limit(attempt: int, seconds: float) -> None:
    assert delay_before(attempt, TWICE.retries) == seconds


def test_a_failure_that_may_pass_is_tried_again_as_often_as_the_policy_says() -> None:
    first = after_failure(a_run(1), TimedOut("Too slow."), NOON)
    assert (first.status, first.run_at) == (Status.QUEUED, NOON + 3)
    assert first.event.data == {"reason": "The task ran into its time limit. Too slow.", "attempt": 1, "delay": 3.0}
    assert after_failure(a_run(2), EngineFailed("No."), NOON).run_at == NOON + 12
    last = after_failure(a_run(3), EngineFailed("No."), NOON)
    assert last.status is Status.FAILED and last.error
    assert (last.error.type, last.error.detail) == ("engine-failed", "No.")
    assert last.event.data == {"error": last.error.model_dump()}


@pytest.mark.parametrize("error", [BudgetExhausted("All spent."), TaskFailed("It cannot be done.")])
def test_a_failure_that_will_not_pass_is_final(error: TaskFailed) -> None:
    left = Result(artifacts=(Artifact(name="half.md", size=1, media_type="text/markdown"),))
    ending = after_failure(a_run(1), error, NOON, left)
    assert (ending.status, ending.result) == (Status.FAILED, left)


def test_without_a_policy_nothing_is_tried_again() -> None:
    assert after_failure(a_run(1, a_brief()), TimedOut("Too slow."), NOON).status is Status.FAILED


def test_a_crash_is_tried_again_at_once_but_not_for_ever() -> None:
    ending = after_crash(a_run(1, a_brief()), "It died.", NOON)
    assert (ending.status, ending.run_at, ending.event.data["reason"]) == (Status.QUEUED, NOON, "It died.")
    assert after_crash(a_run(2 + CRASHES), "It died.", NOON).status is Status.QUEUED
    assert after_crash(a_run(9 + CRASHES), "The server was stopped.", NOON, blameless=True).status is Status.QUEUED
    given_up = after_crash(a_run(3 + CRASHES), "It died.", NOON)
    assert given_up.status is Status.FAILED and given_up.error
    assert given_up.error.type == "interrupted"
    assert "attempt 8" in given_up.error.detail


def test_a_crash_of_what_may_have_side_effects_is_told() -> None:
    ending = after_crash(a_run(1, a_brief(on_crash=OnCrash.INTERRUPT)), "It died.", NOON)
    assert ending.status is Status.FAILED and ending.error
    assert ending.error.type == "interrupted"
    assert ending.error.detail.startswith("It died. It may have had side effects")


@pytest.mark.parametrize("on_crash", OnCrash)
def test_a_crash_of_what_was_told_to_end_ends_it(on_crash: OnCrash) -> None:
    assert after_crash(a_run(1, a_brief(on_crash=on_crash), cancel_requested=True), "It died.", NOON).status is Status.CANCELLED
