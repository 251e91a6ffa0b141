"""What a caller has not seen yet, in SQL. Implements `InboxStore` on any `Db`."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from agents.src.conversations import first_paragraph
from agents.src.services import question_sql, task_sql
from agents.src.services.database import Db, Row, Tx
from agents.src.services.question_store import asked_of
from agents.src.services.task_rows import task_of
from agents.src.tasks import Entry, EntryKind, Inbox, Status, summary_of

UNSEEN = "inbox in ('pending', 'delivered')"  # as in the indexes
ENDED = f"select finished_at, id from task where caller = ? and {UNSEEN} order by finished_at, id limit ?"
ASKED = f"select asked_at, id from question where caller = ? and state = 'pending' and {UNSEEN} order by asked_at, id limit ?"
TASKS = f"select {task_sql.COLUMNS} from task where id in ({{ids}}) and {UNSEEN}"
QUESTIONS = f"""
    select {question_sql.COLUMNS}, (select status from task where task.id = question.task_id)
    from question where id in ({{ids}}) and state = 'pending' and {UNSEEN}
"""
QUESTION_INBOX = len(question_sql.COLUMNS.split(",")) - 1
DELIVER = "update {table} set inbox = 'delivered' where id in ({ids}) and inbox = 'pending'"
SEE = f"update {{table}} set inbox = 'seen' where caller = ? and id in ({{ids}}) and {UNSEEN} returning id"
TABLES = ("task", "question")
Found = tuple[Entry, bool]
"""An entry, and whether nobody was told of it before."""


class SqlInboxStore:
    def __init__(self, db: Db) -> None:
        self._db = db

    async def take(self, caller: str, limit: int, told: Collection[str] = ()) -> tuple[Entry, ...]:
        found = await self._db.read(partial(unseen, caller=caller, limit=limit, told=told))
        if new := [entry.id for entry, is_new in found if is_new]:
            await self._db.write(partial(in_both, sql=DELIVER, before=(), ids=new))
        return tuple(entry for entry, _ in found)

    async def peek(self, caller: str, limit: int) -> tuple[Entry, ...]:
        found = await self._db.read(partial(unseen, caller=caller, limit=limit, told=()))
        return tuple(entry for entry, _ in found)

    async def seen(self, caller: str, ids: Collection[str]) -> int:
        return await self._db.write(partial(in_both, sql=SEE, before=(caller,), ids=ids)) if ids else 0


def unseen(tx: Tx, caller: str, limit: int, told: Collection[str]) -> list[Found]:
    """First only the ids, from the indexes: who is told for hours has a long list of what they were told."""
    most = limit + len(told)
    waiting = sorted(tx.run(ENDED, caller, most) + tx.run(ASKED, caller, most))
    chosen = [entry_id for _, entry_id in waiting if entry_id not in told][:limit]
    found = read(tx, TASKS, chosen, ended_entry) + read(tx, QUESTIONS, chosen, question_entry)
    return sorted(found, key=lambda each: (each[0].at, each[0].id))


def read(tx: Tx, select: str, ids: Sequence[str], entry: Callable[[Row], Found]) -> list[Found]:
    return [entry(row) for row in tx.run(select.format(ids=marks(ids)), *ids)] if ids else []


def in_both(tx: Tx, sql: str, before: tuple[str, ...], ids: Collection[str]) -> int:
    """Ids of tasks and of questions are never the same. How many were changed, if the statement gives them."""
    return sum(len(tx.run(sql.format(table=table, ids=marks(ids)), *before, *ids)) for table in TABLES)


def marks(ids: Collection[str]) -> str:
    return ", ".join("?" * len(ids))


def ended_entry(row: Row) -> Found:
    task = task_of(row)
    entry = Entry(EntryKind.ENDED, task.id, task.id, task.skill, task.status, summary_of(task), task.finished_at or 0.0)
    return entry, task.inbox is Inbox.PENDING


def question_entry(row: Row) -> Found:
    asked, status = asked_of(row), Status(row[QUESTION_INBOX + 1])
    summary = first_paragraph(asked.question.text)
    entry = Entry(EntryKind.QUESTION, asked.id, asked.task_id, asked.skill, status, summary, asked.asked_at, asked)
    return entry, row[QUESTION_INBOX] == Inbox.PENDING
