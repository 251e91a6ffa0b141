"""One run, from its workspace to its ending."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agents.src.errors import BudgetExhausted, EngineFailed, Unavailable
from agents.src.memory import Act, Lesson
from agents.src.services.files import FolderFiles
from agents.src.services.lesson_store import SqlLessonStore
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import (
    Artifact,
    Ask,
    Brief,
    Claim,
    Draft,
    Ending,
    Event,
    EventType,
    Execution,
    Hub,
    InputFile,
    LeaseLost,
    OnCrash,
    Output,
    Result,
    Run,
    Status,
    Stop,
    Task,
    Usage,
    Workspace,
    remembered,
)
from agents.src.tasks.account import LONGEST_TEXT, shortened
from tests.building import (
    NOON,
    PATIENCE,
    InProcess,
    Sleeping,
    SteppedClock,
    Work,
    a_brief,
    a_task,
    costing,
    eventually,
    failing,
    immediately,
    noop,
    talking,
    toolbox,
)
from tests.conftest import OpenDb

ARGON = Lesson(action=Act.ADD, id="a167aa41ae7e", text="use argon2")


class Shaky(SqlTaskStore):
    """A store whose database is out of reach for the next `outages` writes of a run, and then for the next `lost` answers."""

    outages = lost = 0

    def _falter(self) -> None:
        if self.outages:
            self.outages -= 1
            raise Unavailable("The database is away.")

    async def append(self, run: Run, drafts: Sequence[Draft], batch: int | None = None) -> None:
        self._falter()
        await super().append(run, drafts, batch)
        self._fall_silent()

    def _fall_silent(self) -> None:
        if self.lost:
            self.lost -= 1
            raise Unavailable("The database went away before it answered.")

    async def settle(self, run: Run, ending: Ending, again: bool = False) -> Task:
        self._falter()
        task = await super().settle(run, ending, again)
        self._fall_silent()
        return task


@dataclass
class Bench:
    clock: SteppedClock
    store: Shaky
    files: FolderFiles
    root: Path
    lessons: SqlLessonStore

    async def run(self, **brief: object) -> Run:
        claim = Claim("worker-1", NOON + 20)
        run = (await self.store.add(a_task(), a_brief(**brief), claim=claim)).run
        assert run
        return run

    def execution(self, run: Run, work: Work, uses_folder: bool = False, **tools: Any) -> Execution:
        return Execution(run, toolbox(self.store, {"script": InProcess(work, uses_folder)}, self.files, self.clock, **tools))

    async def carried(self, work: Work, uses_folder: bool = False, **brief: object) -> Task:
        task = await self.execution(await self.run(**brief), work, uses_folder).carry_out()
        assert task
        return task

    async def kinds(self, task_id: str) -> list[EventType]:
        return [event.type for event in await self.log(task_id)][2:]

    async def log(self, task_id: str) -> tuple[Event, ...]:
        return await self.store.events(task_id, 0, 1000)


def tell(open_sqlite: OpenDb, root: Path, story: Callable[[Bench], Awaitable[None]]) -> None:
    async def live() -> None:
        clock, db = SteppedClock(), open_sqlite()
        async with asyncio.timeout(PATIENCE):
            files, lessons = FolderFiles(root, root / "work", db, clock, 1 << 20), SqlLessonStore(db, clock)
            await story(Bench(clock, Shaky(db, Hub(), clock), files, root, lessons))

    asyncio.run(live())


def of_models(usage: Usage) -> Usage:
    return usage.model_copy(update={"compute_seconds": 0.0})


# How runs end by themselves


def test_what_the_engine_says_is_kept_in_order(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        task = await bench.carried(talking("a", "b", "c"))
        assert (task.status, task.result) == (Status.COMPLETED, Result(text="a b c"))
        log = await bench.log(task.id)
        assert [event.data.get("text") for event in log[2:]] == ["a", "b", "c", None]
        assert [event.seq for event in log] == [1, 2, 3, 4, 5, 6]

    tell(open_sqlite, tmp_path, story)


def test_a_result_that_no_database_keeps_fails_the_task(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def half_a_pair(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield Result(text="\ud83d")

    async def story(bench: Bench) -> None:
        task = await bench.carried(half_a_pair)
        assert task.status is Status.FAILED and task.error
        assert "cannot be kept" in task.error.detail

    tell(open_sqlite, tmp_path, story)


def test_usage_is_kept(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        task = await bench.carried(costing(Usage(input_tokens=5, cost_usd=0.5), times=3))
        assert of_models(task.usage) == Usage(input_tokens=15, cost_usd=1.5)

    tell(open_sqlite, tmp_path, story)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BudgetExhausted("All spent."), "budget-exhausted"),
        (EngineFailed("No."), "engine-failed"),
        (ValueError("secret words"), "engine-failed"),
        (TimeoutError("of a socket"), "engine-failed"),
        (KeyError("x"), "engine-failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_engines_error_fails_the_task(open_sqlite: OpenDb, tmp_path: Path, error: Exception, kind: str) -> None:
    async def story(bench: Bench) -> None:
        task = await bench.carried(failing(error))
        assert task.status is Status.FAILED and task.error
        assert task.error.type == kind
        assert "secret" not in task.error.detail
        assert await bench.kinds(task.id) == [EventType.FAILED]

    tell(open_sqlite, tmp_path, story)


def test_an_engine_without_a_result_and_one_that_is_not_there(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def silent(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield Draft(EventType.TEXT, {"text": "…"})

    async def story(bench: Bench) -> None:
        task = await bench.carried(silent)
        assert task.error and task.error.detail == "The engine ended without a result."
        task = await bench.carried(noop, engine="claude")
        assert task.error and task.error.detail == "There is no engine 'claude' here."

    tell(open_sqlite, tmp_path, story)


def test_a_run_out_of_time_is_ended(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        sleeping = Sleeping()
        task = await bench.carried(sleeping, timeout=0.05)
        assert task.status is Status.FAILED and task.error
        assert (task.error.type, sleeping.ended) == ("timed-out", ["Please."])
        assert task.error.detail.startswith("It ran for 0.05 seconds")
        assert await bench.kinds(task.id) == [EventType.PROGRESS, EventType.WARNING, EventType.FAILED]
        warning = (await bench.log(task.id))[-2].data
        assert warning["code"] == "time_running_out" and "80% of its 0.05 seconds" in warning["message"]

    tell(open_sqlite, tmp_path, story)


def test_a_failure_that_may_pass_goes_back_into_the_queue(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        task = await bench.carried(failing(), retries=immediately(1))
        assert (task.status, task.error, task.run_at) == (Status.QUEUED, None, NOON)
        assert await bench.kinds(task.id) == [EventType.REQUEUED]

    tell(open_sqlite, tmp_path, story)


def test_what_was_said_is_kept_however_the_run_ends_and_the_next_goes_on_from_there(open_sqlite: OpenDb, tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield Draft(EventType.STDERR, {"text": workspace.run_id.rpartition(":")[2]})
        if brief.prompt == "wait":
            waiting.set()
            await asyncio.Event().wait()
        raise EngineFailed("It was made to fail.")

    async def story(bench: Bench) -> None:
        task = await bench.carried(work, retries=immediately(1))
        assert (task.status, await bench.store.output(task.id)) == (Status.QUEUED, Output(lines=("1",), errors=("1",)))
        [again] = (await bench.store.claim(Claim("worker-1", NOON + 20), 1)).runs
        await bench.execution(again, work).carry_out()
        assert await bench.store.output(task.id) == Output(lines=("1", "2"), errors=("1", "2"))

        held = await bench.run(prompt="wait")
        execution = bench.execution(held, work)
        carrying = asyncio.create_task(execution.carry_out())
        await waiting.wait()
        execution.stop(Stop.CANCELLED)
        await carrying
        assert await bench.store.output(held.task.id) == Output(lines=("1",), errors=("1",))

        silent = await bench.carried(noop)
        assert await bench.store.output(silent.id) is None

    tell(open_sqlite, tmp_path, story)


@pytest.mark.parametrize("rate", [0.0, 0.5, None])
def test_what_a_run_held_its_worker_for_is_added_with_its_price(open_sqlite: OpenDb, tmp_path: Path, rate: float | None) -> None:
    ahead = 0.0

    async def story(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        clock = loop.time

        def put_forward() -> float:
            return clock() + ahead

        async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
            nonlocal ahead
            ahead += 3.02
            raise EngineFailed("It was made to fail.")
            yield Result()

        loop.time = put_forward  # type: ignore[method-assign]
        task = await bench.carried(work, retries=immediately(1), usd_per_second=rate, timeout=86400.0)
        [again] = (await bench.store.claim(Claim("worker-1", NOON + 20), 1)).runs
        both = await bench.execution(again, work).carry_out()
        loop.time = clock  # type: ignore[method-assign]
        assert both
        for usage, times in ((task.usage, 1), (both.usage, 2)):
            assert 0 <= usage.compute_seconds - 3.02 * times < 10
            assert usage.compute_usd == (None if rate is None else round(usage.compute_seconds * rate, 9))

    tell(open_sqlite, tmp_path, story)


def test_an_engines_own_summary_is_kept_in_one_line(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield Result(text="A lot.", summary="Three files\nwere made.\n\nAnd so on.")

    async def story(bench: Bench) -> None:
        assert (await bench.carried(work)).result == Result(text="A lot.", summary="Three files were made.")

    tell(open_sqlite, tmp_path, story)


# Folders


def test_the_folder_is_there_during_the_run_and_its_output_is_kept(open_sqlite: OpenDb, tmp_path: Path) -> None:
    folders: list[Path] = []

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        folders.append(workspace.folder)
        (workspace.output / "plan.md").write_text("plan")
        if brief.prompt == "fail":
            raise EngineFailed("Half done.")
        yield Result(text="Done.")

    async def story(bench: Bench) -> None:
        for prompt, status in (("go", Status.COMPLETED), ("fail", Status.FAILED)):
            task = await bench.carried(work, uses_folder=True, prompt=prompt)
            assert task.status is status and task.result
            assert [artifact.name for artifact in task.result.artifacts] == ["plan.md"]
            assert (await bench.files.artifact(task.id, "plan.md")).read_text() == "plan"
        assert len(folders) == 2
        assert not any(folder.exists() for folder in folders)

    tell(open_sqlite, tmp_path, story)


def test_a_file_that_is_gone_fails_the_task(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        task = await bench.carried(noop, uses_folder=True, files=(InputFile(id="gone", name="clip.mp4"),))
        assert task.error and (task.error.type, task.status) == ("engine-failed", Status.FAILED)

    tell(open_sqlite, tmp_path, story)


def test_a_disk_that_takes_nothing_fails_the_task_not_the_worker(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        (tmp_path / "work").write_text("a file where the folder should be")
        task = await bench.carried(noop, uses_folder=True)
        assert task.error and (task.error.type, task.status) == ("engine-failed", Status.FAILED)
        assert str(tmp_path) not in task.error.detail

    tell(open_sqlite, tmp_path, story)


# How runs are ended


@pytest.mark.parametrize(
    ("why", "on_crash", "status"),
    [
        (Stop.CANCELLED, OnCrash.REQUEUE, Status.CANCELLED),
        (Stop.SHUTDOWN, OnCrash.REQUEUE, Status.QUEUED),
        (Stop.SHUTDOWN, OnCrash.INTERRUPT, Status.FAILED),
        (Stop.LOST, OnCrash.REQUEUE, None),
    ],
)
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not yet begun"])
def test_stopping(open_sqlite: OpenDb, tmp_path: Path, why: Stop, on_crash: OnCrash, status: Status | None, begun: bool) -> None:
    async def story(bench: Bench) -> None:
        sleeping = Sleeping()
        run = await bench.run(on_crash=on_crash)
        execution = bench.execution(run, sleeping)
        work = asyncio.create_task(execution.carry_out())
        if begun:
            await eventually(lambda: bool(sleeping.started))
        execution.stop(why)
        execution.stop(Stop.SHUTDOWN)  # the first reason counts
        task = await work
        assert (task and task.status) == status
        assert (await bench.store.get(run.task.id)).status is (status or Status.RUNNING)
        assert sleeping.ended == (["Please."] if begun else [])

    tell(open_sqlite, tmp_path, story)


def test_a_lost_lease_ends_the_run_without_a_word(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        sleeping = Sleeping()
        run = await bench.run()
        work = asyncio.create_task(bench.execution(run, sleeping).carry_out())
        await eventually(lambda: bool(sleeping.started))
        await bench.store.settle(run, Ending(Status.QUEUED, Draft(EventType.REQUEUED), run_at=NOON))
        before = await bench.log(run.task.id)
        sleeping.wake()
        assert await work is None
        assert await bench.log(run.task.id) == before

    tell(open_sqlite, tmp_path, story)


def test_a_lease_lost_in_the_middle_ends_the_engine(open_sqlite: OpenDb, tmp_path: Path) -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def chatty(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        begun.append(workspace.run_id)
        try:
            while True:
                yield Draft(EventType.TEXT, {"text": "still here"})
        finally:
            ended.append(workspace.run_id)

    async def story(bench: Bench) -> None:
        run = await bench.run()
        work = asyncio.create_task(bench.execution(run, chatty).carry_out())
        await eventually(lambda: bool(begun))
        await bench.store.settle(run, Ending(Status.QUEUED, Draft(EventType.REQUEUED), run_at=NOON))
        assert await work is None
        assert ended == [run.id]

    tell(open_sqlite, tmp_path, story)


def test_to_stop_a_run_that_is_over_does_not_lose_how_it_went(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.store.outages = 1
        run = await bench.run()
        execution = bench.execution(run, noop)
        work = asyncio.create_task(execution.carry_out())
        await eventually(lambda: bench.clock.sleeping == 1)  # it waits for the database
        execution.stop(Stop.CANCELLED)
        await bench.clock.advance(1)
        task = await work
        assert task and task.status is Status.COMPLETED

    tell(open_sqlite, tmp_path, story)


@pytest.mark.parametrize("why", [Stop.SHUTDOWN, Stop.CANCELLED])
def test_to_stop_a_run_whose_output_is_being_kept_does_not_lose_how_it_went(
    open_sqlite: OpenDb, tmp_path: Path, why: Stop
) -> None:
    class Slow(FolderFiles):
        collecting, go_on = asyncio.Event(), asyncio.Event()

        async def collect(self, run: Run, workspace: Workspace) -> tuple[Artifact, ...]:
            self.collecting.set()
            await self.go_on.wait()
            return await super().collect(run, workspace)

    async def story(bench: Bench) -> None:
        files = Slow(tmp_path, tmp_path / "work", open_sqlite(), bench.clock, 1 << 20)
        tools = toolbox(bench.store, {"script": InProcess(noop, uses_folder=True)}, files, bench.clock)
        execution = Execution(await bench.run(on_crash=OnCrash.INTERRUPT), tools)
        work = asyncio.create_task(execution.carry_out())
        await files.collecting.wait()
        execution.stop(why)
        files.go_on.set()
        task = await work
        assert task and task.status is Status.COMPLETED

    tell(open_sqlite, tmp_path, story)


def test_a_stale_run_cannot_write(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        run = await bench.run()
        with pytest.raises(LeaseLost):
            await bench.store.append(replace(run, task=replace(run.task, attempt=9)), [Draft(EventType.TEXT)])

    tell(open_sqlite, tmp_path, story)


# When the database is away


def test_an_outage_of_the_database_is_waited_out(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.store.outages = 4
        work = asyncio.create_task(bench.carried(talking("a", "b")))
        for seconds in (1, 2, 4, 8):
            await eventually(lambda: bench.clock.sleeping == 1)
            await bench.clock.advance(seconds)
        task = await work
        assert task.result == Result(text="a b")
        assert await bench.kinds(task.id) == [EventType.TEXT, EventType.TEXT, EventType.COMPLETED]

    tell(open_sqlite, tmp_path, story)


def test_a_long_outage_leaves_the_run_unsettled(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.store.outages = 1000
        run = await bench.run()
        work = asyncio.create_task(bench.execution(run, noop).carry_out())
        while not work.done():
            await bench.clock.advance(60)
            await asyncio.sleep(0.005)
        with pytest.raises(Unavailable):
            await work
        assert (await bench.store.get(run.task.id)).status is Status.RUNNING

    tell(open_sqlite, tmp_path, story)


@pytest.mark.parametrize("kept", [True, False])
def test_an_ending_whose_answer_is_lost_is_no_lost_lease(open_sqlite: OpenDb, tmp_path: Path, kept: bool) -> None:
    async def story(bench: Bench) -> None:
        run = await bench.run()
        bench.store.lost, bench.store.outages = (2, 0) if kept else (0, 2)
        work = asyncio.create_task(bench.execution(run, noop).carry_out())
        for seconds in (1, 2):
            await eventually(lambda: bench.clock.sleeping == 1)
            await bench.clock.advance(seconds)
        task = await work
        assert task == await bench.store.get(run.task.id)
        assert task.status is Status.COMPLETED
        assert await bench.kinds(task.id) == [EventType.COMPLETED]

    tell(open_sqlite, tmp_path, story)


def test_answers_that_are_lost_double_nothing(open_sqlite: OpenDb, tmp_path: Path) -> None:
    some = Usage(input_tokens=5, cost_usd=0.5)

    async def learning(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        yield remembered(ARGON, held=False)
        yield Draft(EventType.USAGE, {}, some)
        yield Result(text="Done.")

    async def story(bench: Bench) -> None:
        bench.store.lost = 3
        work = asyncio.create_task(bench.carried(learning))
        for seconds in (1, 2, 4):
            await eventually(lambda: bench.clock.sleeping == 1)
            await bench.clock.advance(seconds)
        task = await work
        assert of_models(task.usage) == some
        assert await bench.kinds(task.id) == [EventType.REMEMBERED, EventType.USAGE, EventType.COMPLETED]
        assert len(await bench.lessons.waiting()) == 1

    tell(open_sqlite, tmp_path, story)


# Long texts


@pytest.mark.parametrize("length", [0, LONGEST_TEXT, LONGEST_TEXT + 1, 3 * LONGEST_TEXT])
def test_the_record_keeps_the_last_part_of_a_long_text(length: int) -> None:
    text = "".join(chr(97 + number % 26) for number in range(length))
    kept = shortened(text)
    if length <= LONGEST_TEXT:
        assert kept == text
    else:
        notice, _, rest = kept.partition("\n")
        assert rest == text[-LONGEST_TEXT:]
        assert f" {length - LONGEST_TEXT} characters" in notice


def test_what_was_said_before_the_end_stays_with_a_task_that_does_not_reach_it(open_sqlite: OpenDb, tmp_path: Path) -> None:
    async def breaking(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        for word in ("half", "done"):
            yield Draft(EventType.TEXT, {"text": word})
        raise BudgetExhausted("All spent.")

    async def story(bench: Bench) -> None:
        task = await bench.carried(breaking)
        assert (task.status, task.result) == (Status.FAILED, Result(text="half\ndone"))
        waiting = asyncio.Event()

        async def talking_on(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
            yield Draft(EventType.TEXT, {"text": "x" * 20_000 + "end"})
            waiting.set()
            await asyncio.Event().wait()

        execution = bench.execution(await bench.run(), talking_on)
        work = asyncio.create_task(execution.carry_out())
        await waiting.wait()
        execution.stop(Stop.CANCELLED)
        cut = await work
        assert cut and cut.status is Status.CANCELLED and cut.result
        assert cut.result.text.endswith("end") and len(cut.result.text) < 17_000

    tell(open_sqlite, tmp_path, story)
