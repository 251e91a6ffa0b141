"""Decides what becomes of a task after a run that did not complete. Pure: nothing is done here."""

from agents.src.errors import Interrupted, TaskFailed
from agents.src.tasks.brief import OnCrash, Retries
from agents.src.tasks.run import Ending, Run, cancelled, failed, requeued
from agents.src.tasks.task import Failure, Result

CRASHES = 5
"""Attempts, beyond those of the retry policy, that a task may lose to dying workers before it is given up."""


def delay_before(attempt: int, retries: Retries) -> float:
    """Seconds to wait before the attempt after number `attempt` (from 1)."""
    return min(retries.initial_delay * retries.backoff_coefficient ** (attempt - 1), retries.max_delay)


def after_failure(run: Run, error: TaskFailed, now: float, leftovers: Result | None = None) -> Ending:
    """A run ended with an error: again, if the error and the policy allow it, else failed."""
    attempt, retries = run.task.attempt, run.brief.retries
    if error.retryable and attempt <= retries.max_retries:
        delay = delay_before(attempt, retries)
        return requeued(f"{error.title()} {error.detail}", attempt, now + delay, delay)
    return failed(failure_of(error), leftovers)


def after_crash(run: Run, reason: str, now: float, *, blameless: bool = False) -> Ending:
    """The worker is gone, or gave the task back, in the middle of the run. A `blameless` end cannot be the task's own doing."""
    if run.task.cancel_requested:
        return cancelled()
    if run.brief.on_crash is OnCrash.INTERRUPT:
        why = "It may have had side effects, so it is not run again on its own; check what it did, then submit it again."
        return failed(failure_of(Interrupted(f"{reason} {why}")))
    if not blameless and run.task.attempt > run.brief.retries.max_retries + CRASHES:
        return failed(failure_of(Interrupted(f"{reason} That was attempt {run.task.attempt}; it is not tried again.")))
    return requeued(reason, run.task.attempt, now, 0.0)


def failure_of(error: TaskFailed) -> Failure:
    return Failure(type=error.slug(), title=error.title(), detail=error.detail)
