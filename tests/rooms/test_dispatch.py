"""From a request to a task that is durable, whatever happens to the one who asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.src.bootstrap import Parts
from agents.src.errors import (
    InvalidArguments,
    InvalidRequest,
    KeyReused,
    RateLimited,
    SkillNotAllowed,
    Unavailable,
    UnknownFile,
    UnknownSkill,
)
from agents.src.settings import Rate
from agents.src.skills import Dispatched, Resources, SkillRequest, brief_for
from agents.src.tasks import (
    ROOT,
    Brief,
    Caller,
    Choice,
    Claim,
    ClaudeOptions,
    InputFile,
    OnCrash,
    QuestionRules,
    Retries,
    Run,
    Status,
    Task,
    TaskFilter,
    Turn,
)
from agents.src.tasks.underway import HEARTBEAT
from tests.building import PATIENCE, Nowhere, Sleeping, SteppedClock, a_skill, ended, eventually, new_id, parts, running

ADA = Caller("ada")
SKILLS = [
    a_skill("noop"),
    a_skill("sized", arguments={"type": "object", "required": ["width"]}),
    a_skill("plain", arguments=None),
]


def tell(state_dir: Path, story: Callable[[Parts], Awaitable[None]], **given: Any) -> None:
    async def live() -> None:
        here = parts(state_dir, **{"skills": SKILLS, "clock": SteppedClock(), **given})
        try:
            async with asyncio.timeout(PATIENCE):
                await story(here)
        finally:
            await here.close()

    asyncio.run(live())


async def dispatched(here: Parts, caller: Caller = ADA, key: str | None = None, **fields: Any) -> Dispatched:
    request = SkillRequest(**{"skill": "noop", "task": "Please.", **fields})
    return await here.dispatcher.dispatch(request, caller, new_id(), key)


async def content() -> AsyncIterator[bytes]:
    yield b"content"


class Reserving(Nowhere):
    """A runner with one place, that counts."""

    def __init__(self) -> None:
        self.places = 1
        self.begun: list[Run] = []
        self.started: list[Task] = []

    def reserve(self, skill: str) -> Claim | None:
        if not self.places:
            return None
        self.places -= 1
        return Claim("here", 4e9)

    def release(self, skill: str) -> None:
        self.places += 1

    def begin(self, run: Run) -> None:
        self.begun.append(run)

    async def start(self, task: Task) -> None:
        self.started.append(task)


def test_a_request_becomes_a_task_with_all_that_was_asked(state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        accepted = await dispatched(here, skill="sized", args={"width": 5}, priority=3, metadata={"mine": [1]})
        task = await here.store.get(accepted.task.id)
        assert accepted.created and accepted.allowance is None
        assert (task.skill, task.prompt, task.caller, task.status) == ("sized", "Please.", "ada", Status.QUEUED)
        assert (task.args, task.metadata, task.priority) == ({"width": 5}, {"mine": [1]}, 3)

    tell(state_dir, story, runner=Nowhere())


@pytest.mark.parametrize(("elsewhere", "rate"), [(True, 2 * 0.5 + 1.0 * 0.25), (False, 0.0)])
def test_the_price_of_its_seconds_is_frozen_into_the_brief_where_somebody_is_billed(
    state_dir: Path, elsewhere: bool, rate: float
) -> None:
    async def story(here: Parts) -> None:
        task = (await dispatched(here, skill="large")).task
        [(brief,)] = await here.db.read(lambda tx: tx.run("select brief from task where id = ?", task.id))
        assert Brief.model_validate_json(brief).usd_per_second == rate

    large = a_skill("large").model_copy(update={"resources": Resources(cpu=2.0, memory=1024)})
    prices, runner = {"cpu": 0.5, "memory": 0.25}, Nowhere() if elsewhere else None
    tell(state_dir, story, skills=[large], compute_prices=prices, runner=runner)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"skill": "nop"}, UnknownSkill),
        ({"skill": "../noop"}, UnknownSkill),
        ({"skill": "sized"}, InvalidArguments),
        ({"skill": "plain", "args": {"x": 1}}, InvalidArguments),
        ({"timeout": 3601.0}, InvalidRequest),
        ({"files": ("0" * 26,)}, UnknownFile),
    ],
)
def test_what_cannot_be_done_leaves_no_task(state_dir: Path, fields: dict[str, Any], error: type[Exception]) -> None:
    async def story(here: Parts) -> None:
        with pytest.raises(error):
            await dispatched(here, **fields)
        assert (await here.store.totals(None)).by_status == {}

    tell(state_dir, story, runner=Nowhere())


def test_a_token_may_use_its_skills_and_its_files_alone(state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        with pytest.raises(SkillNotAllowed):
            await dispatched(here, Caller("bob", frozenset({"sized"})))
        file = await here.files.put("ada", "clip.mp4", None, content())
        files = (file.id, file.id)
        with pytest.raises(UnknownFile):
            await dispatched(here, Caller("bob"), files=files)
        for caller in (ADA, Caller(ROOT)):
            task = (await dispatched(here, caller, files=files)).task
            run = await here.store.claim_one(task.id, Claim("w", 4e9))
            assert run
            assert run.brief.files == (InputFile(id=file.id, name="clip.mp4"), InputFile(id=file.id, name="clip (2).mp4"))

    tell(state_dir, story, runner=Nowhere())


def test_a_key_brings_back_the_task(state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        first = await dispatched(here, key="once")
        again = await dispatched(here, key="once")
        assert (again.task.id, again.created) == (first.task.id, False)
        with pytest.raises(KeyReused):
            await dispatched(here, key="once", priority=1)
        assert (await dispatched(here, Caller("bob"), key="once", priority=1)).created

    tell(state_dir, story, runner=Nowhere())


def test_too_many_submissions_are_refused_with_the_time_to_wait(state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        bob = Caller("bob", rate=Rate(2, 60))
        left = [(await dispatched(here, bob)).allowance for _ in range(2)]
        assert [each and each.remaining for each in left] == [1, 0]
        with pytest.raises(RateLimited, match=r"may submit 2/minute; try again in 30 s\.") as caught:
            await dispatched(here, bob)
        assert caught.value.members == {"retry_after": 30.0, "limit": 2, "period": 60}
        assert (await dispatched(here, replace(bob, name="eve"))).created
        assert (await here.store.totals("bob")).by_status == {Status.QUEUED: 2}

    tell(state_dir, story, runner=Nowhere())


# Places


def test_a_place_is_begun_or_released(state_dir: Path) -> None:
    async def story(here: Parts) -> None:
        first = (await dispatched(here, key="k")).task
        assert [run.task.id for run in runner.begun] == [first.id]
        assert first.status is Status.RUNNING
        second = (await dispatched(here)).task  # no place is left
        assert runner.started == [second]
        runner.places = 1
        await dispatched(here, key="k")
        with pytest.raises(KeyReused):
            await dispatched(here, key="k", priority=1)
        assert runner.places == 1
        await here.db.close()
        with pytest.raises(Unavailable):
            await dispatched(here)
        assert (runner.places, len(runner.begun), len(runner.started)) == (1, 1, 1)

    runner = Reserving()
    tell(state_dir, story, runner=runner)


def test_a_runner_that_cannot_start_does_not_undo_the_task(state_dir: Path) -> None:
    class Away(Nowhere):
        async def start(self, task: Task) -> None:
            raise Unavailable("Nobody answers.")

    async def story(here: Parts) -> None:
        assert (await dispatched(here)).task.status is Status.QUEUED

    tell(state_dir, story, runner=Away())


@pytest.mark.parametrize("busy", [False, True])
def test_one_who_hangs_up_leaves_no_task_that_nobody_runs(state_dir: Path, busy: bool) -> None:
    async def live() -> None:
        clock, sleeping = SteppedClock(), Sleeping()
        made = parts(state_dir, works={"noop": sleeping}, clock=clock, max_concurrent_tasks=1)
        async with asyncio.timeout(PATIENCE), running(made) as here:
            if busy:
                await dispatched(here)
                await eventually(lambda: len(sleeping.now) == 1)
            else:
                sleeping.wake()
            for steps in range(12):
                asking = asyncio.create_task(dispatched(here))
                for _ in range(steps):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.wait([asking])
            await here.db.write(lambda tx: None)  # what was handed over before is committed
            sleeping.wake()
            await eventually(lambda: clock.sleeping == 2)
            await clock.advance(HEARTBEAT)
            for task in (await here.store.page(TaskFilter(), None, 100)).items:
                assert (await ended(here, task)).status is Status.COMPLETED

    asyncio.run(live())


# Briefs


def test_the_brief_holds_what_the_skill_says_today() -> None:
    skill = a_skill(
        "sized",
        engine="claude",
        instruction="Plan.",
        claude=ClaudeOptions(model="opus"),
        retries=Retries(max_retries=3),
        on_crash=OnCrash.INTERRUPT,
        timeout=100,
    )
    request = SkillRequest(skill="sized", task="A house", args={"width": 3})
    files = (InputFile(id="f", name="n"),)
    brief = brief_for(skill, request, files, 3600.0)
    assert (brief.skill, brief.engine, brief.instruction, brief.prompt) == ("sized", "claude", "Plan.", "A house")
    assert (brief.args, brief.files, brief.claude, brief.program) == ({"width": 3}, files, skill.claude, "work.py")
    assert (brief.retries, brief.on_crash) == (skill.retries, OnCrash.INTERRUPT)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, {}),
        ({"ask": None}, {}),
        ({"deadline": None}, {"deadline": None}),
        ({"deadline": 60}, {"deadline": 60.0}),
        ({"ask": ["responder", "human"]}, {"ask": (Turn.RESPONDER, Turn.HUMAN)}),
    ],
)
def test_what_a_request_says_of_questions_goes_before_what_the_skill_says(wanted: Any, expected: dict[str, Any]) -> None:
    rules = QuestionRules(hold=5.0, deadline=300.0, ask=(Turn.CALLER,), choices=(Choice(label="a"),), default=("a",))
    request = SkillRequest.model_validate_json(json.dumps({"skill": "noop", "task": "", "questions": wanted}))
    brief = brief_for(a_skill(questions=rules), request, (), 3600.0)
    assert brief.questions == rules.model_copy(update=expected)
    assert Brief.model_validate_json(brief.model_dump_json()) == brief


@pytest.mark.parametrize(
    ("skills", "asked", "given"),
    [(None, None, 3600.0), (100, None, 100.0), (100, 7.5, 7.5), (100, 100.0, 100.0), (None, 3600.0, 3600.0)],
)
def test_the_time_a_run_is_given(skills: int | None, asked: float | None, given: float) -> None:
    request = SkillRequest(skill="noop", task="", timeout=asked)
    assert brief_for(a_skill(timeout=skills), request, (), 3600.0).timeout == given


@pytest.mark.parametrize(("skills", "asked"), [(100, 100.5), (None, 3601.0)])
def test_more_time_than_the_skill_allows_is_refused(skills: int | None, asked: float) -> None:
    with pytest.raises(InvalidRequest, match=r"may run for at most (100|3600) seconds"):
        brief_for(a_skill(timeout=skills), SkillRequest(skill="noop", task="", timeout=asked), (), 3600.0)


@pytest.mark.parametrize(
    ("skills", "asked", "given"), [(None, None, None), (2.0, None, 2.0), (2.0, 0.5, 0.5), (2.0, 2.0, 2.0), (None, 100.0, 100.0)]
)
def test_what_a_task_may_spend(state_dir: Path, skills: float | None, asked: float | None, given: float | None) -> None:
    skill = a_skill(engine="claude", claude=ClaudeOptions(budget_usd=skills))
    request = SkillRequest(skill="noop", task="", budget_usd=asked)
    assert brief_for(skill, request, (), 3600.0).claude.budget_usd == given

    async def story() -> None:
        async with running(parts(state_dir, skills=[skill], runner=Nowhere())) as here:
            task = (await here.dispatcher.dispatch(request, ADA, new_id())).task
            assert task.budget_usd == (await here.store.get(task.id)).budget_usd == given

    asyncio.run(story())


def test_more_money_than_the_skill_allows_is_refused() -> None:
    request = SkillRequest(skill="noop", task="", budget_usd=2.01)
    with pytest.raises(InvalidRequest, match=r"^budget_usd: a task of the skill noop may spend at most \$2\.00\.$"):
        brief_for(a_skill(engine="claude", claude=ClaudeOptions(budget_usd=2.0)), request, (), 3600.0)


def test_a_program_takes_no_budget() -> None:
    request = SkillRequest(skill="noop", task="", budget_usd=1)
    with pytest.raises(InvalidRequest, match=r"^budget_usd: the skill noop is a program"):
        brief_for(a_skill(engine="script"), request, (), 3600.0)
