"""What is kept together with an event, so that whoever is to be told of it will be."""

from agents.src.services import outbox_sql
from agents.src.services.database import Tx
from agents.src.tasks import Event, Notice, Task, notice_of


def add_notice(tx: Tx, task: Task, event: Event) -> None:
    """For the task's callback, if it has one."""
    if task.callback is None:
        return
    notice = notice_of(event)
    if notice is not None:
        tx.run(outbox_sql.ADD, *notice_row(notice), task.id)


def notice_row(notice: Notice) -> tuple[object, ...]:
    return (
        *(notice.id, notice.task_id, notice.seq, notice.kind.value, notice.question_id, notice.at),
        *(notice.state.value, notice.attempts, notice.due_at, notice.last_status),
    )
