"""The worker: what it takes from the queue, and when it lets go of it. Where the clock stands still, no heartbeat helps out."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from agents.src.bootstrap import Parts
from agents.src.errors import EngineFailed, Unavailable
from agents.src.services.files import FolderFiles
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import Claim, Draft, Ending, EventType, Execution, Hub, Retries, Run, Status, Underway, Wishes
from agents.src.tasks.underway import HEARTBEAT, LEASE
from tests.building import (
    PATIENCE,
    InProcess,
    Nowhere,
    Sleeping,
    SteppedClock,
    Work,
    a_brief,
    a_skill,
    a_task,
    ended,
    eventually,
    failing,
    immediately,
    noop,
    parts,
    running,
    submit,
    talking,
    toolbox,
)


def tell(story: Callable[[], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await story()

    asyncio.run(live())


async def status(parts: Parts, task_id: str) -> Status:
    return (await parts.store.get(task_id)).status


async def kinds(parts: Parts, task_id: str) -> list[EventType]:
    return [event.type for event in await parts.store.events(task_id, 0, 1000)]


# What it takes, and in which order


def test_a_task_is_run_and_its_log_is_whole(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, works={"talking": talking("a", "b")})) as here:
            done = await ended(here, await submit(here, "talking"))
            assert (done.status, done.attempt) == (Status.COMPLETED, 1)
            assert done.result and done.result.text == "a b"
            said = [EventType.TEXT, EventType.TEXT, EventType.COMPLETED]
            assert await kinds(here, done.id) == [EventType.SUBMITTED, EventType.STARTED, *said]

    tell(story)


def test_never_more_at_once_than_the_cap(state_dir: Path) -> None:
    async def story() -> None:
        sleeping = Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, clock=SteppedClock(), max_concurrent_tasks=3)) as here:
            tasks = await asyncio.gather(*(submit(here, prompt=str(number)) for number in range(12)))
            await eventually(lambda: len(sleeping.now) == 3)
            sleeping.wake()
            done = [await ended(here, task) for task in tasks]
            assert {task.status for task in done} == {Status.COMPLETED}
            assert sleeping.most == 3

    tell(story)


def test_the_queue_goes_by_priority_then_age_and_nobody_jumps_it(state_dir: Path) -> None:
    async def story() -> None:
        sleeping = Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, max_concurrent_tasks=1)) as here:
            first = await submit(here, prompt="first")
            await eventually(lambda: sleeping.started == ["first"])
            queued = [
                await submit(here, prompt="low", priority=-5),
                await submit(here, prompt="old"),
                await submit(here, prompt="new"),
                await submit(here, prompt="high", priority=5),
            ]
            assert {await status(here, task.id) for task in queued} == {Status.QUEUED}
            sleeping.wake()
            for task in [first, *queued]:
                await ended(here, task)
            assert sleeping.started == ["first", "high", "old", "new", "low"]

    tell(story)


def test_no_more_of_a_skill_at_once_than_it_may_have(state_dir: Path) -> None:
    async def story() -> None:
        clock, narrow, wide = SteppedClock(), Sleeping(), Sleeping()
        skills = [a_skill("narrow", max_containers=2), a_skill("wide"), a_skill("single", max_containers=1)]
        works: dict[str, Work] = {"narrow": narrow, "wide": wide, "single": noop}
        before = parts(state_dir, works=works, skills=skills, clock=clock, runner=Nowhere())
        tasks = [await submit(before, "narrow", priority=9) for _ in range(6)] + [await submit(before, "wide") for _ in range(3)]
        await before.close()
        async with running(parts(state_dir, works=works, skills=skills, clock=clock, max_concurrent_tasks=5)) as here:
            tasks += [await submit(here, "narrow"), await submit(here, "single")]
            await eventually(lambda: (len(narrow.now), len(wide.now)) == (2, 3))
            wide.wake()
            narrow.wake()
            for task in tasks:
                assert (await ended(here, task)).status is Status.COMPLETED
            assert (narrow.most, wide.most) == (2, 3)

    tell(story)


def test_what_waits_for_a_place_of_its_skill_starts_when_there_is_one(state_dir: Path) -> None:
    async def story() -> None:
        sleeping = Sleeping()
        async with running(
            parts(state_dir, works={"noop": sleeping}, skills=[a_skill(max_containers=1)], clock=SteppedClock())
        ) as here:
            tasks = [await submit(here, prompt=str(number)) for number in range(3)]
            await eventually(lambda: len(sleeping.started) == 1)
            await asyncio.sleep(0.05)  # the queue has been looked through in vain
            sleeping.wake()
            for task in tasks:
                assert (await ended(here, task)).status is Status.COMPLETED
            assert sleeping.most == 1

    tell(story)


def test_no_poll_lies_between_one_task_and_the_next(state_dir: Path) -> None:
    async def story() -> None:
        async with running(parts(state_dir, clock=SteppedClock(), max_concurrent_tasks=1)) as here:
            loop = asyncio.get_running_loop()
            began = loop.time()
            tasks = await asyncio.gather(*(submit(here) for _ in range(60)))
            for task in tasks:
                await ended(here, task)
            assert loop.time() - began < 60 * 0.1  # the shortest interval at which anything looks is 0.1 s

    tell(story)


def test_what_was_queued_before_the_start_and_by_another_process_is_run(state_dir: Path) -> None:
    async def story() -> None:
        other = parts(state_dir, runner=Nowhere())
        early = await submit(other)
        async with running(parts(state_dir)) as here:
            await ended(here, early)
            late = await submit(other)
            assert (await ended(here, late)).status is Status.COMPLETED
        await other.close()

    tell(story)


# Retries


def test_a_failure_that_passes_is_tried_again_after_its_delay(state_dir: Path) -> None:
    async def story() -> None:
        retries = Retries(max_retries=2, initial_delay=0.05, backoff_coefficient=2.0)
        works = {"noop": failing(EngineFailed("Not yet."), times=2)}
        async with running(parts(state_dir, works=works, skills=[a_skill(retries=retries)])) as here:
            done = await ended(here, await submit(here))
            assert (done.status, done.attempt) == (Status.COMPLETED, 3)
            log = await here.store.events(done.id, 0, 100)
            requeued = [event for event in log if event.type is EventType.REQUEUED]
            started = [event for event in log if event.type is EventType.STARTED]
            assert [event.data["delay"] for event in requeued] == [0.05, 0.1]
            assert [event.data["attempt"] for event in started] == [1, 2, 3]
            waits = [after.at - before.at for before, after in zip(requeued, started[1:], strict=True)]
            assert waits[0] >= 0.05 and waits[1] >= 0.1

    tell(story)


def test_a_failure_that_stays_fails_the_task(state_dir: Path) -> None:
    async def story() -> None:
        skills = [a_skill(retries=immediately(2))]
        async with running(parts(state_dir, works={"noop": failing()}, skills=skills)) as here:
            done = await ended(here, await submit(here))
            assert (done.status, done.attempt) == (Status.FAILED, 3)
            assert (await ended(here, await submit(here))).status is Status.FAILED  # the worker goes on

    tell(story)


# Cancelling


def test_cancelling_what_waits_and_what_runs(state_dir: Path) -> None:
    async def story() -> None:
        sleeping = Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, max_concurrent_tasks=1)) as here:
            runs, waits = await submit(here, prompt="runs"), await submit(here, prompt="waits")
            await eventually(lambda: sleeping.started == ["runs"])
            for task in (waits, runs):
                await here.store.request_cancel(task.id)
                assert (await ended(here, task)).status is Status.CANCELLED
            assert sleeping.started == sleeping.ended == ["runs"]
            assert (await kinds(here, runs.id))[-2:] == [EventType.CANCEL_REQUESTED, EventType.CANCELLED]

    tell(story)


def test_cancelling_from_another_process(state_dir: Path) -> None:
    async def story() -> None:
        sleeping, other = Sleeping(), parts(state_dir, runner=Nowhere())
        async with running(parts(state_dir, works={"noop": sleeping})) as here:
            task = await submit(here)
            await eventually(lambda: len(sleeping.now) == 1)
            await other.store.request_cancel(task.id)
            async with asyncio.timeout(2):  # what the whole of a cancellation may take
                assert (await ended(here, task)).status is Status.CANCELLED
        await other.close()

    tell(story)


def test_cancelling_at_any_moment_of_the_claim(state_dir: Path) -> None:
    async def story() -> None:
        sleeping = Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, max_concurrent_tasks=2)) as here:
            for steps in range(25):
                task = await submit(here, prompt=str(steps), priority=steps % 2)
                blocking = await submit(here), await submit(here)
                await asyncio.sleep(steps / 5000)
                for each in (task, *blocking):
                    await here.store.request_cancel(each.id)
                for each in (task, *blocking):
                    assert (await ended(here, each)).status is Status.CANCELLED
            assert not sleeping.now

    tell(story)


def test_a_cancellation_between_the_claim_and_the_run_is_heard(state_dir: Path) -> None:
    """Claim and cancellation are committed together: when the worker learns of its run, the cancellation has been told."""

    async def story() -> None:
        clock, sleeping = SteppedClock(), Sleeping()  # no heartbeat will tell
        other = parts(state_dir, runner=Nowhere(), clock=clock)
        here = parts(state_dir, works={"noop": sleeping}, clock=clock)
        assert here.worker
        worker = here.worker
        await worker.open()
        await eventually(lambda: worker.reserve("noop") is not None)  # it has looked through the queue
        worker.release("noop")
        task = await submit(other)
        gate = threading.Event()
        held = asyncio.create_task(here.db.write(lambda tx: gate.wait(PATIENCE)))
        await asyncio.sleep(0)
        await worker.start(task)
        for _ in range(20):
            await asyncio.sleep(0)  # until it has asked for the task
        cancelling = asyncio.create_task(here.store.request_cancel(task.id))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(held, cancelling)
        assert (await ended(here, task)).status is Status.CANCELLED
        assert (await kinds(here, task.id))[1:3] == [EventType.STARTED, EventType.CANCEL_REQUESTED]
        await here.close()
        await other.close()

    tell(story)


# Letting go


def test_a_shutdown_gives_tasks_back_and_the_next_process_runs_them(state_dir: Path) -> None:
    async def story() -> None:
        sleeping = Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, max_concurrent_tasks=2)) as here:
            tasks = [await submit(here, prompt=str(number)) for number in range(4)]
            await eventually(lambda: len(sleeping.now) == 2)
        assert not sleeping.now
        sleeping.wake()
        async with running(parts(state_dir, works={"noop": sleeping})) as there:
            done = [await ended(there, task) for task in tasks]
            assert [(task.status, task.attempt) for task in done] == [(Status.COMPLETED, attempt) for attempt in (2, 2, 1, 1)]
            log = [EventType.SUBMITTED, EventType.STARTED, EventType.PROGRESS, EventType.REQUEUED, EventType.STARTED]
            assert (await kinds(there, tasks[0].id))[:5] == log

    tell(story)


def test_a_shutdown_in_the_middle_of_claiming_loses_nothing(state_dir: Path) -> None:
    async def story() -> None:
        other = parts(state_dir, runner=Nowhere())
        tasks = [await submit(other) for _ in range(20)]
        for turns in range(8):
            here = parts(state_dir, works={"noop": Sleeping()}, max_concurrent_tasks=7)
            await here.open()
            for _ in range(turns):
                await asyncio.sleep(0)
            await here.close()
            assert (await other.store.totals(None)).by_status == {Status.QUEUED: 20}
        async with running(parts(state_dir)) as here:
            for task in tasks:
                assert (await ended(here, task)).status is Status.COMPLETED
        await other.close()

    tell(story)


def test_a_lease_that_another_took_ends_the_run_at_the_next_heartbeat(state_dir: Path) -> None:
    async def story() -> None:
        clock, sleeping = SteppedClock(), Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, clock=clock, name="here")) as here:
            task = await submit(here)
            await eventually(lambda: len(sleeping.now) == 1)
            elsewhere = SqlTaskStore(here.db, Hub(), clock)  # nobody here hears of what it does
            run = Run(await here.store.get(task.id), a_brief(), "here")
            await elsewhere.settle(run, Ending(Status.FAILED, Draft(EventType.FAILED)))
            assert len(sleeping.now) == 1
            await clock.advance(HEARTBEAT)
            await eventually(lambda: not sleeping.now)
            assert (await kinds(here, task.id))[-1] is EventType.FAILED

    tell(story)


def test_leases_are_renewed_while_runs_last(state_dir: Path) -> None:
    async def story() -> None:
        clock, sleeping = SteppedClock(), Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, clock=clock)) as here:
            task = await submit(here)
            await eventually(lambda: len(sleeping.now) == 1)
            for _ in range(int(2 * LEASE / HEARTBEAT)):
                await eventually(lambda: clock.sleeping == 2)
                await clock.advance(HEARTBEAT)
            assert await here.store.abandoned([]) == ()
            sleeping.wake()
            assert (await ended(here, task)).attempt == 1

    tell(story)


def test_a_machine_that_slept_does_not_take_its_own_runs_for_dead(state_dir: Path) -> None:
    async def story() -> None:
        clock, sleeping = SteppedClock(), Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, clock=clock)) as here:
            task = await submit(here)
            await eventually(lambda: len(sleeping.now) == 1)
            await clock.advance(10 * LEASE)
            await eventually(lambda: clock.sleeping == 2)  # both loops have been round
            assert len(sleeping.now) == 1
            sleeping.wake()
            done = await ended(here, task)
            assert (done.status, done.attempt) == (Status.COMPLETED, 1)

    tell(story)


def test_what_nobody_thought_of_stops_the_queue_for_one_heartbeat(state_dir: Path) -> None:
    async def story() -> None:
        clock, sleeping = SteppedClock(), Sleeping()
        async with running(parts(state_dir, works={"noop": sleeping}, clock=clock, max_concurrent_tasks=1)) as here:
            await submit(here)
            await eventually(lambda: len(sleeping.now) == 1)
            task = await submit(here)
            [(brief,)] = await here.db.read(lambda tx: tx.run("select brief from task where id = ?", task.id))
            await here.db.write(lambda tx: tx.run("update task set brief = '{' where id = ?", task.id))
            with capture_logs() as logs:
                sleeping.wake()
                await eventually(lambda: any(entry["event"] == "queue_unreadable" for entry in logs))
            await here.db.write(lambda tx: tx.run("update task set brief = ? where id = ?", brief, task.id))
            await eventually(lambda: clock.sleeping == 2)
            await clock.advance(HEARTBEAT)
            assert (await ended(here, task)).status is Status.COMPLETED

    tell(story)


@pytest.mark.parametrize("cap", [1, 4])
def test_a_worker_settles_and_runs_whatever_comes(state_dir: Path, cap: int) -> None:
    async def story() -> None:
        works = {"noop": noop, "talking": talking("a"), "failing": failing()}
        async with running(parts(state_dir, works=works, max_concurrent_tasks=cap)) as here:
            tasks = await asyncio.gather(*(submit(here, ["noop", "talking", "failing"][number % 3]) for number in range(30)))
            done = [await ended(here, task) for task in tasks]
            assert [task.status for task in done] == [Status.COMPLETED, Status.COMPLETED, Status.FAILED] * 10
            assert (await here.store.totals(None)).by_status == {Status.COMPLETED: 20, Status.FAILED: 10}

    tell(story)


def test_a_run_whose_lease_ran_out_unrenewed_is_let_go(state_dir: Path) -> None:
    async def story() -> None:
        clock, sleeping = SteppedClock(), Sleeping()
        here = parts(state_dir, works={"noop": sleeping}, clock=clock)
        tools = toolbox(cast(SqlTaskStore, here.store), {"claude": InProcess(sleeping)}, cast(FolderFiles, here.files), clock)
        underway = Underway(
            "worker-1", Unrenewable(here.db, here.hub, clock), lambda run: Execution(run, tools), here.hub, clock, 0.01
        )
        added = await here.store.add(a_task(), a_brief(engine="claude"), claim=underway.claim())
        assert added.run
        underway.open()
        work = underway.begin(added.run)
        await eventually(lambda: len(sleeping.now) == 1)
        await asyncio.sleep(0.02)  # the lease, by the loop's clock
        await clock.advance(HEARTBEAT)
        assert await work is None
        assert (await here.store.get(added.task.id)).status is Status.RUNNING  # for whoever finds it
        await underway.close()
        await here.close()

    tell(story)


class Unrenewable(SqlTaskStore):
    """A store whose database cannot be reached when leases are renewed."""

    async def renew(self, claim: Claim, runs: Collection[str]) -> dict[str, Wishes]:
        raise Unavailable("The database cannot be reached.")
