"""The account of what is spent in SQL. Implements `Budgets` on any `Db`."""

from collections.abc import Iterator

from agents.src.clock import Clock
from agents.src.services import budget_sql as sql
from agents.src.services.database import Db, Row, Tx
from agents.src.services.task_log import Change, recorded
from agents.src.tasks import Budget, Draft, EventType, Hub, LeaseLost, Run, Today, Whose, day_of


class SqlBudgets:
    """`daily`: US dollars that all tasks may spend in one UTC day; None: without limit. Publishes what it tells to the hub."""

    def __init__(self, db: Db, hub: Hub, clock: Clock, daily: float | None) -> None:
        self._db = db
        self._hub = hub
        self._clock = clock
        self._daily = daily

    async def of(self, run: Run) -> tuple[Budget, ...]:
        day = day_of(self._clock.now())
        [row] = await self._db.read(lambda tx: tx.run(sql.OF_TASK, day, day, day, run.task.id))
        return tuple(self._budgets(run, day, row))

    def _budgets(self, run: Run, day: str, row: Row) -> Iterator[Budget]:
        of_task, cost, of_token, token_raised, by_caller, by_all, day_raised = row
        of_task = run.brief.claude.budget_usd if of_task is None else of_task  # accepted before tasks had budgets of their own
        if of_task is not None:
            yield Budget(whose=Whose.TASK, limit_usd=of_task, spent_usd=round(cost, 9))
        if of_token is not None:
            limit = max(of_token, token_raised or 0)
            yield Budget(whose=Whose.TOKEN, limit_usd=limit, spent_usd=round(by_caller, 9), day=day)
        if self._daily is not None:
            limit = max(self._daily, day_raised or 0)
            yield Budget(whose=Whose.DAY, limit_usd=limit, spent_usd=round(by_all, 9), day=day)

    async def today(self, caller: str | None) -> Today:
        day = day_of(self._clock.now())
        if caller is None:
            [(spent, raised)] = await self._db.read(lambda tx: tx.run(sql.OF_DAY, day, day))
            limit = self._daily
        else:
            values = (day, caller, day, caller, caller)
            [(spent, raised, limit)] = await self._db.read(lambda tx: tx.run(sql.OF_CALLER, *values))
        return Today(day, round(spent, 9), None if limit is None else max(limit, raised or 0))

    async def raise_to(self, run: Run, budget: Budget, limit_usd: float) -> None:
        now, task = self._clock.now(), run.task
        data = {"whose": budget.whose.value, "by_usd": round(limit_usd - budget.limit_usd, 9), "to_usd": limit_usd}
        draft = Draft(EventType.BUDGET_RAISED, data)

        def work(tx: Tx) -> Change | tuple[()] | None:
            if not tx.run(sql.HOLD.format(for_update=tx.for_update), task.id, run.worker, task.attempt):
                return None
            if budget.day not in (None, day_of(now)) or not raised(tx, run, budget, limit_usd):
                return ()
            return recorded(tx, tx.run(sql.TELL, task.id)[0], draft, now)

        def publish(change: Change | tuple[()] | None) -> None:
            if change:
                self._hub.publish(change[1])

        if await self._db.write(work, publish) is None:
            raise LeaseLost(run.id)


def raised(tx: Tx, run: Run, budget: Budget, limit_usd: float) -> bool:
    """False where it is as high already."""
    if budget.whose is Whose.TASK:
        return bool(tx.run(sql.RAISE_TASK, limit_usd, run.task.id, limit_usd))
    caller = run.task.caller if budget.whose is Whose.TOKEN else sql.SERVER
    return bool(tx.run(sql.RAISE_DAY, budget.day, caller, limit_usd))


def spend(tx: Tx, caller: str, usd: float, now: float) -> None:
    """Adds to the account of the day, in the transaction of the event that tells of it."""
    if usd > 0:
        tx.run(sql.SPEND, day_of(now), caller, usd)
