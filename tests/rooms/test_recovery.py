"""What a dead worker left behind: its processes are ended, its tasks settled, by whoever comes next."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import Ask, Brief, Claim, Draft, EventType, Hub, OnCrash, Recovery, Result, Run, Status, Workspace
from agents.src.tasks.underway import HEARTBEAT, LEASE
from tests.building import (
    NOON,
    PATIENCE,
    Nowhere,
    Sleeping,
    SteppedClock,
    Work,
    a_brief,
    a_task,
    ended,
    eventually,
    noop,
    parts,
    running,
    submit,
)
from tests.conftest import OpenDb

VICTIM = textwrap.dedent(
    """
    import asyncio, os, pathlib, subprocess, sys
    from agents.src.tasks import Draft, EventType
    from tests.building import a_skill, parts, running, submit

    async def work(brief, workspace, ask):
        environment = {**os.environ, "MODAL_INVOKE_RUN": workspace.run_id}
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment, start_new_session=True)
        yield Draft(EventType.PROGRESS, {"message": "begun"})
        print(child.pid, flush=True)
        await asyncio.sleep(600)

    async def main():
        state_dir, on_crash = pathlib.Path(sys.argv[1]), sys.argv[2]
        async with running(parts(state_dir, works={"noop": work}, skills=[a_skill(on_crash=on_crash)])) as here:
            task = await submit(here)
            print(task.id, flush=True)
            await asyncio.sleep(600)

    asyncio.run(main())
    """
)


def tell(story: Callable[[], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await story()

    asyncio.run(live())


def killed_in_the_middle(state_dir: Path, on_crash: OnCrash) -> tuple[str, int]:
    """A worker in a process of its own, killed while it runs a task that has a child: the task's id, the child's pid."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", VICTIM, str(state_dir), on_crash.value]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as victim:
        assert victim.stdout
        said = sorted((victim.stdout.readline().strip() for _ in range(2)), key=len)
        victim.kill()
    child, task_id = said
    assert psutil.pid_exists(int(child))
    return task_id, int(child)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("on_crash", OnCrash)
def test_after_kill_9_the_next_process_ends_the_children_and_settles_the_task(state_dir: Path, on_crash: OnCrash) -> None:
    task_id, child = killed_in_the_middle(state_dir, on_crash)
    alive_when_run_again: list[bool] = []

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        alive_when_run_again.append(is_running(child))
        yield Result(text="Done.")

    async def story() -> None:
        async with running(parts(state_dir, works={"noop": work})) as here:
            done = await ended(here, await here.store.get(task_id))
            log = await here.store.events(task_id, 0, 100)
            assert [event.seq for event in log] == list(range(1, len(log) + 1))
            kinds = [event.type for event in log if event.type is not EventType.PROGRESS][2:]  # it may not have been written yet
            if on_crash is OnCrash.REQUEUE:
                assert (done.status, done.attempt) == (Status.COMPLETED, 2)
                assert kinds == [EventType.REQUEUED, EventType.STARTED, EventType.COMPLETED]
                assert alive_when_run_again == [False]
            else:
                assert done.status is Status.FAILED and done.error
                assert done.error.type == "interrupted"
                assert kinds == [EventType.FAILED]
            assert not is_running(child)

    tell(story)


# Whom it takes for dead


async def no_processes(_: Run) -> None:
    """Nothing is left to end."""


def test_only_what_is_abandoned_is_settled_and_its_processes_ended_first(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        clock, swept = SteppedClock(), list[str]()
        store = SqlTaskStore(open_sqlite(), Hub(), clock)

        async def sweep(run: Run) -> None:
            assert (await store.get(run.task.id)).status is Status.RUNNING
            swept.append(run.task.id)

        runs = {}
        for worker, until in {"gone": NOON + 99, "late": NOON + 5, "alive": NOON + 99, "afar": NOON + 99}.items():
            runs[worker] = (await store.add(a_task(), a_brief(), claim=Claim(worker, until))).run
        recovery = Recovery(store, clock, {"gone": True, "alive": False}.get, sweep)

        async def recovered() -> list[str]:
            return [task.id for task in await recovery.recover()]

        ids = {worker: run.task.id for worker, run in runs.items() if run}
        assert await recovered() == [ids["gone"]]
        assert await recovered() == []
        clock.time = NOON + 6
        assert await recovered() == [ids["late"]]
        assert swept == [ids["gone"], ids["late"]]
        assert {(await store.get(ids[worker])).status for worker in ("alive", "afar")} == {Status.RUNNING}

    tell(story)


def test_two_that_recover_at_once_settle_a_task_once(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        clock = SteppedClock()
        stores = [SqlTaskStore(open_sqlite(), Hub(), clock) for _ in range(2)]
        task = (await stores[0].add(a_task(), a_brief(), claim=Claim("gone", NOON))).task
        clock.time = NOON + 1
        settled = await asyncio.gather(*(Recovery(store, clock, lambda _: None, no_processes).recover() for store in stores))
        assert [each.id for tasks in settled for each in tasks] == [task.id]
        kinds = [event.type for event in await stores[0].events(task.id, 0, 10)]
        assert kinds == [EventType.SUBMITTED, EventType.STARTED, EventType.REQUEUED]

    tell(story)


def test_what_was_told_to_end_before_its_worker_died_is_cancelled(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        clock = SteppedClock(NOON)
        store = SqlTaskStore(open_sqlite(), Hub(), clock)
        task = (await store.add(a_task(), a_brief(on_crash=OnCrash.INTERRUPT), claim=Claim("gone", NOON + 5))).task
        await store.request_cancel(task.id)
        [settled] = await Recovery(store, clock, lambda _: True, no_processes).recover()
        assert settled.status is Status.CANCELLED

    tell(story)


def test_a_task_that_kills_every_worker_is_given_up(open_sqlite: OpenDb) -> None:
    async def story() -> None:
        clock = SteppedClock()
        store = SqlTaskStore(open_sqlite(), Hub(), clock)
        task = (await store.add(a_task(), a_brief())).task
        recovery = Recovery(store, clock, lambda _: True, no_processes)
        for _ in range(6):
            assert await store.claim_one(task.id, Claim("gone", NOON + 5))
            [task] = await recovery.recover()
        assert (task.status, task.attempt) == (Status.FAILED, 6)
        assert task.error and task.error.type == "interrupted"

    tell(story)


def test_a_run_that_could_not_be_settled_is_recovered_by_its_own_process(state_dir: Path) -> None:
    """Its lease is not renewed with those of the other runs, since nobody carries it out, and expires."""

    async def story() -> None:
        clock, sleeping = SteppedClock(), Sleeping()
        works: dict[str, Work] = {"noop": noop, "sleeping": sleeping}
        other = parts(state_dir, works=works, runner=Nowhere(), clock=clock)
        task = await submit(other)
        assert await other.store.claim_one(task.id, Claim("here", NOON + LEASE))
        async with running(parts(state_dir, works=works, clock=clock, name="here")) as here:
            lasting = await submit(here, "sleeping")
            for _ in range(int(2 * LEASE / HEARTBEAT)):
                await eventually(lambda: clock.sleeping == 2)
                await clock.advance(HEARTBEAT)
            done = await ended(here, task)
            assert (done.status, done.attempt) == (Status.COMPLETED, 2)
            sleeping.wake()
            assert (await ended(here, lasting)).attempt == 1
        await other.close()

    tell(story)
