"""The runner that runs just the tasks it is given."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agents.src.bootstrap import Parts
from agents.src.errors import EngineFailed
from agents.src.tasks import Claim, EventType, OnCrash, Retries, Solo, Status
from tests.building import (
    NOON,
    PATIENCE,
    Nowhere,
    Sleeping,
    SteppedClock,
    a_skill,
    ended,
    eventually,
    failing,
    immediately,
    noop,
    parts,
    running,
    submit,
)


class LateClock(SteppedClock):
    """Wakes sleepers a little before their time, as two clocks that drift apart do."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds - 0.001 if seconds > 0.01 else seconds


def tell(story: Callable[[], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(2 * PATIENCE):
            await story()

    asyncio.run(live())


def solo_of(here: Parts) -> Solo:
    assert here.solo
    return here.solo


def test_a_task_that_is_submitted_here_is_run_here(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, alone=True)) as here:
            done = await ended(here, await submit(here))
            assert (done.status, done.attempt) == (Status.COMPLETED, 1)

    tell(story)


def test_other_tasks_of_the_queue_are_left_alone(state_dir: Path) -> None:
    async def story() -> None:
        other = parts(state_dir, runner=Nowhere())
        theirs = await submit(other, priority=9)
        async with running(parts(state_dir, alone=True)) as here:
            await ended(here, await submit(here))
            assert (await here.store.get(theirs.id)).status is Status.QUEUED
            ran = await solo_of(here).run(theirs.id)
            assert ran and ran.status is Status.COMPLETED
            assert await solo_of(here).run(theirs.id) is None  # it has ended
            assert await solo_of(here).run("nobody") is None
        await other.close()

    tell(story)


def test_all_attempts_are_made(state_dir: Path) -> None:
    async def story() -> None:
        works = {"noop": failing(EngineFailed("Not yet."), times=2)}
        async with running(parts(state_dir, works=works, skills=[a_skill(retries=immediately(2))], alone=True)) as here:
            done = await ended(here, await submit(here))
            assert (done.status, done.attempt) == (Status.COMPLETED, 3)

    tell(story)


def test_a_sleeper_that_wakes_early_does_not_leave_the_task_behind(state_dir: Path) -> None:
    async def story() -> None:
        clock = LateClock()
        skills = [a_skill(retries=Retries(max_retries=1, initial_delay=9.0))]
        here = parts(state_dir, works={"noop": failing(times=1)}, skills=skills, clock=clock, alone=True)
        done = await ended(here, await submit(here))
        assert (done.status, done.attempt) == (Status.COMPLETED, 2)
        assert clock.slept[0] == 9.0
        assert clock.time >= NOON + 9
        await here.close()

    tell(story)


def test_cancelling(state_dir: Path) -> None:
    async def story() -> None:
        sleeping = Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, alone=True)) as here:
            task = await submit(here)
            await eventually(lambda: len(sleeping.now) == 1)
            await here.store.request_cancel(task.id)
            assert (await ended(here, task)).status is Status.CANCELLED
            assert not sleeping.now

    tell(story)


def test_a_container_that_is_told_to_stop_gives_its_task_back(state_dir: Path) -> None:
    async def story() -> None:
        sleeping, other = Sleeping(), parts(state_dir, runner=Nowhere())
        task = await submit(other)
        async with running(parts(state_dir, works={"noop": sleeping}, alone=True, name="call-1")) as here:
            work = asyncio.create_task(solo_of(here).run(task.id))
            await eventually(lambda: len(sleeping.now) == 1)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert (await here.store.get(task.id)).status is Status.QUEUED
            assert not sleeping.now
        await other.close()

    tell(story)


@pytest.mark.parametrize(("on_crash", "status"), [(OnCrash.REQUEUE, Status.COMPLETED), (OnCrash.INTERRUPT, Status.FAILED)])
def test_a_call_that_is_started_again_settles_what_it_left_behind(state_dir: Path, on_crash: OnCrash, status: Status) -> None:
    async def story() -> None:
        other = parts(state_dir, skills=[a_skill(on_crash=on_crash)], runner=Nowhere())
        task, foreign = await submit(other), await submit(other)
        assert await other.store.claim_one(task.id, Claim("call-1", 4e9))  # and then it died
        assert await other.store.claim_one(foreign.id, Claim("call-2", 4e9))
        async with running(parts(state_dir, works={"noop": noop}, alone=True, name="call-1")) as here:
            ran = await solo_of(here).run(task.id)
            assert (ran.status if ran else (await here.store.get(task.id)).status) is status
            kinds = [event.type for event in await here.store.events(task.id, 0, 100)]
            assert kinds[2] is (EventType.REQUEUED if status is Status.COMPLETED else EventType.FAILED)
            assert await solo_of(here).run(foreign.id) is None
            assert (await here.store.get(foreign.id)).status is Status.RUNNING
        await other.close()

    tell(story)
