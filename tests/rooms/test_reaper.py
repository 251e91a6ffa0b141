"""The reaper, with calls that a test ends: what is settled, what is started again, what is left alone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agents.src.errors import Unavailable
from agents.src.services.database import Db
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import Claim, Hub, OnCrash, Reaper, Run, Status, Task, worker_of
from tests.building import NOON, SteppedClock, a_brief, a_task
from tests.conftest import OpenDb

LEASE_END = NOON + 20


@dataclass
class Elsewhere:
    """Runs nothing: a runner and its calls, numbered from 1, that are over when a test says so."""

    store: SqlTaskStore
    started: list[str] = field(default_factory=list)
    over: set[str] = field(default_factory=set)
    ended: list[str] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)

    def reserve(self, skill: str) -> Claim | None:
        return None

    def release(self, skill: str) -> None: ...

    def begin(self, run: Run) -> None: ...

    async def start(self, task: Task) -> None:
        self.started.append(task.id)
        await self.store.note_call(task.id, f"fc-{len(self.started)}")

    async def is_over(self, call_id: str) -> bool:
        if call_id in self.unreachable:
            raise Unavailable("Nobody answers.")
        return call_id in self.over

    async def end(self, call_id: str) -> None:
        self.ended.append(call_id)
        self.over.add(call_id)


@dataclass
class House:
    clock: SteppedClock
    store: SqlTaskStore
    elsewhere: Elsewhere
    reaper: Reaper

    @classmethod
    def on(cls, db: Db) -> "House":
        clock = SteppedClock()
        store = SqlTaskStore(db, Hub(), clock)
        elsewhere = Elsewhere(store)
        return cls(clock, store, elsewhere, Reaper(store, elsewhere, elsewhere, clock))

    async def spawned(self, on_crash: OnCrash = OnCrash.REQUEUE) -> Task:
        """A task whose call was made."""
        task = (await self.store.add(a_task(), a_brief(on_crash=on_crash))).task
        await self.elsewhere.start(task)
        return task

    async def running(self, call_id: str, on_crash: OnCrash = OnCrash.REQUEUE) -> Task:
        """A task that the call's container runs, with a lease until `LEASE_END`."""
        task = await self.spawned(on_crash)
        assert await self.store.claim_one(task.id, Claim(worker_of(call_id), LEASE_END))
        return task

    async def status(self, task: Task) -> Status:
        return (await self.store.get(task.id)).status


def story(open_sqlite: OpenDb, tell: Callable[[House], Awaitable[None]]) -> None:
    async def run() -> None:
        await tell(House.on(open_sqlite()))

    asyncio.run(run())


def test_what_runs_and_what_waits_for_its_container_is_left_alone(open_sqlite: OpenDb) -> None:
    async def tell(house: House) -> None:
        await house.running("fc-1")
        await house.spawned()
        house.clock.time = LEASE_END - 1
        assert await house.reaper.reap() == []
        assert (len(house.elsewhere.started), house.elsewhere.ended) == (2, [])

    story(open_sqlite, tell)


def test_a_task_whose_call_is_over_goes_back_and_is_started_again_at_once(open_sqlite: OpenDb) -> None:
    async def tell(house: House) -> None:
        task = await house.running("fc-1")
        house.elsewhere.over.add("fc-1")
        [settled] = await house.reaper.reap()
        assert (settled.id, settled.status) == (task.id, Status.QUEUED)
        assert house.elsewhere.started == [task.id, task.id]
        assert house.elsewhere.ended == []

    story(open_sqlite, tell)


def test_a_container_that_let_its_lease_expire_is_ended_before_the_task_runs_again(open_sqlite: OpenDb) -> None:
    async def tell(house: House) -> None:
        task = await house.running("fc-1")
        house.clock.time = LEASE_END + 1
        await house.reaper.reap()
        assert house.elsewhere.ended == ["fc-1"]
        assert house.elsewhere.started == [task.id, task.id]

    story(open_sqlite, tell)


def test_a_task_that_must_not_run_twice_fails(open_sqlite: OpenDb) -> None:
    async def tell(house: House) -> None:
        task = await house.running("fc-1", OnCrash.INTERRUPT)
        house.elsewhere.over.add("fc-1")
        await house.reaper.reap()
        assert await house.status(task) is Status.FAILED
        assert house.elsewhere.started == [task.id]

    story(open_sqlite, tell)


def test_a_queued_task_is_started_again_if_its_call_is_over_or_was_never_made(open_sqlite: OpenDb) -> None:
    async def tell(house: House) -> None:
        stranded = await house.spawned()
        never = (await house.store.add(a_task(), a_brief())).task
        house.elsewhere.over.add("fc-1")
        assert await house.reaper.reap() == []
        house.clock.time += 21
        await house.reaper.reap()
        assert sorted(house.elsewhere.started[1:]) == [stranded.id, never.id]

    story(open_sqlite, tell)


def test_one_call_that_cannot_be_asked_about_keeps_no_other_from_being_settled(open_sqlite: OpenDb) -> None:
    async def tell(house: House) -> None:
        doubtful, dead = await house.running("fc-1"), await house.running("fc-2")
        house.elsewhere.unreachable.add("fc-1")
        house.elsewhere.over.add("fc-2")
        await house.reaper.reap()
        assert await house.status(doubtful) is Status.RUNNING
        assert await house.status(dead) is Status.QUEUED

    story(open_sqlite, tell)


def test_workers_that_are_no_calls_are_judged_by_their_lease_alone(open_sqlite: OpenDb) -> None:
    async def tell(house: House) -> None:
        task = (await house.store.add(a_task(), a_brief(), claim=Claim("laptop:1:2", LEASE_END))).task
        assert await house.reaper.reap() == []
        house.clock.time = LEASE_END + 1
        await house.reaper.reap()
        assert (house.elsewhere.ended, await house.status(task)) == ([], Status.QUEUED)

    story(open_sqlite, tell)
