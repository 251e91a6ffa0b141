"""Notices in SQL. Implements `OutboxStore` on any `Db`."""

from collections.abc import Collection

from agents.src.clock import Clock
from agents.src.services import outbox_sql as sql
from agents.src.services.database import Db, Row, Tx
from agents.src.services.task_log import recorded
from agents.src.tasks import Draft, Event, EventType, Hub, Notice, NoticeKind, NoticeState, Verdict


class SqlOutboxStore:
    """Publishes the events of each commit to the hub."""

    def __init__(self, db: Db, hub: Hub, clock: Clock) -> None:
        self._db = db
        self._hub = hub
        self._clock = clock

    async def claim(self, limit: int, until: float) -> tuple[Notice, ...]:
        now = self._clock.now()
        rows = await self._db.write(lambda tx: tx.run(sql.CLAIM.format(skip_locked=tx.skip_locked), now, limit, until))
        return tuple(sorted(map(notice_of_row, rows), key=lambda notice: (notice.at, notice.id)))

    async def settle(self, notice: Notice, verdict: Verdict) -> bool:
        now = self._clock.now()
        values = (verdict.state.value, verdict.due_at, verdict.status, notice.id, notice.attempts)

        def work(tx: Tx) -> tuple[Event, ...] | None:
            if not tx.run(sql.SETTLE, *values):
                return None
            if verdict.gone:
                tx.run(sql.GIVE_UP, verdict.status, notice.task_id)
            return warned(tx, notice.task_id, verdict.reason, now) if verdict.state is NoticeState.REFUSED else ()

        def publish(events: tuple[Event, ...] | None) -> None:
            if events:
                self._hub.publish(events)

        return await self._db.write(work, publish) is not None

    async def next_due(self) -> float | None:
        [(due,)] = await self._db.read(lambda tx: tx.run(sql.NEXT_DUE))
        return due if due is None else float(due)

    async def latest(self, task_ids: Collection[str]) -> dict[str, Notice]:
        if not task_ids:
            return {}
        select = sql.LATEST.format(ids=", ".join("?" * len(task_ids)))
        rows = await self._db.read(lambda tx: tx.run(select, *task_ids))
        return {notice.task_id: notice for notice in map(notice_of_row, rows)}


def warned(tx: Tx, task_id: str, reason: str, now: float) -> tuple[Event, ...]:
    """Nothing comes after the end of a task: of one that has ended, the row alone tells."""
    rows = tx.run(sql.TELL, task_id)
    if not rows:
        return ()
    return recorded(tx, rows[0], Draft(EventType.WARNING, {"code": "callback_refused", "message": reason}), now)[1]


def notice_of_row(row: Row) -> Notice:
    return Notice(
        *(row[0], row[1], row[2], NoticeKind(row[3]), row[4], row[5]),
        state=NoticeState(row[6]),
        attempts=row[7],
        due_at=row[8],
        last_status=row[9],
    )
