"""Hands events of this process to those who follow a task in it, and says when another process changed one."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from agents.src.tasks.event import TERMINAL, Event
from agents.src.tasks.task import Task

WAITING = 256
"""Batches of events that a slow follower may have waiting before it is sent to the log instead."""

Listener = Callable[[Sequence[Event]], None]
"""Called with new events of one task; with none where another process changed something."""
EndingListener = Callable[[Task], None]
"""Called with a task that has ended in this process, before the listeners of its events."""


class Following:
    """A place at which the events of one task arrive."""

    def __init__(self, hub: "Hub", task_id: str) -> None:
        self._hub = hub
        self._task_id = task_id
        self._waiting: list[Sequence[Event]] = []
        self._arrived = asyncio.Event()
        self.task: Task | None = None
        """The task as it ended, once it did so in this process."""

    @property
    def closed(self) -> bool:
        """Whether nothing more will arrive."""
        return self._hub.closed

    def __enter__(self) -> "Following":
        self._hub.followers[self._task_id].add(self)
        if self.closed:
            self.put(())  # word of that went out before
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.forget(self._task_id, self)

    def put(self, events: Sequence[Event], task: Task | None = None) -> None:
        if len(self._waiting) < WAITING:
            self._waiting.append(events)
        else:
            self._waiting = [()]
        self.task = task or self.task
        self._arrived.set()

    async def get(self, timeout: float | None = None) -> list[Sequence[Event]]:
        """What has arrived: batches of events in order; an empty batch, or none at all after `timeout`, means look in the log."""
        # A timer that sets the event is a tenth of asyncio.timeout's cost, on the path of every request that waits.
        timer = None if timeout is None else asyncio.get_running_loop().call_later(timeout, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            if timer:
                timer.cancel()
        self._arrived.clear()
        arrived, self._waiting = self._waiting, []
        return arrived


class Hub:
    """Where the store publishes after each commit. Belongs to one event loop."""

    def __init__(self) -> None:
        self.followers: defaultdict[str, set[Following]] = defaultdict(set)
        self.listeners: list[Listener] = []
        self.ending_listeners: list[EndingListener] = []
        self.closed = False

    def follow(self, task_id: str) -> Following:
        return Following(self, task_id)

    def forget(self, task_id: str, following: Following) -> None:
        self.followers[task_id].discard(following)
        if not self.followers[task_id]:
            del self.followers[task_id]

    def publish(self, events: Sequence[Event], task: Task | None = None) -> None:
        """New events of one task, in order, and the task itself where it has ended."""
        task_id = events[0].task_id
        for following in self.followers.get(task_id, ()):
            following.put(events, task)
        if task is not None:
            for hear in self.ending_listeners:
                hear(task)
        for listener in self.listeners:
            listener(events)

    def signal(self, task_id: str | None) -> None:
        """Another process changed this task, or any."""
        for following_id in [task_id] if task_id is not None else list(self.followers):
            for following in self.followers.get(following_id, ()):
                following.put(())
        for listener in self.listeners:
            listener(())

    def close(self) -> None:
        """Ends every tail, so that open streams do not keep a server from stopping."""
        self.closed = True
        self.signal(None)


def ends(events: Sequence[Event]) -> bool:
    return bool(events) and events[-1].type in TERMINAL
