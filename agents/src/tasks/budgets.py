"""The port: the account of what is spent, and of what may be."""

from dataclasses import dataclass
from typing import Protocol

from agents.src.tasks.budget import Budget
from agents.src.tasks.run import Run


@dataclass(frozen=True, slots=True)
class Today:
    """What is spent on a UTC day, and the limit (None: there is none), in US dollars."""

    day: str
    spent_usd: float
    limit_usd: float | None

    @property
    def is_spent(self) -> bool:
        return self.limit_usd is not None and self.spent_usd >= self.limit_usd


class Budgets(Protocol):
    """What a task spends is added to its account in the transaction of the event that tells of it (`TaskStore.append`).

    Raises Unavailable where the database is out of reach.
    """

    async def of(self, run: Run) -> tuple[Budget, ...]:
        """Every limit that holds for the run's task now: its own, its token's, the server's."""

    async def today(self, caller: str | None) -> Today:
        """Of one caller's tasks, or of all."""

    async def raise_to(self, run: Run, budget: Budget, limit_usd: float) -> None:
        """Raises the limit, of the budget's day or the task's for good, and says so in the run's task. Raises LeaseLost.

        One that is as high already stays, so that what was raised is not raised twice. So does that of a day that is over.
        """
