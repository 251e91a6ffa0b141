"""The verb: takes a request, freezes its brief, and sees that it gets run."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.src.clock import Clock
from agents.src.errors import InvalidRequest, RateLimited, UnknownFile
from agents.src.skills.access import Allowance, TokenStore
from agents.src.skills.arguments import check_arguments
from agents.src.skills.catalogue import Catalogue
from agents.src.skills.prices import usd_per_second
from agents.src.skills.request import Asking, SkillRequest
from agents.src.skills.skill import Skill
from agents.src.tasks import (
    Added,
    Brief,
    Caller,
    Event,
    FileStore,
    Inbox,
    InputFile,
    Key,
    Places,
    QuestionRules,
    Runner,
    Task,
    TaskStore,
    Workdirs,
    distinct,
    dollars,
    get_going,
)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """`created` is False where the idempotency key brought back an earlier task. No `allowance` where the caller has no rate.

    `warnings` are events of the task, too.
    """

    task: Task
    created: bool
    allowance: Allowance | None
    warnings: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """`default_timeout` in seconds, for skills that name none. `private_callbacks`: they may lead to private addresses.

    `prices` are those of a second of what its containers have, None where nobody is billed for it.
    `cap` is the most tasks that run at once (None: it is not known), `limits` the most of single skills.
    """

    catalogue: Catalogue
    store: TaskStore
    files: FileStore
    tokens: TokenStore
    runner: Runner
    clock: Clock
    workdirs: Workdirs
    default_timeout: float
    private_callbacks: bool = False
    prices: Mapping[str, float] | None = None
    cap: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    async def dispatch(self, request: SkillRequest, caller: Caller, task_id: str, key: str | None = None) -> Dispatched:
        """Accepts the request as a task: when this returns, the task is durable.

        Raises SkillNotAllowed, UnknownSkill, InvalidArguments, InvalidRequest, UnknownFile, WorkdirNotAllowed, UnknownWorkdir,
        RateLimited, KeyReused, Unavailable.
        """
        allowance = await self._count(caller)
        caller.check_skill(request.skill)
        skill = self.catalogue.get(request.skill)
        check_arguments(skill, request.args)
        files = await self._files_of(request, caller) if request.files else ()
        workdir = await self.workdirs.admit(request.workdir) if request.workdir else None
        rate = 0.0 if self.prices is None else usd_per_second(skill.resources, self.prices)
        brief = brief_for(skill, request, files, self.default_timeout, rate)
        now = self.clock.now()
        task = Task(
            id=task_id,
            skill=skill.name,
            prompt=request.task,
            caller=caller.name,
            created_at=now,
            run_at=now,
            args=request.args,
            metadata=request.metadata,
            priority=request.priority,
            inbox=Inbox.WAITING if request.inbox else None,
            callback=request.callback.kept(private=self.private_callbacks) if request.callback else None,
            conversation=request.conversation,
            workdir=workdir,
            budget_usd=brief.claude.budget_usd,
        )
        fingerprint = Key(key, hashlib.sha256(request.model_dump_json().encode()).hexdigest()) if key is not None else None
        added = await self._accept(task, brief, fingerprint)
        if added.created and not added.run:
            await get_going(self.runner, added.task)
        return Dispatched(added.task, added.created, allowance, added.warnings)

    async def _count(self, caller: Caller) -> Allowance | None:
        if caller.rate is None:
            return None
        allowance = await self.tokens.take(caller.name, caller.rate)
        if allowance.retry_after is not None:
            raise RateLimited(
                f"This token may submit {caller.rate}; try again in {math.ceil(allowance.retry_after)} s.",
                retry_after=round(allowance.retry_after, 1),
                limit=caller.rate.limit,
                period=caller.rate.period,
            )
        return allowance

    async def _files_of(self, request: SkillRequest, caller: Caller) -> tuple[InputFile, ...]:
        found = [await self.files.info(file_id) for file_id in request.files]
        for file in found:
            if caller.sees not in (None, file.caller):
                raise UnknownFile("There is no file of this id, or it is not yours.")
        return tuple(
            InputFile(id=file.id, name=name) for file, name in zip(found, distinct([f.name for f in found]), strict=True)
        )

    async def _accept(self, task: Task, brief: Brief, key: Key | None) -> Added:
        """Keeps the task, and begins it in the same breath where there is a place."""
        claim = self.runner.reserve(task.skill)
        called = False

        def begin(added: Added) -> None:
            nonlocal called
            called = True
            if added.run:
                self.runner.begin(added.run)
            elif claim:
                self.runner.release(task.skill)

        try:
            # `begin` is called even if the caller goes away now: no task is claimed, but not begun.
            places = Places(self.cap, self.limits.get(task.skill))
            return await self.store.add(task, brief, key, claim, begin, places)
        except Exception:
            if claim and not called:
                self.runner.release(task.skill)
            raise


def brief_for(
    skill: Skill, request: SkillRequest, files: tuple[InputFile, ...], default_timeout: float, rate: float | None = 0.0
) -> Brief:
    """All that a run of this request needs. Raises InvalidRequest where it asks for more than the skill allows."""
    limit = skill.timeout or default_timeout
    if request.timeout is not None and request.timeout > limit:
        raise InvalidRequest(f"timeout: the skill {skill.name} may run for at most {limit:g} seconds.")
    most = skill.claude.budget_usd
    if request.budget_usd is not None and skill.engine == "script":
        raise InvalidRequest(
            f"budget_usd: the skill {skill.name} is a program, whose spending nobody counts. Leave the budget out."
        )
    if request.budget_usd is not None and most is not None and request.budget_usd > most:
        raise InvalidRequest(f"budget_usd: a task of the skill {skill.name} may spend at most {dollars(most)}.")
    return Brief(
        skill=skill.name,
        engine=skill.engine,
        instruction=skill.instruction,
        prompt=request.task,
        timeout=request.timeout or limit,
        args=request.args,
        files=files,
        retries=skill.retries,
        on_crash=skill.on_crash,
        claude=skill.claude if request.budget_usd is None else skill.claude.model_copy(update={"budget_usd": request.budget_usd}),
        program=skill.run,
        asks=skill.asks,
        review=skill.review,
        questions=rules_for(skill.questions, request.questions),
        usd_per_second=rate,
    )


def rules_for(rules: QuestionRules, wanted: Asking | None) -> QuestionRules:
    """The skill's, with what the request says itself."""
    if wanted is None:
        return rules
    said = wanted.model_dump(exclude_unset=True, exclude=None if wanted.ask else {"ask"})
    return QuestionRules(**{**rules.model_dump(), **said})
