"""What callers want of their tasks, in SQL. Implements `SteeringStore` on any `Db`."""

from collections.abc import Callable

from pydantic_core import from_json

from agents.src.clock import Clock
from agents.src.errors import UnknownTask
from agents.src.services.database import Db, Tx
from agents.src.services.task_log import Change, recorded
from agents.src.services.task_rows import run_of, task_of
from agents.src.services.task_sql import COLUMNS, SAID, WIDTH
from agents.src.tasks import Brief, Draft, EventType, Hub, Task, check_pause, check_resume, check_say

# Locked: between this and the change that follows from it, nobody takes the task or lets go of it.
LOOK = f"select {COLUMNS}, brief, worker, closing from task where id = ? {{for_update}}"
PAUSE = f"""
    update task set paused = 1, next_seq = next_seq + 1, status = case when worker is null then 'input_required' else status end
    where id = ? returning {COLUMNS}, next_seq - 1
"""
# A retry keeps its delay.
RESUME = f"""
    update task set paused = 0, next_seq = next_seq + 1,
        status = case when worker is null and waiting = 0 then 'queued' else status end,
        run_at = case when worker is null and run_at < ? then ? else run_at end
    where id = ? returning {COLUMNS}, next_seq - 1
"""
SAY = f"update task set said = said + 1, next_seq = next_seq + 1 where id = ? returning {COLUMNS}, next_seq - 1"


class SqlSteeringStore:
    """Publishes the event of each commit to the hub."""

    def __init__(self, db: Db, hub: Hub, clock: Clock) -> None:
        self._db = db
        self._hub = hub
        self._clock = clock

    async def pause(self, task_id: str) -> Task:
        now = self._clock.now()

        def work(tx: Tx) -> Change:
            task, brief, held, _ = look(tx, task_id)
            check_pause(task, brief, held=held)
            if task.paused:
                return task, ()
            kind = EventType.PAUSE_REQUESTED if held else EventType.PAUSED
            return recorded(tx, tx.run(PAUSE, task_id)[0], Draft(kind), now)

        return await self._changed(work)

    async def resume(self, task_id: str) -> Task:
        now = self._clock.now()

        def work(tx: Tx) -> Change:
            check_resume(look(tx, task_id)[0])
            return recorded(tx, tx.run(RESUME, now, now, task_id)[0], Draft(EventType.RESUMED), now)

        return await self._changed(work)

    async def say(self, task_id: str, text: str, by: str, key: str | None = None) -> Task:
        now, named = self._clock.now(), {"key": key} if key else {}

        def work(tx: Tx) -> Change:
            task, brief, held, closing = look(tx, task_id)
            if key and any(from_json(data).get("key") == key for (data,) in tx.run(SAID, task_id)):
                return task, ()
            check_say(task, brief, closing=held and closing)
            row = tx.run(SAY, task_id)[0]
            data = {"text": text, "by": by, "number": task_of(row).said, **named}
            return recorded(tx, row, Draft(EventType.SAID, data), now)

        return await self._changed(work)

    async def _changed(self, work: Callable[[Tx], Change]) -> Task:
        def publish(change: Change) -> None:
            if change[1]:
                self._hub.publish(change[1])

        return (await self._db.write(work, publish))[0]


def look(tx: Tx, task_id: str) -> tuple[Task, Brief, bool, bool]:
    """The task, what its runs are given, whether one holds it, and whether that takes no more messages. Raises UnknownTask."""
    rows = tx.run(LOOK.format(for_update=tx.for_update), task_id)
    if not rows:
        raise UnknownTask("There is no task of this id, or it is not yours.")
    run, closing = run_of(rows[0], rows[0][WIDTH + 1]), rows[0][WIDTH + 2]
    return run.task, run.brief, run.worker is not None, bool(closing)
