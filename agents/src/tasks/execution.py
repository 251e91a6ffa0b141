"""The verb: carries out one run, from its workspace to its ending."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

import structlog

from agents.src.clock import Clock
from agents.src.errors import EngineFailed, Problem, TaskFailed, TimedOut, Unavailable
from agents.src.tasks.engine import Engine, Workspace, Workspaces
from agents.src.tasks.event import EventType
from agents.src.tasks.policy import after_crash, after_failure, failure_of
from agents.src.tasks.recorder import Recorder
from agents.src.tasks.run import Ending, Run, cancelled, completed, failed
from agents.src.tasks.store import LeaseLost, TaskStore
from agents.src.tasks.task import Artifact, Result, Task

log = structlog.get_logger()

T = TypeVar("T")
LONGEST_TEXT = 64 * 1024
"""Characters of a result's text that the task's record keeps; the log of events has all of it."""
LAST_PART = 16 * 1024
"""Characters that the record keeps of what a run had said when it failed or was cancelled."""
PATIENCE = (1, 2, 4, 8, 15)
"""Seconds between tries to write while the database is out of reach."""


class Stop(Enum):
    """Why a run is ended before its time."""

    CANCELLED = "its caller asked for it"
    SHUTDOWN = "the worker is going away"
    TIMED_OUT = "its time is over"
    LOST = "another worker has the task now"


@dataclass(frozen=True, slots=True)
class Tools:
    """What executions share."""

    store: TaskStore
    engines: Mapping[str, Engine]
    workspaces: Workspaces
    clock: Clock


class Execution:
    """One run being carried out in this process."""

    def __init__(self, run: Run, tools: Tools) -> None:
        self.run = run
        self._tools = tools
        self._stop: Stop | None = None
        self._work: asyncio.Task[object] | None = None
        self._said = ""
        self._recorder = Recorder(lambda drafts: self._patiently(lambda: tools.store.append(run, drafts)))

    def stop(self, why: Stop) -> None:
        """Ends the run's processes and settles the task; the first reason given counts."""
        if self._stop is None:
            self._stop = why
            if self._work is not None:
                self._work.cancel()

    async def carry_out(self) -> Task | None:
        """The task as the run leaves it; None where another worker has it. Raises Unavailable: then it is left unsettled."""
        self._work = asyncio.current_task()
        try:
            ending = await self._ending() if self._stop is None else self._cut_short()
        except asyncio.CancelledError:
            ending = self._cut_short()
        except LeaseLost:
            ending = None
        except Unavailable:
            raise
        except Exception:  # an engine's own mistake, or a full disk, fails the task, not the worker
            log.exception("run_broke", run=self.run.id, engine=self.run.brief.engine)
            error = EngineFailed("The engine broke with an error of its own; the server's log has it.")
            ending = after_failure(self.run, error, self._tools.clock.now())
        self._work = None  # the same for a run that broke, or never got as far as its engine
        if ending is None:
            return None
        try:
            return await self._settle(ending)
        except ValueError:  # half a surrogate pair, say: no database keeps that
            log.exception("result_unkeepable", run=self.run.id, engine=self.run.brief.engine)
            error = EngineFailed("Its result cannot be kept: it holds what is neither text nor JSON.")
            return await self._settle(failed(failure_of(error)))

    def _cut_short(self) -> Ending | None:
        if self._stop is Stop.LOST:
            return None
        if self._stop is Stop.CANCELLED:
            return cancelled(self._leftovers())
        return after_crash(self.run, "The worker was stopped.", self._tools.clock.now(), blameless=True)

    def _leftovers(self, artifacts: tuple[Artifact, ...] = ()) -> Result | None:
        """What a run leaves that does not reach its end."""
        said = self._said.rstrip("\n")
        return Result(text=said, artifacts=artifacts) if said or artifacts else None

    async def _ending(self) -> Ending:
        """Runs the engine in its workspace and decides, from how that went, how the run ends."""
        engine = self._tools.engines.get(self.run.brief.engine)
        if engine is None:
            error = EngineFailed(f"There is no engine {self.run.brief.engine!r} here.")
            return after_failure(self.run, error, self._tools.clock.now())
        if not engine.uses_folder:
            return await self._run(engine, Workspace(self.run.id, Path()), self._no_artifacts)
        workspaces = self._tools.workspaces
        try:
            workspace = await workspaces.open(self.run)
        except Problem as error:
            return after_failure(self.run, EngineFailed(error.detail), self._tools.clock.now())
        try:
            return await self._run(engine, workspace, lambda: workspaces.collect(self.run, workspace))
        finally:
            await asyncio.shield(workspaces.discard(workspace))

    @staticmethod
    async def _no_artifacts() -> tuple[Artifact, ...]:
        return ()

    async def _run(self, engine: Engine, workspace: Workspace, collect: Callable[[], Awaitable[tuple[Artifact, ...]]]) -> Ending:
        try:
            result = await self._within_its_time(engine, workspace)
        except TaskFailed as error:
            leftovers = self._leftovers(await collect())
            return after_failure(self.run, error, self._tools.clock.now(), leftovers)
        return completed(Result(text=shortened(result.text), data=result.data, artifacts=await collect()))

    async def _within_its_time(self, engine: Engine, workspace: Workspace) -> Result:
        seconds = self.run.brief.timeout
        timer = asyncio.get_running_loop().call_later(seconds, self.stop, Stop.TIMED_OUT)
        try:
            return await self._drive(engine, workspace)
        except asyncio.CancelledError:
            if self._stop is not Stop.TIMED_OUT:
                raise
            raise TimedOut(f"It ran for {seconds:g} seconds, all that it was given. Give it more, or less to do.") from None
        finally:
            timer.cancel()
            self._work = None  # how it went is known: to stop it while its output is collected would lose that

    async def _drive(self, engine: Engine, workspace: Workspace) -> Result:
        result: Result | None = None
        try:
            async with aclosing(engine.run(self.run.brief, workspace)) as happenings:
                async for happening in happenings:
                    if isinstance(happening, Result):
                        result = happening
                    else:
                        if happening.type is EventType.TEXT:
                            self._said = f"{self._said}{happening.data.get('text', '')}\n"[-LAST_PART:]
                        await self._recorder.add(happening)
        finally:
            await self._recorder.flush()
        if result is None:
            raise EngineFailed("The engine ended without a result.")
        return result

    async def _settle(self, ending: Ending) -> Task | None:
        with suppress(LeaseLost):
            return await self._patiently(lambda: self._tools.store.settle(self.run, ending))
        return None

    async def _patiently(self, write: Callable[[], Awaitable[T]]) -> T:
        """Tries again, for half a minute, while the database is out of reach."""
        for pause in PATIENCE:
            try:
                return await write()
            except Unavailable as error:
                log.warning("write_waits", run=self.run.id, detail=error.detail, seconds=pause)
                await self._tools.clock.sleep(pause)
        return await write()


def shortened(text: str) -> str:
    """The last part of a long text, with a line that says so."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"[… {len(text) - LONGEST_TEXT} characters are left out here; the task's events have them all]\n{text[-LONGEST_TEXT:]}"
