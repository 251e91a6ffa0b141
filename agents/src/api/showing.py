"""Tasks as they are shown, with what their callbacks have been told."""

from collections.abc import Sequence

from agents.src.api.views import TaskView
from agents.src.tasks import Notice, OutboxStore, Task


async def shown(outbox: OutboxStore, task: Task) -> TaskView:
    return TaskView.of(task, await last_notice(outbox, task))


async def last_notice(outbox: OutboxStore, task: Task) -> Notice | None:
    """That its callback is to have."""
    return (await outbox.latest([task.id])).get(task.id) if task.callback else None


async def all_shown(outbox: OutboxStore, tasks: Sequence[Task]) -> list[TaskView]:
    """The outbox is asked only where there are callbacks."""
    named = [task.id for task in tasks if task.callback]
    notices = await outbox.latest(named) if named else {}
    return [TaskView.of(task, notices.get(task.id)) for task in tasks]
