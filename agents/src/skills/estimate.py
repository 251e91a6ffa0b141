"""What a task of a skill will take, going by the last ones. A verb that reads, and decides purely."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from agents.src.tasks import Status, Task, TaskFilter, TaskStore

LAST = 50
"""Tasks that an estimate rests on at most."""


@dataclass(frozen=True, slots=True)
class Range:
    """The lowest of some values, the one in the middle, and the highest."""

    lowest: float
    median: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Self | None:
        """Of those that are known; None where none is."""
        known = sorted(value for value in values if value is not None)
        return cls(known[0], round(statistics.median(known), 9), known[-1]) if known else None


@dataclass(frozen=True, slots=True)
class Estimate:
    """`tasks`: how many it rests on. Without any, all is None; `compute_usd` is None too where no price is known."""

    tasks: int
    seconds: Range | None
    cost_usd: Range | None
    compute_usd: Range | None


async def estimate(store: TaskStore, skill: str, caller: str | None) -> Estimate:
    """From the last completed tasks of the skill: the caller's, or (None) everybody's."""
    return estimated((await store.page(TaskFilter(caller, Status.COMPLETED, skill), None, LAST)).items)


def estimated(tasks: Iterable[Task]) -> Estimate:
    tasks = list(tasks)
    return Estimate(
        tasks=len(tasks),
        seconds=Range.of(map(seconds_of, tasks)),
        cost_usd=Range.of(task.usage.cost_usd for task in tasks),
        compute_usd=Range.of(task.usage.compute_usd for task in tasks),
    )


def seconds_of(task: Task) -> float | None:
    """For how long its runs held a worker. Where that was not counted, or was next to nothing, from its start to its end."""
    if task.usage.compute_seconds:
        return task.usage.compute_seconds
    if task.started_at is None or task.finished_at is None:
        return None
    return round(task.finished_at - task.started_at, 3)
