"""The verb: carries out one run, from its workspace to its ending."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import structlog

from agents.src.clock import Clock
from agents.src.conversations import ConversationStore
from agents.src.errors import EngineFailed, Problem, TaskFailed, TimedOut, Unavailable
from agents.src.memory import Recall
from agents.src.tasks.account import Account
from agents.src.tasks.asking import Asking, Parked
from agents.src.tasks.brief import Brief
from agents.src.tasks.briefing import recalled, reminded
from agents.src.tasks.budget import Budget
from agents.src.tasks.budgets import Budgets
from agents.src.tasks.engine import Engine, Workspace, Workspaces
from agents.src.tasks.event import Draft, EventType
from agents.src.tasks.hearing import Hearing
from agents.src.tasks.hub import Hub
from agents.src.tasks.policy import after_crash, after_failure, failure_of
from agents.src.tasks.questions import QuestionStore
from agents.src.tasks.recorder import Recorder
from agents.src.tasks.run import Ending, Run, cancelled, completed, failed, parked
from agents.src.tasks.spending import Spending, within_budget
from agents.src.tasks.store import LeaseLost, TaskStore
from agents.src.tasks.task import Artifact, Result, Status, Task, Usage
from agents.src.tasks.time_limit import WARNED_AT, TimeLimit
from agents.src.tasks.wishes import Wishes

log = structlog.get_logger()

T = TypeVar("T")
PARKING = 10.0
"""Seconds that a run has to let itself be parked when it is paused, or asks while its worker goes away."""
PATIENCE = (1, 2, 4, 8, 15)
"""Seconds between tries to write while the database is out of reach."""


class Stop(Enum):
    """Why a run is ended before its time."""

    PAUSED = "its caller has the task stand still"
    CANCELLED = "its caller asked for it"
    SHUTDOWN = "the worker is going away"
    TIMED_OUT = "its time is over"
    LOST = "another worker has the task now"


@dataclass(frozen=True, slots=True)
class Tools:
    """What executions share. `taught` is told the skill's name when a run that learned something is over.

    `hold`: seconds that a run waits for an answer with its process alive, where its skill does not say. Without `conversations`
    no run is given what was said before; without `budgets` none is stopped at a limit but by its engine.
    """

    store: TaskStore
    questions: QuestionStore
    hub: Hub
    engines: Mapping[str, Engine]
    workspaces: Workspaces
    clock: Clock
    memory: Recall | None = None
    taught: Callable[[str], None] | None = None
    hold: float = 60.0
    conversations: ConversationStore | None = None
    budgets: Budgets | None = None


class Execution:
    """One run being carried out in this process."""

    def __init__(self, run: Run, tools: Tools) -> None:
        self.run = run
        self._tools = tools
        self._stop: Stop | None = None
        self._work: asyncio.Task[object] | None = None
        self._begun = 0.0
        """By the loop's clock."""
        self._has_worked = False
        """Whether its engine began."""
        self._account = Account()
        self._recorder = Recorder(lambda drafts, batch: self._patiently(lambda: tools.store.append(run, drafts, batch)))
        self._limit = TimeLimit(run.brief.timeout, self._warn, partial(self.stop, Stop.TIMED_OUT))
        hold = tools.hold if run.brief.questions.hold is None else run.brief.questions.hold
        read = partial(tools.store.said, run.task.id)
        self._hearing = Hearing(lambda after: self._patiently(lambda: read(after)), run.task.said, run.task.heard)
        self._asking = Asking(run, tools.questions, tools.hub, hold, self._recorder.flush, self._limit, self._hearing)

    def heed(self, wishes: Wishes) -> None:
        """Does what the task's caller wants of the run."""
        if wishes.cancel:
            self.stop(Stop.CANCELLED)
        elif wishes.pause:
            self.stop(Stop.PAUSED)
        self._hearing.more(wishes.said)

    @property
    def _is_stopped(self) -> bool:
        """For another reason than a pause, which lets the engine get to where it can go on."""
        return self._stop not in (None, Stop.PAUSED)

    def stop(self, why: Stop) -> None:
        """Ends the run's processes and settles the task; the first reason given counts, unless that was a pause."""
        if self._is_stopped or self._stop is why:
            return
        self._stop = why
        if why is Stop.PAUSED or (why is Stop.SHUTDOWN and (self._asking.is_held or self._asking.is_over)):
            self._make_way()
        else:
            self._cancel()

    def _make_way(self) -> None:
        """It can be parked as if it had been held for long enough."""
        if not self._asking.is_over:
            self._limit.stop()
            self._asking.park()
            asyncio.get_running_loop().call_later(PARKING, self._cancel)

    def _cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()

    async def carry_out(self) -> Task | None:
        """The task as the run leaves it; None where another worker has it. Raises Unavailable: then it is left unsettled."""
        self._begun = asyncio.get_running_loop().time()
        task = await self._carry_out()
        if self._account.has_learned and self._tools.taught:
            try:
                self._tools.taught(self.run.task.skill)
            except Exception:  # whoever listens, the task has ended as it has
                log.exception("taught_broke", run=self.run.id)
        return task

    async def _carry_out(self) -> Task | None:
        self._work = asyncio.current_task()
        try:
            ending = self._cut_short() if self._is_stopped else await self._ending()
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
            return cancelled(self._account.leftovers())
        reason = "It was paused, and did not stop in time." if self._stop is Stop.PAUSED else "The worker was stopped."
        asking = self._asking.was_held
        return after_crash(self.run, reason, self._tools.clock.now(), blameless=True, asking=asking)

    async def _ending(self) -> Ending:
        """Runs the engine in its workspace and decides, from how that went, how the run ends."""
        engine = self._tools.engines.get(self.run.brief.engine)
        if engine is None:
            error = EngineFailed(f"There is no engine {self.run.brief.engine!r} here.")
            return after_failure(self.run, error, self._tools.clock.now())
        if not engine.uses_folder:
            return await self._run(engine, Workspace(self.run.id, Path(), self.run.session), self._no_artifacts)
        workspaces = self._tools.workspaces
        try:
            workspace = await workspaces.open(self.run)
        except Problem as error:
            failure = error if isinstance(error, TaskFailed) else EngineFailed(error.detail)
            return after_failure(self.run, failure, self._tools.clock.now())
        try:
            ending = await self._run(engine, workspace, lambda: workspaces.collect(self.run, workspace))
            if ending.status is Status.INPUT_REQUIRED and engine.goes_on and (self._has_worked or workspace.goes_on):
                await workspaces.set_aside(self.run)
            return ending
        finally:
            await asyncio.shield(workspaces.discard(workspace))

    @staticmethod
    async def _no_artifacts() -> tuple[Artifact, ...]:
        return ()

    async def _run(self, engine: Engine, workspace: Workspace, collect: Callable[[], Awaitable[tuple[Artifact, ...]]]) -> Ending:
        try:
            result = await self._heard_out(engine, workspace)
        except Parked:
            return parked(self._hearing.given)
        except TaskFailed as error:
            leftovers = self._account.leftovers(await collect())
            return after_failure(self.run, error, self._tools.clock.now(), leftovers)
        return completed(self._account.result(result, await collect()))

    async def _heard_out(self, engine: Engine, workspace: Workspace) -> Result:
        """The result, once the engine was given all that was said. Raises Parked where the task was paused before that."""
        result = await self._within_its_time(engine, workspace)
        while not await self._hushed():
            if self._asking.is_over:
                raise Parked
            result = await self._within_its_time(engine, replace(workspace, goes_on=True))
        return result

    async def _hushed(self) -> bool:
        """Whether nothing is left that was said; then nothing more will be said to this run."""
        given = self._hearing.given
        if not self.run.brief.converses or await self._patiently(lambda: self._tools.store.hush(self.run, given)):
            return True
        self._hearing.more(given + 1)  # at least: word of it may be on its way here
        return False

    async def _within_its_time(self, engine: Engine, workspace: Workspace) -> Result:
        if self._is_stopped:  # it came between two turns of the engine
            raise asyncio.CancelledError
        self._work = asyncio.current_task()
        self._limit.start()
        try:
            return await self._drive(engine, workspace)
        except asyncio.CancelledError:
            if self._stop is not Stop.TIMED_OUT:
                raise
            seconds = self.run.brief.timeout
            raise TimedOut(f"It ran for {seconds:g} seconds, all that it was given. Give it more, or less to do.") from None
        finally:
            self._limit.stop()
            self._work = None  # how it went is known: to stop it while its output is collected would lose that

    def _warn(self) -> None:
        seconds = self.run.brief.timeout
        message = f"It has used {WARNED_AT:.0%} of its {seconds:g} seconds; when they are over, it is ended."
        self._recorder.add_soon(Draft(EventType.WARNING, {"code": "time_running_out", "message": message}))

    async def _drive(self, engine: Engine, workspace: Workspace) -> Result:
        try:
            if self._asking.is_over:
                raise Parked
            brief, hear = await self._briefed(), partial(self._hear, engine)
            if self._tools.budgets is None or not engine.goes_on:
                return await hear(brief, workspace)
            spending = Spending(self.run, self._tools.budgets, self._tools.questions, self._asking)
            return await within_budget(brief, workspace, lambda: self._granted(spending), hear)
        finally:
            await self._recorder.flush()

    async def _briefed(self) -> Brief:
        brief = await recalled(self.run.brief, self._tools.memory, self._recorder.add)
        return await self._patiently(lambda: reminded(brief, self.run.task, self._tools.conversations))

    async def _granted(self, spending: Spending) -> Budget | None:
        await self._recorder.flush()  # what was spent so far is in the account
        return await self._patiently(spending.granted)

    async def _hear(self, engine: Engine, brief: Brief, workspace: Workspace) -> Result:
        """One process of the engine."""
        result: Result | None = None
        brief = await self._hearing.told(brief, goes_on=workspace.goes_on)
        self._has_worked = True
        async with aclosing(engine.run(brief, workspace, self._asking)) as happenings:
            async for happening in happenings:
                if isinstance(happening, Result):
                    result = happening
                else:
                    self._account.hear(happening)
                    await self._recorder.add(happening)
        if result is None:
            raise EngineFailed("The engine ended without a result.")
        return result

    def _held(self) -> Usage:
        """What less than a hundredth of a second was held for is not counted."""
        seconds, rate = round(asyncio.get_running_loop().time() - self._begun, 2), self.run.brief.usd_per_second
        return Usage(compute_seconds=seconds, compute_usd=None if rate is None else seconds * rate)

    async def _settle(self, ending: Ending) -> Task | None:
        ending, tries = replace(ending, output=self._account.output, held=self._held()), count()
        with suppress(LeaseLost):
            return await self._patiently(lambda: self._tools.store.settle(self.run, ending, again=next(tries) > 0))
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
