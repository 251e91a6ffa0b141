"""What a run's brief holds beside what was kept with its task: it is filled in when the run starts."""

from collections.abc import Awaitable, Callable

from agents.src.conversations import LAST, ConversationStore, window
from agents.src.memory import Recall
from agents.src.tasks.brief import Brief
from agents.src.tasks.event import Draft, EventType
from agents.src.tasks.task import Task


async def recalled(brief: Brief, memory: Recall | None, tell: Callable[[Draft], Awaitable[None]]) -> Brief:
    """With what the skill knows now, which is more than when the task was accepted."""
    if memory is None:
        return brief
    recollection = await memory.recall(brief.skill, brief.prompt)
    if recollection.warning:
        await tell(Draft(EventType.WARNING, {"code": "memory_unavailable", "message": recollection.warning}))
    if not recollection.entries:
        return brief
    given = [{"id": entry.id, "text": entry.text} for entry in recollection.entries]
    await tell(Draft(EventType.RECALLED, {"entries": given}))
    return brief.model_copy(update={"memory": recollection.entries})


async def reminded(brief: Brief, task: Task, conversations: ConversationStore | None) -> Brief:
    """With what was said before in the task's conversation. Raises Unavailable."""
    if conversations is None or task.conversation is None:
        return brief
    return brief.model_copy(update={"conversation": window(await conversations.before(task.id, LAST))})
