"""What a runner that works elsewhere needs of the task store: which call is to run a task, and which tasks wait in vain."""

import asyncio

from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import Claim, Hub, Task, Waiting
from tests.building import NOON, SteppedClock, a_brief, a_task
from tests.conftest import OpenDb


def test_queued_tasks_wait_with_their_latest_call(open_db: OpenDb) -> None:
    async def story() -> None:
        store = SqlTaskStore(open_db(), Hub(), SteppedClock())
        old, older = [await added(store, created_at=NOON - seconds) for seconds in (60, 90)]
        urgent = await added(store, created_at=NOON - 30, priority=1)
        await added(store, created_at=NOON - 5)
        await store.note_call(old.id, "fc-1")
        await store.note_call(old.id, "fc-2")
        assert await store.waiting(NOON - 20) == (Waiting(urgent.id, None), Waiting(older.id, None), Waiting(old.id, "fc-2"))

    asyncio.run(story())


def test_a_task_that_runs_or_has_ended_waits_for_nobody(open_db: OpenDb) -> None:
    async def story() -> None:
        store = SqlTaskStore(open_db(), Hub(), SteppedClock())
        running, ended = [await added(store, created_at=NOON - 60) for _ in range(2)]
        assert await store.claim_one(running.id, Claim("modal:fc-1", NOON + 20))
        await store.request_cancel(ended.id)
        assert await store.waiting(NOON) == ()

    asyncio.run(story())


def test_a_call_leaves_no_event(open_db: OpenDb) -> None:
    async def story() -> None:
        store = SqlTaskStore(open_db(), Hub(), SteppedClock())
        task = await added(store)
        await store.note_call(task.id, "fc-1")
        assert [event.seq for event in await store.events(task.id, 0, 10)] == [1]

    asyncio.run(story())


async def added(store: SqlTaskStore, created_at: float = NOON, priority: int = 0) -> Task:
    return (await store.add(a_task(created_at=created_at, priority=priority), a_brief())).task
