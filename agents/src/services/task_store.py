"""Tasks and events in SQL. Implements `TaskStore` on any `Db`."""

from collections.abc import Callable, Collection, Sequence

from pydantic_core import from_json

from agents.src.clock import Clock
from agents.src.errors import AlreadyEnded, KeyReused, UnknownTask
from agents.src.services import task_settling, task_sql
from agents.src.services.budget_store import spend
from agents.src.services.conversation_log import add_prompt
from agents.src.services.crowd_sql import warnings_for
from agents.src.services.database import Db, Row, Tx
from agents.src.services.lesson_store import add_lessons
from agents.src.services.task_log import Change, recorded
from agents.src.services.task_rows import (
    accepted_events,
    dumped,
    event_of,
    event_row,
    output_of,
    run_of,
    started_event,
    task_of,
    usage_of,
    usage_row,
    wishes_by_run,
)
from agents.src.tasks import (
    Added,
    Brief,
    Claim,
    Claimed,
    Draft,
    Ending,
    Event,
    EventType,
    Hub,
    Key,
    LeaseLost,
    Output,
    Page,
    Places,
    Run,
    Status,
    Task,
    TaskFilter,
    Totals,
    Usage,
    Waiting,
    Wishes,
    cancelled,
)

LARGEST_PAGE = 4 << 20
"""Characters after which a page of the log ends: one event may have 16 MiB, and a reader asks for hundreds."""


class SqlTaskStore:
    """Publishes the events of each commit to the hub, and takes from the database what other processes changed."""

    def __init__(self, db: Db, hub: Hub, clock: Clock) -> None:
        self._db = db
        self._hub = hub
        self._clock = clock

    async def add(
        self,
        task: Task,
        brief: Brief,
        key: Key | None = None,
        claim: Claim | None = None,
        then: Callable[[Added], None] | None = None,
        places: Places | None = None,
    ) -> Added:
        now = task.created_at
        started = task.to(Status.RUNNING, attempt=1, session=1, started_at=now) if claim else task
        values = (
            *(task.id, task.skill, task.prompt, task.caller, now, started.status.value),
            *(dumped(task.args), dumped(task.metadata), task.priority, started.attempt, brief.model_dump_json()),
        )
        more_values = (
            *(task.run_at, started.started_at, claim.worker if claim else None, claim.until if claim else None, started.session),
            *(task.inbox, task.callback and task.callback.model_dump_json(), task.conversation, task.workdir, task.budget_usd),
            *((key.key, key.fingerprint) if key else (None, None)),
        )

        def work(tx: Tx) -> tuple[Row | None, list[Event]]:
            warnings = warnings_for(tx, task, places, runs=claim is not None) if places else ()
            events = accepted_events(started, warnings)
            row = (*values, len(events) + 1, *more_values)
            if key and not tx.run(f"{task_sql.INSERT} returning id", *row):
                [known] = tx.run(
                    f"select {task_sql.COLUMNS}, fingerprint from task where caller = ? and idempotency_key = ?",
                    task.caller,
                    key.key,
                )
                return known, []
            if not key:
                tx.run(task_sql.INSERT, *row)
            tx.many(task_sql.ADD_EVENT, [event_row(event) for event in events])
            add_prompt(tx, task)
            tx.notify(task.id)
            return None, events

        def added(known: Row | None, events: list[Event]) -> Added:
            if known is not None:
                return Added(task_of(known), None, created=False)
            warnings = tuple(event for event in events if event.type is EventType.WARNING)
            return Added(started, Run(started, brief, claim.worker) if claim else None, created=True, warnings=warnings)

        def kept(done: tuple[Row | None, list[Event]]) -> None:
            if done[1]:
                self._hub.publish(done[1])
            if then:
                then(added(*done))

        known, events = await self._db.write(work, kept)
        if key and known and known[task_sql.WIDTH] != key.fingerprint:
            raise KeyReused("This Idempotency-Key came with another request before; use a new key for a new request.")
        return added(known, events)

    async def get(self, task_id: str) -> Task:
        rows = await self._db.read(lambda tx: tx.run(f"select {task_sql.COLUMNS} from task where id = ?", task_id))
        if not rows:
            raise UnknownTask("There is no task of this id, or it is not yours.")
        return task_of(rows[0])

    async def output(self, task_id: str) -> Output | None:
        rows = await self._db.read(lambda tx: tx.run(task_sql.OUTPUT, task_id))
        return output_of(rows)

    async def ended(self, task_ids: Collection[str]) -> frozenset[str]:
        sql = task_sql.ENDED.format(ids=", ".join("?" * len(task_ids)))
        rows = await self._db.read(lambda tx: tx.run(sql, *task_ids)) if task_ids else []
        return frozenset(task_id for (task_id,) in rows)

    async def page(self, which: TaskFilter, cursor: str | None, limit: int) -> Page:
        wanted = {"caller = ?": which.caller, "status = ?": which.status, "skill = ?": which.skill, "id < ?": cursor}
        given = {condition: value for condition, value in wanted.items() if value is not None}
        where = f"where {' and '.join(given)}" if given else ""
        sql = f"select {task_sql.COLUMNS} from task {where} order by id desc limit ?"
        rows = await self._db.read(lambda tx: tx.run(sql, *given.values(), limit + 1))
        items = tuple(task_of(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def totals(self, caller: str | None) -> Totals:
        counts = task_sql.COUNTS.format(where="where caller = ?" if caller else "")
        used = task_sql.USED.format(whose="and caller = ?" if caller else "")
        values = [caller] if caller else []
        rows, [usage] = await self._db.read(lambda tx: (tx.run(counts, *values), tx.run(used, *values)))
        return Totals({Status(status): number for status, number in rows}, usage_of(usage))

    async def events(self, task_id: str, after: int, limit: int) -> tuple[Event, ...]:
        values = (after, task_id, after + limit, LARGEST_PAGE, task_id, after)
        rows = await self._db.read(lambda tx: tx.run(task_sql.EVENTS, *values))
        return tuple(event_of(row) for row in rows)

    async def last_events(self, task_id: str, limit: int) -> tuple[Event, ...]:
        values = (task_id, task_id, limit, LARGEST_PAGE, task_id)
        rows = await self._db.read(lambda tx: tx.run(task_sql.LAST_EVENTS, *values))
        return tuple(event_of(row) for row in rows)

    async def claim(self, claim: Claim, limit: int, full: Collection[str] = ()) -> Claimed:
        now = self._clock.now()
        which = f"and skill not in ({', '.join('?' * len(full))})" if full else ""

        def work(tx: Tx) -> tuple[list[tuple[Run, Event]], float | None]:
            taken = self._take(tx, claim, now, which, list(full), limit)
            if len(taken) == limit:
                return taken, None
            [(due,)] = tx.run("select min(run_at) from task where status = 'queued' and run_at > ?", now)
            return taken, due

        taken, due = await self._db.write(work, lambda done: self._publish_started(done[0]))
        runs = sorted((run for run, _ in taken), key=lambda run: (-run.task.priority, run.task.id))
        return Claimed(tuple(runs), due)

    async def claim_one(self, task_id: str, claim: Claim) -> Run | None:
        now = self._clock.now()
        taken = await self._db.write(lambda tx: self._take(tx, claim, now, "and id = ?", [task_id], 1), self._publish_started)
        return taken[0][0] if taken else None

    @staticmethod
    def _take(tx: Tx, claim: Claim, now: float, which: str, values: list[str], limit: int) -> list[tuple[Run, Event]]:
        sql = task_sql.CLAIM.format(which=which, skip_locked=tx.skip_locked)
        rows = tx.run(sql, now, *values, limit, claim.worker, claim.until, now)
        taken = [(run_of(row, claim.worker), row[task_sql.WIDTH + 1]) for row in rows]
        started = [(run, started_event(run.task, seq, now)) for run, seq in taken]
        tx.many(task_sql.ADD_EVENT, [event_row(event) for _, event in started])
        for run, _ in started:
            tx.notify(run.task.id)
        return started

    def _publish_started(self, started: list[tuple[Run, Event]]) -> None:
        for _, event in started:
            self._hub.publish((event,))

    async def append(self, run: Run, drafts: Sequence[Draft], batch: int | None = None) -> None:
        now = self._clock.now()
        used = sum((draft.usage for draft in drafts), Usage())
        task_id, whose = run.task.id, (run.task.id, run.worker, run.task.attempt)

        def work(tx: Tx) -> tuple[Event, ...] | None:
            rows = tx.run(task_sql.APPEND, len(drafts), batch, *usage_row(used), *whose, batch)
            if not rows:
                return () if tx.run(task_sql.HAS_BATCH, *whose, batch) else None
            first = rows[0][0] - len(drafts)
            events = tuple(Event(task_id, first + i, draft.type, now, draft.data) for i, draft in enumerate(drafts))
            tx.many(task_sql.ADD_EVENT, [event_row(event) for event in events])
            add_lessons(tx, run.task, events)
            spend(tx, run.task.caller, used.cost_usd, now)
            tx.notify(task_id)
            return events

        def publish(events: tuple[Event, ...] | None) -> None:
            if events:
                self._hub.publish(events)
            elif events is not None:  # it was kept before, but nobody here has heard of it
                self._hub.signal(task_id)

        if await self._db.write(work, publish) is None:
            raise LeaseLost(run.id)

    async def settle(self, run: Run, ending: Ending, again: bool = False) -> Task:
        now = self._clock.now()

        def work(tx: Tx) -> Change | None:
            change = task_settling.settle(tx, run, ending, now)
            return task_settling.settled_before(tx, run, ending) if change is None and again else change

        change = await self._db.write(work, self._publish)
        if change is None:
            raise LeaseLost(run.id)
        return change[0]

    def _publish(self, change: Change | None) -> None:
        if change is None:
            return
        task, events = change
        if events:
            self._hub.publish(events, task if task.status.ended else None)
        else:  # it was kept before, but nobody here has heard of it
            self._hub.signal(task.id)

    async def renew(self, claim: Claim, runs: Collection[str]) -> dict[str, Wishes]:
        ids = [run_id.rpartition(":")[0] for run_id in runs]
        sql = task_sql.RENEW.format(ids=", ".join("?" * len(ids)))
        return wishes_by_run(await self._db.write(lambda tx: tx.run(sql, claim.until, claim.worker, *ids)))

    async def wishes(self, worker: str) -> dict[str, Wishes]:
        return wishes_by_run(await self._db.read(lambda tx: tx.run(task_sql.WISHES, worker)))

    async def said(self, task_id: str, after: int) -> tuple[str, ...]:
        rows = await self._db.read(lambda tx: tx.run(task_sql.SAID, task_id))
        return tuple(from_json(data)["text"] for (data,) in rows[after:])

    async def hush(self, run: Run, heard: int) -> bool:
        whose = (run.task.id, run.worker, run.task.attempt)

        def work(tx: Tx) -> bool | None:
            return bool(tx.run(task_sql.HUSH, *whose, heard)) or (False if tx.run(task_sql.HOLDS, *whose) else None)

        hushed = await self._db.write(work)
        if hushed is None:
            raise LeaseLost(run.id)
        return hushed

    async def request_cancel(self, task_id: str) -> Task:
        now = self._clock.now()

        def work(tx: Tx) -> Change | None:
            rows = tx.run(task_sql.CANCEL, now, task_id)
            if not rows:
                return None
            ended = task_of(rows[0]).status.ended
            change = recorded(tx, rows[0], cancelled().event if ended else Draft(EventType.CANCEL_REQUESTED), now)
            return task_settling.without_questions(tx, change) if ended else change

        change = await self._db.write(work, self._publish)
        if change:
            return change[0]
        task = await self.get(task_id)
        if task.status.ended:
            raise AlreadyEnded(f"The task has already ended: it is {task.status}.", task_status=task.status.value)
        return task

    async def workers(self) -> frozenset[str]:
        rows = await self._db.read(lambda tx: tx.run("select distinct worker from task where worker is not null"))
        return frozenset(worker for (worker,) in rows)

    async def abandoned(self, gone: Collection[str]) -> tuple[Run, ...]:
        whose = f"or worker in ({', '.join('?' * len(gone))})" if gone else ""
        sql = f"select {task_sql.COLUMNS}, brief, worker from task where worker is not null and (lease_until < ? {whose})"
        rows = await self._db.read(lambda tx: tx.run(sql, self._clock.now(), *gone))
        return tuple(run_of(row, row[task_sql.WIDTH + 1]) for row in rows)

    async def note_call(self, task_id: str, call_id: str) -> None:
        await self._db.write(lambda tx: tx.run("update task set call_id = ? where id = ?", call_id, task_id))

    async def waiting(self, since: float) -> tuple[Waiting, ...]:
        rows = await self._db.read(lambda tx: tx.run(task_sql.WAITING, since))
        return tuple(Waiting(*row) for row in rows)
