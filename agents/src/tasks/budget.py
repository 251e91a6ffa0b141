"""The noun: how much may be spent, and whose limit that is. Amounts are US dollars. Pure: nothing is kept or asked here."""

import re
from collections.abc import Iterable
from enum import StrEnum

from agents.src.clock import iso
from agents.src.records import Kept

LEAST = 0.000_001
"""Where less is left, nothing is."""
AMOUNT = re.compile(r"\$?\s*(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})\s*(?:\$|usd|dollars?)?", re.IGNORECASE)


class Whose(StrEnum):
    """Which of its limits a task has reached."""

    TASK = "task"
    """What this one task may spend."""
    TOKEN = "token"  # noqa: S105  # a name
    """What all tasks of its caller may spend in one UTC day."""
    DAY = "day"
    """What all tasks of the server may spend in one UTC day."""


class Budget(Kept):
    """A limit, and what of it is spent. `day` is the UTC date that it holds for; None for a task's, which holds for good."""

    whose: Whose
    limit_usd: float
    spent_usd: float
    day: str | None = None

    @property
    def left_usd(self) -> float:
        return max(round(self.limit_usd - self.spent_usd, 9), 0.0)

    @property
    def is_reached(self) -> bool:
        return self.left_usd < LEAST

    def is_reserved(self, now: float) -> bool:
        """Whether only the root token may raise it: a named one must not raise its own. What is over harms nobody any more."""
        return self.whose is not Whose.TASK and self.day == day_of(now)

    def raised_by(self, usd: float) -> float:
        """The limit with which so much more can be spent: more than the last response cost is not to be paid twice."""
        return round(max(self.limit_usd, self.spent_usd) + usd, 9)


def tightest(budgets: Iterable[Budget]) -> Budget | None:
    """The one that leaves the least; None: there is no limit."""
    return min(budgets, key=lambda budget: budget.left_usd, default=None)


def day_of(seconds: float) -> str:
    """The UTC date: `2026-01-31`."""
    return iso(seconds)[:10]


def dollars(usd: float) -> str:
    """`$1.50`; the smaller, the more exact: `$0.0125`."""
    digits = 2 if usd >= 1 or usd == 0 else 4 if usd >= 0.01 else 6
    whole, _, cents = f"{usd:.{digits}f}".partition(".")
    return f"${whole}.{cents[:2]}{cents[2:].rstrip('0')}"


def amount_of(text: str) -> float | None:
    """`2.50`, `$2.50`, `2.50 USD` → 2.5; None where it is no amount, or nothing."""
    match = AMOUNT.fullmatch(text.strip())
    return float(match[1]) or None if match else None
