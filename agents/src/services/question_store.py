"""Questions in SQL. Implements `QuestionStore` on any `Db`."""

from pydantic import TypeAdapter

from agents.src.clock import Clock, iso
from agents.src.errors import AlreadyAnswered, UnknownQuestion
from agents.src.services import question_sql as sql
from agents.src.services.budget_store import spend
from agents.src.services.database import Db, Row, Tx
from agents.src.services.task_log import recorded
from agents.src.services.task_rows import task_of, usage_row
from agents.src.tasks import (
    Answer,
    Asked,
    Draft,
    Event,
    EventType,
    Failure,
    Hub,
    Inbox,
    LeaseLost,
    PassOn,
    Question,
    QuestionFilter,
    QuestionPage,
    QuestionRules,
    QuestionState,
    Run,
    Task,
    Turn,
    failed,
    first_turn,
)

TURNS = TypeAdapter(tuple[Turn, ...])
Changed = tuple[Asked, Task, tuple[Event, ...]]


class SqlQuestionStore:
    """Publishes the events of each commit to the hub."""

    def __init__(self, db: Db, hub: Hub, clock: Clock) -> None:
        self._db = db
        self._hub = hub
        self._clock = clock

    async def ask(self, run: Run, key: str, question: Question, rules: QuestionRules, *, likened: bool = False) -> Asked:
        now, question_id, task = self._clock.now(), self._clock.new_id(), run.task
        turn, due_at = first_turn(rules, now)
        values = (
            *(question_id, task.id, task.skill, task.caller, key, question.model_dump_json()),
            *(TURNS.dump_json(rules.ask).decode(), rules.deadline, turn, now, due_at, QuestionState.PENDING.value, None, None),
        )

        def work(tx: Tx) -> tuple[Asked, Task | None, tuple[Event, ...]] | None:
            held = tx.run(sql.HOLD.format(for_update=tx.for_update), task.id, run.worker, task.attempt)
            if not held:
                return None
            session = held[0][0] or task.attempt
            tx.run(sql.GIVE_UP_KEY, task.id, key)
            known = tx.run(sql.KNOWN, task.id, key)
            if not known and likened:
                known = tx.run(sql.ALIKE, task.id, question.digest, task.attempt)
            if known:
                return asked_of(known[0]), None, ()
            row = (*values, task.attempt, session, question.digest, Inbox.PENDING.value if task.inbox else None)
            tx.run(sql.ADD, *row)
            asked = asked_of(row)
            return asked, *recorded(tx, tx.run(sql.WAIT, task.id)[0], Draft(EventType.QUESTION_ASKED, as_told(asked)), now)

        change = await self._db.write(work, lambda done: self._publish(done and done[2], None))
        if change is None:
            raise LeaseLost(run.id)
        return change[0]

    async def get(self, question_id: str) -> Asked:
        rows = await self._db.read(lambda tx: tx.run(f"select {sql.COLUMNS} from question where id = ?", question_id))
        if not rows:
            raise UnknownQuestion("There is no question of this id, or it is not yours.")
        return asked_of(rows[0])

    async def page(self, which: QuestionFilter, cursor: str | None, limit: int) -> QuestionPage:
        wanted = {"caller = ?": which.caller, "state = ?": which.state, "task_id = ?": which.task_id, "id < ?": cursor}
        given = {condition: value for condition, value in wanted.items() if value is not None}
        where = f"where {' and '.join(given)}" if given else ""
        select = f"select {sql.COLUMNS} from question {where} order by id desc limit ?"
        rows = await self._db.read(lambda tx: tx.run(select, *given.values(), limit + 1))
        items = tuple(asked_of(row) for row in rows[:limit])
        return QuestionPage(items, items[-1].id if len(rows) > limit else None)

    async def answer(self, question_id: str, answer: Answer) -> tuple[Asked, Task]:
        asked, now = await self.get(question_id), self._clock.now()

        def work(tx: Tx) -> Changed | None:
            tx.run(sql.LOCK.format(for_update=tx.for_update), asked.task_id)
            rows = tx.run(sql.CLOSE, QuestionState.ANSWERED.value, answer.model_dump_json(), now, question_id)
            if not rows:
                return None
            going = tx.run(sql.GO_ON, now, asked.task_id)[0]
            said = answer.model_dump(mode="json")
            draft = Draft(EventType.QUESTION_ANSWERED, {"id": question_id, **said, "waiting": task_of(going).waiting})
            return asked_of(rows[0]), *recorded(tx, going, draft, now)

        change = await self._db.write(work, lambda done: self._publish(done and done[2], None))
        if change is None:
            raise already_closed(await self.get(question_id))
        return change[:2]

    async def overdue(self, limit: int, task_id: str | None = None) -> tuple[Asked, ...]:
        which, values = of_task(task_id)
        rows = await self._db.read(lambda tx: tx.run(sql.OVERDUE.format(which=which), self._clock.now(), *values, limit))
        return tuple(asked_of(row) for row in rows)

    async def next_due(self, task_id: str | None = None) -> float | None:
        which, values = of_task(task_id)
        [(due,)] = await self._db.read(lambda tx: tx.run(sql.NEXT_DUE.format(which=which), *values))
        return due if due is None else float(due)

    async def pass_on(self, asked: Asked, step: PassOn) -> Asked | None:
        now = self._clock.now()

        def work(tx: Tx) -> Changed | None:
            tx.run(sql.LOCK.format(for_update=tx.for_update), asked.task_id)
            rows = tx.run(sql.PASS_ON, step.turn, step.due_at, asked.id, asked.turn)
            if not rows:
                return None
            passed = asked_of(rows[0])
            data = {"id": asked.id, "to": passed.whose_turn, "due_at": iso(step.due_at) if step.due_at else None}
            return passed, *recorded(tx, tx.run(sql.TELL, asked.task_id)[0], Draft(EventType.QUESTION_PASSED_ON, data), now)

        change = await self._db.write(work, lambda done: self._publish(done and done[2], None))
        return change and change[0]

    async def charge(self, task_id: str, spent: Draft) -> None:
        now = self._clock.now()

        def work(tx: Tx) -> tuple[Event, ...]:
            rows = tx.run(sql.CHARGE, *usage_row(spent.usage), task_id)
            if not rows:
                return ()
            task, events = recorded(tx, rows[0], spent, now)
            spend(tx, task.caller, spent.usage.cost_usd, now)
            return events

        await self._db.write(work, lambda events: self._publish(events, None))

    async def expire(self, asked: Asked, failure: Failure) -> Task | None:
        now = self._clock.now()

        def work(tx: Tx) -> tuple[Task, tuple[Event, ...]] | None:
            held = tx.run(sql.LOCK.format(for_update=tx.for_update), asked.task_id)
            if not tx.run(sql.EXPIRE, now, asked.id, asked.turn):
                return None
            [row] = tx.run(sql.WAIT_NO_MORE, asked.task_id)
            expired = Draft(EventType.QUESTION_EXPIRED, {"id": asked.id, "waiting": task_of(row).waiting})
            task, events = recorded(tx, row, expired, now)
            if held[0][0] is not None:
                return task, events
            tx.run(sql.WITHDRAW, asked.task_id)
            [row] = tx.run(sql.FAIL, failure.model_dump_json(), now, asked.task_id)
            ended, last = recorded(tx, row, failed(failure).event, now)
            return ended, events + last

        change = await self._db.write(work, lambda done: self._publish(done and done[1], done and done[0]))
        return change and change[0]

    def _publish(self, events: tuple[Event, ...] | None, task: Task | None) -> None:
        if events:
            self._hub.publish(events, task if task and task.status.ended else None)


def of_task(task_id: str | None) -> tuple[str, list[str]]:
    return ("", []) if task_id is None else ("and task_id = ?", [task_id])


def as_told(asked: Asked) -> dict[str, object]:
    """What the event says of a question."""
    turn = asked.whose_turn
    return {
        "id": asked.id,
        **asked.question.model_dump(mode="json", exclude_none=True),
        "to": turn.value if turn else None,
        "due_at": iso(asked.due_at) if asked.due_at else None,
    }


def already_closed(asked: Asked) -> AlreadyAnswered:
    if asked.answer is None:
        return AlreadyAnswered(f"The question is {asked.state}; it takes no answer any more.", state=asked.state.value)
    said = asked.answer.words or asked.answer.action.value
    detail = f"The question was answered already, by {asked.answer.by}: {said}"
    return AlreadyAnswered(detail, state=asked.state.value, answer=asked.answer.model_dump(mode="json"))


def asked_of(row: Row) -> Asked:
    return Asked(
        id=row[0],
        task_id=row[1],
        skill=row[2],
        caller=row[3],
        key=row[4],
        question=Question.model_validate_json(row[5]),
        turns=TURNS.validate_json(row[6]),
        deadline=row[7],
        turn=row[8],
        asked_at=row[9],
        due_at=row[10],
        state=QuestionState(row[11]),
        answer=Answer.model_validate_json(row[12]) if row[12] else None,
        answered_at=row[13],
    )
