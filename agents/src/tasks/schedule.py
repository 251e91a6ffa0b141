"""Decides when word is sent to a callback, and when that is over. Pure: nothing is sent here."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from agents.src.tasks.notice import NoticeState

MINUTE, HOUR = 60.0, 3600.0
DELAYS = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds before each attempt, after the one before it: those of Standard Webhooks."""
JITTER = 0.2
"""The part of a delay that may be added to it, so that what failed together is not tried together again."""
LONGEST_WAIT = 24 * HOUR
"""Seconds that an answer may ask for at most."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of an attempt. `status`: None where there was no answer. `retry_after` in seconds, where it was asked for."""

    status: int | None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a notice. `due_at`: when it is tried again (seconds since 1970 UTC). `reason`: why it is refused."""

    state: NoticeState
    due_at: float | None = None
    status: int | None = None
    reason: str = ""

    @property
    def gone(self) -> bool:
        """Whether nothing of the same task is to be sent there any more."""
        return self.state is NoticeState.GIVEN_UP and self.status == GONE


WITHDRAWN = Verdict(NoticeState.WITHDRAWN)


def refused(reason: str) -> Verdict:
    return Verdict(NoticeState.REFUSED, reason=reason)


def verdict(reply: Reply, attempts: int, now: float, spread: float) -> Verdict:
    """After so many attempts, the last of which got this reply. `spread`, 0 to 1: how much of the jitter is added."""
    if reply.status is not None and 200 <= reply.status < 300:
        return Verdict(NoticeState.DELIVERED, status=reply.status)
    if reply.status == GONE or attempts >= len(DELAYS):
        return Verdict(NoticeState.GIVEN_UP, status=reply.status)
    delay = DELAYS[attempts] * (1 + JITTER * spread)
    asked = min(reply.retry_after or 0.0, LONGEST_WAIT)
    return Verdict(NoticeState.WAITING, now + max(delay, asked), reply.status)


def seconds_of(retry_after: str | None, now: float) -> float | None:
    """What a `Retry-After` header asks for, in seconds or as a date. None where it cannot be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now, 0.0)
