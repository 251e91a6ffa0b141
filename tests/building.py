"""What tests build things with: tasks, a clock that they move, engines that work in this process, the assembled program.

a_task(), a_brief()      valid ones; any field can be given
SteppedClock             time stands still until `advance`; ids count up
noop, talking, …         engines; `in_process({"noop": noop})` does for each skill what its function does
a_catalogue(…)           skills that need nothing on disk
parts(state_dir, …)      the program as `bootstrap` assembles it, with such engines
running(parts)           opened, and closed again
eventually(condition)    waits for what no event tells
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from agents.src.bootstrap import Parts, bootstrap
from agents.src.clock import Clock
from agents.src.errors import EngineFailed
from agents.src.services.database import Db
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.task_store import SqlTaskStore
from agents.src.settings import OFF, Settings, read_settings
from agents.src.skills import Catalogue, Resources, Skill, SkillRequest
from agents.src.tasks import (
    Ask,
    Brief,
    Caller,
    Claim,
    Draft,
    Engine,
    EventType,
    Post,
    Responder,
    Result,
    Retries,
    Run,
    Runner,
    Task,
    Tools,
    Usage,
    Workspace,
    Workspaces,
    until_ended,
)

TOKEN = "test-token-of-more-than-32-characters"
NOON = 1_800_000_000.0
PATIENCE = 20.0
"""Seconds after which a test that waits gives up. Only a broken program takes so long."""

IDS = count(os.getpid() * 10**12)
"""Of this process alone: the processes of a run are found by its id, and several processes may run tests at once."""


def new_id() -> str:
    """Ids sort in the order they were made in."""
    return f"{next(IDS):026d}"


def a_brief(**fields: Any) -> Brief:
    given = {"skill": "noop", "engine": "script", "instruction": "Do it.", "prompt": "Please.", "timeout": 30.0}
    return Brief(**{**given, "usd_per_second": 0.0, **fields})


def a_task(**fields: Any) -> Task:
    given = {"id": new_id(), "skill": "noop", "prompt": "Please.", "caller": "ada", "created_at": NOON}
    return Task(**{**given, "run_at": fields.get("created_at", NOON), **fields})


class SteppedClock(Clock):
    """Its time is `time`, until `advance` is awaited; that wakes whoever has slept long enough."""

    def __init__(self, time: float = NOON) -> None:
        self.time = time
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.time

    def new_id(self) -> str:
        return new_id()

    async def sleep(self, seconds: float) -> None:
        awake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if seconds > 0:
            self._sleepers.append((self.time + seconds, awake))
        else:
            awake.get_loop().call_soon(awake.set_result, None)
        await awake

    async def advance(self, seconds: float) -> None:
        """Moves on, and lets those who wake take their first steps."""
        self.time += seconds
        due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self.time]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper not in due]
        for _, awake in due:
            if not awake.done():
                awake.set_result(None)
        await asyncio.sleep(0)

    @property
    def sleeping(self) -> int:
        """How many sleep."""
        return sum(not awake.done() for _, awake in self._sleepers)


def toolbox(store: SqlTaskStore, engines: Mapping[str, Engine], files: Workspaces, clock: Clock, **more: Any) -> Tools:
    """What executions share, around a store."""
    questions = SqlQuestionStore(store._db, store._hub, clock)
    return Tools(store, questions, store._hub, engines, files, clock, **more)


Work = Callable[[Brief, Workspace, Ask], AsyncGenerator[Draft | Result, None]]


@dataclass
class InProcess:
    """An engine that is one function."""

    work: Work
    uses_folder: bool = False
    goes_on: bool = False

    def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        return self.work(brief, workspace, ask)


def in_process(works: Mapping[str, Work], uses_folder: bool = False, goes_on: bool = False) -> InProcess:
    """An engine that does for each skill what the function of its name does."""
    return InProcess(lambda brief, workspace, ask: works[brief.skill](brief, workspace, ask), uses_folder, goes_on)


async def noop(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
    yield Result(text="Done.")


def talking(*texts: str) -> Work:
    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        for text in texts:
            yield Draft(EventType.TEXT, {"text": text})
        yield Result(text=" ".join(texts))

    return work


def failing(error: Exception | None = None, times: int | None = None) -> Work:
    """Fails (EngineFailed, unless told otherwise) in its first so many runs, or in all."""
    runs = iter(range(1 << 30))

    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        if times is None or next(runs) < times:
            raise error or EngineFailed("It was made to fail.")
        yield Result(text="Done after all.")

    return work


def costing(usage: Usage, times: int = 1) -> Work:
    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        for _ in range(times):
            yield Draft(EventType.USAGE, {"model": "m"}, usage)
        yield Result(text="Spent.")

    return work


@dataclass
class Sleeping:
    """Runs that last until `wake`. `now` is how many run at this moment, `most` how many ever did at once."""

    now: dict[str, str] = field(default_factory=dict)
    most: int = 0
    started: list[str] = field(default_factory=list)
    """Prompts, in the order in which their runs began."""
    ended: list[str] = field(default_factory=list)
    """Prompts whose runs ended, one way or the other."""
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self.awake.set()

    async def __call__(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        self.now[workspace.run_id] = brief.prompt
        self.most = max(self.most, len(self.now))
        self.started.append(brief.prompt)
        try:
            yield Draft(EventType.PROGRESS, {"message": "asleep"})
            await self.awake.wait()
            yield Result(text="Rested.")
        finally:
            del self.now[workspace.run_id]
            self.ended.append(brief.prompt)


def a_skill(name: str = "noop", **fields: Any) -> Skill:
    """`max_containers` may be given too."""
    resources = Resources(max_containers=fields.pop("max_containers", None))
    given = {"description": f"The skill {name}.", "instruction": "Do it.", "folder": Path("/nowhere"), "engine": "script"}
    return Skill(name=name, **{**given, "run": "work.py", "arguments": {}, "resources": resources, **fields})


def a_catalogue(*skills: Skill | str) -> Catalogue:
    """Of skills, or of names; without either, of one skill `noop`."""
    return Catalogue.of(a_skill(skill) if isinstance(skill, str) else skill for skill in skills or ("noop",))


def a_settings(state_dir: Path, **fields: Any) -> Settings:
    """Complete, whatever the environment says."""
    given: dict[str, Any] = {"token": TOKEN, "state_dir": state_dir, "database_url": None, "rate": None, "rehearsal": None}
    given["question_responder"] = OFF  # else a question that nobody answers would have Claude Code started
    return read_settings(**{**given, **fields})


def parts(
    state_dir: Path,
    *,
    works: Mapping[str, Work] | None = None,
    skills: Iterable[Skill | str] = (),
    engines: Mapping[str, Engine] | None = None,
    clock: Clock | None = None,
    db: Db | None = None,
    runner: Runner | None = None,
    post: Post | None = None,
    responder: Responder | None = None,
    alone: bool = False,
    name: str | None = None,
    uses_folder: bool = False,
    goes_on: bool = False,
    **settings: Any,
) -> Parts:
    """The program. `works` are functions by skill (without: `noop`), `skills` what else the catalogue says of them."""
    works = works or {"noop": noop}
    return bootstrap(
        a_settings(state_dir, **settings),
        clock=clock,
        catalogue=a_catalogue(*(skills or works)),
        engines=engines or {"script": in_process(works, uses_folder, goes_on)},
        db=db,
        runner=runner,
        post=post,
        responder=responder,
        alone=alone,
        name=name,
    )


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[Parts]:
    await parts.open()
    try:
        yield parts
    finally:
        await parts.close()


async def submit(parts: Parts, skill: str = "noop", prompt: str = "Please.", **fields: Any) -> Task:
    request = SkillRequest(skill=skill, task=prompt, **fields)
    return (await parts.dispatcher.dispatch(request, Caller("ada"), new_id())).task


async def ended(parts: Parts, task: Task) -> Task:
    """The task once it has ended; fails when it does not."""
    found = await until_ended(parts.store, parts.hub, task.id, PATIENCE)
    assert found.status.ended, found
    return found


class Nowhere:
    """Implements `Runner`."""

    def reserve(self, skill: str) -> Claim | None:
        return None

    def release(self, skill: str) -> None: ...

    def begin(self, run: Run) -> None: ...

    async def start(self, task: Task) -> None: ...


async def eventually(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Waits until it holds. For what can only be looked at; where an event tells, await that."""
    async with asyncio.timeout(PATIENCE):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.005)


def immediately(retries: int) -> Retries:
    """A policy that tries again at once."""
    return Retries(max_retries=retries, initial_delay=0.0)
