"""Who may call: named tokens, and how often they may submit."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Protocol

from agents.src.errors import InvalidRequest
from agents.src.settings import Rate
from agents.src.tasks import ROOT, Caller

PREFIX = "mi_"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
DEFAULT_RATE = Rate(60, 60)
SLACK = 0.01
"""Of one submission: seconds since 1970 are told to a quarter of a microsecond only, and sums of them to less."""


@dataclass(frozen=True, slots=True)
class Token:
    """A named token as it is kept: never the secret, only its hash. Times in seconds since 1970 UTC."""

    name: str
    hash: str
    skills: frozenset[str] | None
    rate: Rate
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    budget_usd: float | None = None
    """US dollars that its tasks may spend in one UTC day; None: without limit."""

    def valid_at(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def caller(self) -> Caller:
        return Caller(self.name, self.skills, self.rate)


class TokenStore(Protocol):
    async def add(self, token: Token) -> None:
        """Raises NameTaken; a revoked token's name stays taken, since its tasks bear it."""

    async def all(self) -> tuple[Token, ...]: ...

    async def find(self, digest: str) -> Token | None: ...

    async def revoke(self, name: str) -> Token:
        """Raises UnknownToken."""

    async def take(self, caller: str, rate: Rate) -> "Allowance":
        """Counts one submission against the caller's rate."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after a submission. `retry_after` is None where it was allowed, `reset` when all is back; both in seconds."""

    limit: int
    period: int
    remaining: int
    reset: float
    retry_after: float | None


def allowance(arrival: float | None, now: float, rate: Rate) -> tuple[float, Allowance]:
    """GCRA: the next theoretical arrival time to keep, and what it means. `arrival` is the one kept before.

    One number a caller, an exact sliding limit, and bursts up to the whole rate.
    """
    interval = rate.period / rate.limit
    due = max(arrival or now, now)
    after = due + interval
    if after - now > rate.period + interval * SLACK:
        return due, Allowance(rate.limit, rate.period, 0, due - now, after - now - rate.period)
    left = int((rate.period - (after - now)) / interval + SLACK)
    return after, Allowance(rate.limit, rate.period, left, after - now, None)


def hashed(secret: str) -> str:
    """SHA-256 is enough: a token is 256 random bits, not a password."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def check_token_name(name: str) -> str:
    """Raises InvalidRequest."""
    if name == ROOT or not NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} cannot be a token's name; use 1 to 64 lower-case letters, digits, - and _ (not {ROOT!r})."
        )
    return name
