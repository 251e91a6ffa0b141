"""Tasks live through whatever two processes and three workers do to them, in any order, on the real store."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from agents.src.errors import AlreadyEnded, EngineFailed, KeyReused
from agents.src.services.sqlite import SqliteDb
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import (
    Claim,
    Draft,
    Ending,
    EventType,
    Hub,
    Key,
    LeaseLost,
    OnCrash,
    Recovery,
    Result,
    Retries,
    Run,
    Status,
    Task,
    Usage,
    Wishes,
    cancelled,
)
from agents.src.tasks.event import TERMINAL
from agents.src.tasks.policy import after_failure
from agents.src.tasks.run import completed
from agents.src.tasks.task import MOVES
from tests.building import NOON, SteppedClock, a_brief, a_task

T = TypeVar("T")
LEASE = 20.0
WORKERS = st.sampled_from(["ant", "bee", "cat"])
MOVED_BY = {
    EventType.SUBMITTED: Status.QUEUED,
    EventType.STARTED: Status.RUNNING,
    EventType.REQUEUED: Status.QUEUED,
    EventType.COMPLETED: Status.COMPLETED,
    EventType.FAILED: Status.FAILED,
    EventType.CANCELLED: Status.CANCELLED,
}


@dataclass
class Expected:
    """What must be true of a task."""

    status: Status
    run_at: float = NOON
    attempt: int = 0
    used: int = 0
    holder: str | None = None
    lease_until: float = 0.0
    cancel_requested: bool = False
    as_ended: Task | None = None


class Life(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="modal-invoke-life-"))
        self.clock = SteppedClock()
        self.dbs = [SqliteDb(self.folder / "state.db") for _ in range(2)]
        self.stores = [SqlTaskStore(db, Hub(), self.clock) for db in self.dbs]
        self.tasks: dict[str, Expected] = {}
        self.runs: list[Run] = []
        self.keys: dict[str, tuple[str, str]] = {}
        self.turn = 0

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for db in self.dbs:
                self.do(db.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def store(self) -> SqlTaskStore:
        """Now this process, now that."""
        self.turn += 1
        return self.stores[self.turn % 2]

    def holds(self, run: Run) -> bool:
        task = self.tasks[run.task.id]
        return task.status is Status.RUNNING and (task.attempt, task.holder) == (run.task.attempt, run.worker)

    def expect_started(self, run: Run) -> None:
        task = self.tasks[run.task.id]
        task.status, task.attempt, task.holder = Status.RUNNING, task.attempt + 1, run.worker
        task.lease_until = self.clock.time + LEASE
        assert run.task.attempt == task.attempt
        self.runs.append(run)

    def expect_settled(self, task: Task) -> None:
        expected = self.tasks[task.id]
        expected.status, expected.holder, expected.run_at = task.status, None, task.run_at
        assert not (expected.cancel_requested and task.status is Status.QUEUED)

    # What happens to tasks

    @rule(
        key=st.none() | st.sampled_from(["k1", "k2"]),
        priority=st.integers(-1, 1),
        worker=st.none() | WORKERS,
        on_crash=st.sampled_from(OnCrash),
        retries=st.integers(0, 2),
    )
    def submit(self, key: str | None, priority: int, worker: str | None, on_crash: OnCrash, retries: int) -> None:
        task = a_task(priority=priority, created_at=self.clock.time)
        brief = a_brief(on_crash=on_crash, retries=Retries(max_retries=retries, initial_delay=5.0))
        claim = Claim(worker, self.clock.time + LEASE) if worker else None
        fingerprint = str(priority)
        adding = self.store.add(task, brief, Key(key, fingerprint) if key else None, claim)
        if key and self.keys.get(key, ("", fingerprint))[1] != fingerprint:
            with pytest.raises(KeyReused):
                self.do(adding)
            return
        added = self.do(adding)
        assert added.created is not bool(key and key in self.keys)
        if not added.created:
            assert key and added.task.id == self.keys[key][0] and added.run is None
            return
        if key:
            self.keys[key] = (task.id, fingerprint)
        self.tasks[task.id] = Expected(Status.QUEUED, run_at=self.clock.time)
        if added.run:
            self.expect_started(added.run)

    @rule(worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        now = self.clock.time
        due = [task_id for task_id, task in self.tasks.items() if task.status is Status.QUEUED and task.run_at <= now]
        later = [task.run_at for task in self.tasks.values() if task.status is Status.QUEUED and task.run_at > now]
        claimed = self.do(self.store.claim(Claim(worker, now + LEASE), limit))
        assert len(claimed.runs) == min(limit, len(due))
        assert {run.task.id for run in claimed.runs} <= set(due)
        if len(due) < limit:
            assert claimed.next_due == min(later, default=None)
        for run in claimed.runs:
            self.expect_started(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), tokens=st.lists(st.integers(0, 9), min_size=1, max_size=3))
    def append(self, data: st.DataObject, tokens: list[int]) -> None:
        run = data.draw(st.sampled_from(self.runs[-6:]))
        drafts = [Draft(EventType.USAGE, {}, Usage(input_tokens=number)) for number in tokens]
        if self.holds(run):
            self.do(self.store.append(run, drafts))
            self.tasks[run.task.id].used += sum(tokens)
        else:
            with pytest.raises(LeaseLost):
                self.do(self.store.append(run, drafts))

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), how=st.sampled_from(["completed", "failed", "cancelled"]))
    def settle(self, data: st.DataObject, how: str) -> None:
        run = data.draw(st.sampled_from(self.runs[-6:]))
        endings: dict[str, Ending] = {
            "completed": completed(Result(text="Done.")),
            "failed": after_failure(run, EngineFailed("No."), self.clock.time),
            "cancelled": cancelled(),
        }
        if self.holds(run):
            task = self.do(self.store.settle(run, endings[how]))
            expected = endings[how].status
            asked = self.tasks[task.id].cancel_requested
            assert task.status is (Status.CANCELLED if asked and expected is Status.QUEUED else expected)
            self.expect_settled(task)
        else:
            with pytest.raises(LeaseLost):
                self.do(self.store.settle(run, endings[how]))

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(list(self.tasks)[-6:]))
        expected = self.tasks[task_id]
        if expected.status.ended:
            with pytest.raises(AlreadyEnded):
                self.do(self.store.request_cancel(task_id))
            return
        task = self.do(self.store.request_cancel(task_id))
        expected.cancel_requested = True
        expected.status = Status.CANCELLED if expected.status is Status.QUEUED else expected.status
        assert task.status is expected.status

    @rule(worker=WORKERS)
    def renew(self, worker: str) -> None:
        mine = {run.id: run for run in self.runs if run.worker == worker and self.holds(run)}
        stale = [run.id for run in self.runs if run.worker == worker and not self.holds(run)]
        held = self.do(self.store.renew(Claim(worker, self.clock.time + LEASE), [*mine, *stale]))
        assert held == {run_id: Wishes(cancel=self.tasks[run.task.id].cancel_requested) for run_id, run in mine.items()}
        for run in mine.values():
            self.tasks[run.task.id].lease_until = self.clock.time + LEASE

    @rule(seconds=st.sampled_from([1.0, 6.0, 21.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule(gone=st.sets(WORKERS, max_size=1))
    def recover(self, gone: set[str]) -> None:
        now = self.clock.time
        lost = {
            task_id
            for task_id, task in self.tasks.items()
            if task.status is Status.RUNNING and (task.lease_until < now or task.holder in gone)
        }

        async def no_processes(run: Run) -> None:
            assert run.task.id in lost

        settled = self.do(Recovery(self.store, self.clock, gone.__contains__, no_processes).recover())
        assert {task.id for task in settled} == lost
        for task in settled:
            self.expect_settled(task)

    # What is always true

    @invariant()
    def every_task_is_as_it_must_be(self) -> None:
        for task_id, expected in getattr(self, "tasks", {}).items():
            task = self.do(self.stores[0].get(task_id))
            assert (task.status, task.attempt) == (expected.status, expected.attempt)
            assert task.usage == Usage(input_tokens=expected.used)
            assert task.cancel_requested == expected.cancel_requested
            assert (task.finished_at is not None) == task.status.ended
            if task.status.ended:
                expected.as_ended = expected.as_ended or task
                assert task == expected.as_ended
            self.log_is_whole(task)

    def log_is_whole(self, task: Task) -> None:
        log = self.do(self.stores[1].events(task.id, 0, 10_000))
        assert [event.seq for event in log] == list(range(1, len(log) + 1))
        assert [event.type in TERMINAL for event in log] == [False] * (len(log) - 1) + [task.status.ended]
        moves = [MOVED_BY[event.type] for event in log if event.type in MOVED_BY]
        assert moves[0] is Status.QUEUED
        assert all(there in MOVES[here] for here, there in pairwise(moves))
        assert moves[-1] is task.status
        attempts = [event.data["attempt"] for event in log if event.type is EventType.STARTED]
        assert attempts == list(range(1, task.attempt + 1))
        assert [event.at for event in log] == sorted(event.at for event in log)

    @invariant()
    def no_task_has_two_holders(self) -> None:
        holding = [run.task.id for run in getattr(self, "runs", ()) if self.holds(run)]
        assert len(holding) == len(set(holding))


def test_life() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=60, stateful_step_count=30))


@pytest.mark.slow
def test_long_life() -> None:
    longer = settings(max_examples=400, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(Life, settings=longer)
