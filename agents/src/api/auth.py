"""Who is asking: bearer tokens, compared in constant time, and a limit on guesses by address."""

import hmac
from collections import OrderedDict
from typing import TypeVar

from fastapi import Request

from agents.src.clock import Clock
from agents.src.errors import NotAuthenticated, RateLimited
from agents.src.settings import Rate
from agents.src.skills import Token, TokenStore, allowance, hashed
from agents.src.tasks import ROOT, Caller

V = TypeVar("V")

REMEMBERED = 5.0
"""Seconds that a looked-up token is trusted: so long may a revocation take to be felt by other processes."""
MOST_REMEMBERED = 10_000
GUESSES = Rate(20, 60)
"""Wrong tokens that one address may send."""


class Gate:
    """Knows callers by their tokens. `root` is the root token, `root_rate` its rate; `wrong` as `GUESSES`."""

    def __init__(self, root: str, root_rate: Rate | None, tokens: TokenStore, clock: Clock, wrong: Rate = GUESSES) -> None:
        self._root_digest = hashed(root)
        self._root = Caller(ROOT, rate=root_rate)
        self._tokens = tokens
        self._clock = clock
        self._wrong = wrong
        self._known: OrderedDict[str, tuple[Token, float]] = OrderedDict()
        self._guesses: OrderedDict[str, float] = OrderedDict()

    async def identify(self, authorization: str, address: str) -> Caller:
        """The caller behind an `Authorization` header. Raises NotAuthenticated, and RateLimited after too many wrong guesses."""
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise NotAuthenticated("Send `Authorization: Bearer <token>`.")
        digest = hashed(secret.strip())
        if hmac.compare_digest(digest, self._root_digest):
            return self._root
        token = await self._look_up(digest)
        if token is not None and token.valid_at(self._clock.now()):
            return token.caller
        self._count_guess(address)
        raise NotAuthenticated("The token is not known here, has expired or was revoked.")

    async def _look_up(self, digest: str) -> Token | None:
        now = self._clock.now()
        token, fetched = self._known.get(digest, (None, 0.0))
        if token is None or now - fetched > REMEMBERED:
            token = await self._tokens.find(digest)
            if token is not None:
                remember(self._known, digest, (token, now))
        return token

    def _count_guess(self, address: str) -> None:
        arrival, left = allowance(self._guesses.get(address), self._clock.now(), self._wrong)
        remember(self._guesses, address, arrival)
        if left.retry_after is not None:
            raise RateLimited("Too many wrong tokens from this address.", retry_after=round(left.retry_after, 1))


def remember(table: OrderedDict[str, V], key: str, value: V) -> None:
    """Keeps the newest entries only, so that strangers cannot fill the memory."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > MOST_REMEMBERED:
        table.popitem(last=False)


async def caller_of(request: Request) -> Caller:
    """A dependency: the authenticated caller."""
    gate: Gate = request.app.state.gate
    address = request.client.host if request.client else "unknown"
    return await gate.identify(request.headers.get("authorization", ""), address)
