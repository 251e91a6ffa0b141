"""Following a task: its events as they come, or its end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from agents.src.tasks.event import Event
from agents.src.tasks.hub import Following, Hub, ends
from agents.src.tasks.store import TaskStore
from agents.src.tasks.task import Task

PAGE = 500
IDLE = 15.0
"""Seconds of silence after which the log is read all the same, and a reader is told that all is well."""


async def tail(store: TaskStore, hub: Hub, task_id: str, after: int = 0) -> AsyncGenerator[Sequence[Event], None]:
    """The task's events numbered above `after`, in batches, without loss or doubles, until its end.

    An empty batch comes after `IDLE` seconds without events. Stops short of the end when the hub is closed. Raises UnknownTask.
    """
    with hub.follow(task_id) as following:
        over = (await store.get(task_id)).status.ended
        arrived: list[Sequence[Event]] = [()]
        while not hub.closed:
            for events in arrived:
                async for batch in continuing(store, task_id, after, events):
                    after = batch[-1].seq
                    yield batch
                    if ends(batch):
                        return
                over = over or ends(events)  # a number beyond the end was asked for
            if over:
                return
            arrived = await following.get(IDLE)
            if not arrived:
                yield ()
                over = (await store.get(task_id)).status.ended
                arrived = [()]


async def continuing(store: TaskStore, task_id: str, after: int, events: Sequence[Event]) -> AsyncIterator[Sequence[Event]]:
    """What comes after number `after`: the given events if they join on, else those in the log."""
    if events and events[-1].seq <= after:
        return
    if events and events[0].seq == after + 1:
        yield events
        return
    while batch := await store.events(task_id, after, PAGE):
        yield batch
        after = batch[-1].seq


async def ended_within(store: TaskStore, following: Following, task_id: str, seconds: float) -> Task:
    """The task once it has ended, or as it stands after so many seconds, or when the hub closes. Raises UnknownTask."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while following.task is None:
        remaining = deadline - loop.time()
        arrived = await following.get(min(max(remaining, 0), IDLE))
        in_doubt = not arrived or not all(arrived)  # silence, or word of another process
        if following.task is None and (in_doubt or remaining <= 0):
            task = await store.get(task_id)
            if task.status.ended or remaining <= 0 or following.closed:
                return task
    return following.task


async def until_ended(store: TaskStore, hub: Hub, task_id: str, seconds: float) -> Task:
    """As `ended_within`, for a task that may have ended already."""
    with hub.follow(task_id) as following:
        task = await store.get(task_id)
        return task if task.status.ended else await ended_within(store, following, task_id, seconds)
