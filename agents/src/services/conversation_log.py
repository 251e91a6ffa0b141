"""What a task says in its conversation, kept in the transactions in which it is accepted and in which it ends."""

from agents.src.conversations import Role, ending_of, folded, inbox_of, shortened
from agents.src.services import conversation_sql as sql
from agents.src.services.database import Row, Tx
from agents.src.tasks import Event, Task, summary_of_result


def add_prompt(tx: Tx, task: Task) -> None:
    """Where the task belongs to a conversation, which is made if need be. Its id can be the task's: no task makes two."""
    if task.conversation is not None:
        now = task.created_at
        [numbered] = tx.run(sql.NEXT, task.id, task.caller, task.conversation, now, now)
        add_message(tx, numbered, Role.USER, task.caller, task.prompt, task.id, now)


def tell_ending(tx: Tx, task: Task, event: Event) -> None:
    """In the task's conversation, or in its caller's own where it belongs to none and they want to be told.

    A conversation that was deleted meanwhile is not made again.
    """
    if task.conversation is not None:
        numbered = tx.run(sql.NEXT_OF_TASK, event.at, task.id)
    elif task.inbox is not None:
        numbered = tx.run(sql.NEXT, task.id, task.caller, inbox_of(task.caller), event.at, event.at)
    else:
        return
    if numbered:
        why = (task.error.detail or task.error.title) if task.error else ""
        told = ending_of(task.caller, task.id, task.status.value, why, summary_of_result(task.result))
        add_message(tx, numbered[0], Role.ASSISTANT, task.skill, told, task.id, event.at)


def add_message(tx: Tx, numbered: Row, role: Role, author: str, text: str, task_id: str | None, at: float) -> None:
    """`numbered`: the conversation's id, and the message's number."""
    kept = shortened(text)
    tx.run(sql.ADD, *numbered, role.value, author, kept, folded(kept), task_id, at)
