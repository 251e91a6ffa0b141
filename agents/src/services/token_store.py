"""Named tokens and their allowances in SQL. Implements `TokenStore` on any `Db`."""

from agents.src.clock import Clock
from agents.src.errors import NameTaken, UnknownToken
from agents.src.services.database import Db, Row, Tx
from agents.src.settings import Rate, parse_rate
from agents.src.skills import Allowance, Token, allowance

COLUMNS = "name, hash, skills, rate, created_at, expires_at, revoked_at, budget_usd"


class SqlTokenStore:
    def __init__(self, db: Db, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def add(self, token: Token) -> None:
        skills = None if token.skills is None else " ".join(sorted(token.skills))
        times = (token.created_at, token.expires_at, token.revoked_at)
        values = (token.name, token.hash, skills, str(token.rate), *times, token.budget_usd)
        sql = f"insert into token ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (name) do nothing returning name"
        if not await self._db.write(lambda tx: tx.run(sql, *values)):
            raise NameTaken(f"There is, or was, a token named {token.name!r}; choose another name.")

    async def all(self) -> tuple[Token, ...]:
        rows = await self._db.read(lambda tx: tx.run(f"select {COLUMNS} from token order by name"))
        return tuple(token_of(row) for row in rows)

    async def find(self, digest: str) -> Token | None:
        rows = await self._db.read(lambda tx: tx.run(f"select {COLUMNS} from token where hash = ?", digest))
        return token_of(rows[0]) if rows else None

    async def revoke(self, name: str) -> Token:
        sql = f"update token set revoked_at = coalesce(revoked_at, ?) where name = ? returning {COLUMNS}"
        rows = await self._db.write(lambda tx: tx.run(sql, self._clock.now(), name))
        if not rows:
            raise UnknownToken(f"There is no token named {name!r}; `agents token list` shows them.")
        return token_of(rows[0])

    async def take(self, caller: str, rate: Rate) -> Allowance:
        now = self._clock.now()

        def work(tx: Tx) -> Allowance:
            # The upsert takes the row's lock, so that two submissions at once are counted one after the other.
            [(kept,)] = tx.run(
                "insert into allowance (caller, arrival) values (?, ?) "
                "on conflict (caller) do update set arrival = allowance.arrival returning arrival",
                *(caller, now),
            )
            arrival, left = allowance(kept, now, rate)
            tx.run("update allowance set arrival = ? where caller = ?", arrival, caller)
            return left

        return await self._db.write(work)


def token_of(row: Row) -> Token:
    return Token(row[0], row[1], None if row[2] is None else frozenset(row[2].split()), parse_rate(row[3]), *row[4:])
