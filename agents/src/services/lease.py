"""Something that one process at a time may do, wherever the others run: a row with an end, in the database they share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.src.clock import Clock
from agents.src.errors import Unavailable
from agents.src.services.database import Db

TURN = 1.0
"""Seconds between two tries."""
TAKE = (
    "insert into lease (name, holder, until) values (?, ?, ?) on conflict (name) do update "
    "set holder = excluded.holder, until = excluded.until where lease.until < ? returning holder"
)


class Lease:
    """`seconds`: how long it is held at most; whoever holds it has to be done by then. `patience`: seconds of waiting for it."""

    def __init__(self, db: Db, clock: Clock, name: str, seconds: float, patience: float) -> None:
        self._db = db
        self._clock = clock
        self._name = name
        self._seconds = seconds
        self._patience = patience

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Raises Unavailable where another holds it for too long."""
        holder, give_up = self._clock.new_id(), self._clock.now() + self._patience
        while not await self._take(holder):
            if self._clock.now() >= give_up:
                raise Unavailable(f"Another process has had {self._name!r} to itself for {self._patience:g} seconds.")
            await self._clock.sleep(TURN)
        try:
            yield
        finally:
            await self._give(holder)

    async def _take(self, holder: str) -> bool:
        now = self._clock.now()
        return bool(await self._db.write(lambda tx: tx.run(TAKE, self._name, holder, now + self._seconds, now)))

    async def _give(self, holder: str) -> None:
        await self._db.write(lambda tx: tx.run("delete from lease where name = ? and holder = ?", self._name, holder))
