"""Decides what becomes of a task after a run that did not complete. Pure: nothing is done here."""

from agents.src.errors import Interrupted, TaskFailed
from agents.src.tasks.brief import OnCrash, Retries
from agents.src.tasks.run import Ending, Run, cancelled, failed, parked, requeued
from agents.src.tasks.task import Failure, Result

CRASHES = 5
"""Attempts, beyond those of the retry policy, that a task may lose to dying workers before it is given up."""


def delay_before(attempt: int, retries: Retries) -> float:
    """Seconds to wait before the attempt after number `attempt` (from 1)."""
    return min(retries.initial_delay * retries.backoff_coefficient ** (attempt - 1), retries.max_delay)


def after_failure(run: Run, error: TaskFailed, now: float, leftovers: Result | None = None) -> Ending:
    """A run ended with an error: again, if the error and the policy allow it, else failed."""
    tries, retries = tries_of(run), run.brief.retries
    if error.retryable and tries <= retries.max_retries:
        delay = delay_before(tries, retries)
        return requeued(f"{error.title()} {error.detail}", run.task.attempt, now + delay, delay)
    return failed(failure_of(error), leftovers)


def tries_of(run: Run) -> int:
    """Attempts so far, this one included, without those that only went on after an answer or a pause."""
    return run.task.attempt - run.task.resumed


def after_crash(run: Run, reason: str, now: float, *, blameless: bool = False, asking: bool = False) -> Ending:
    """The worker is gone, or gave the task back, in the middle of the run. A `blameless` end cannot be the task's own doing.

    `asking`: it did nothing but wait for an answer.
    """
    if run.task.cancel_requested:
        return cancelled()
    if asking:
        return parked()
    if run.brief.on_crash is OnCrash.INTERRUPT:
        why = "It may have had side effects, so it is not run again on its own; check what it did, then submit it again."
        return failed(failure_of(Interrupted(f"{reason} {why}")))
    if not blameless and tries_of(run) > run.brief.retries.max_retries + CRASHES:
        return failed(failure_of(Interrupted(f"{reason} That was attempt {run.task.attempt}; it is not tried again.")))
    return requeued(reason, run.task.attempt, now, 0.0)


def failure_of(error: TaskFailed) -> Failure:
    return Failure(type=error.slug(), title=error.title(), detail=error.detail)
