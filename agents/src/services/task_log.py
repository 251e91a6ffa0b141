"""Each change of a task is kept together with the event that tells of it."""

from collections.abc import Callable

from agents.src.services.announcers import add_notice
from agents.src.services.conversation_log import tell_ending
from agents.src.services.database import Row, Tx
from agents.src.services.task_rows import event_row, task_of
from agents.src.services.task_sql import ADD_EVENT, WIDTH
from agents.src.services.transcript_store import forget
from agents.src.tasks import Draft, Event, EventType, Task

Announcer = Callable[[Tx, Task, Event], None]


def forget_transcript(tx: Tx, task: Task, _: Event) -> None:
    forget(tx, task.id)


# For a task that completes, `settled` sees to its transcript: it knows whether there can be one, and most tasks have none.
ANNOUNCERS: dict[EventType, tuple[Announcer, ...]] = {
    EventType.COMPLETED: (tell_ending, add_notice),
    EventType.FAILED: (tell_ending, add_notice, forget_transcript),
    EventType.CANCELLED: (tell_ending, add_notice, forget_transcript),
    EventType.QUESTION_PASSED_ON: (add_notice,),
}
"""What else is kept in the same transaction, so that whoever is to be told of it will be."""
Change = tuple[Task, tuple[Event, ...]]


def recorded(tx: Tx, row: Row, draft: Draft, now: float) -> Change:
    """Keeps the event that tells of a change; `row` is the changed task and the event's number."""
    event = Event(row[0], row[WIDTH], draft.type, now, draft.data)
    tx.run(ADD_EVENT, *event_row(event))
    tx.notify(event.task_id)
    task = task_of(row)
    for announce in ANNOUNCERS.get(event.type, ()):
        announce(tx, task, event)
    return task, (event,)
