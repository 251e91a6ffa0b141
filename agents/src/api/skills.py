"""Routes of the skills room: submitting a request, and the catalogue."""

import math
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import read_body
from agents.src.api.errors import respond, unexpected
from agents.src.api.openapi import EVERYWHERE, RATE, body_of, documented, header
from agents.src.api.preferences import DEFAULT_WAIT, LONGEST_WAIT, read_preference
from agents.src.api.showing import last_notice
from agents.src.api.task_views import AcceptedView, EstimateView, WarningView
from agents.src.api.views import EXAMPLE_ID, Listing, SkillView, TaskView
from agents.src.bootstrap import Parts
from agents.src.skills import Catalogue, Dispatched, SkillRequest, estimate
from agents.src.tasks import Caller, ended_within, until_ended

router = APIRouter(tags=["skills"])

SkillName = Annotated[str, Path(description="The skill's name.", examples=["planning"], min_length=1, max_length=200)]

KEY = re.compile(r'"([\x20\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
TASK_HEADERS = {"Preference-Applied": header("Which preferences were followed.", "wait=10"), **RATE}
LOCATION = {"Location": header("Where the task can be looked at.", f"/api/tasks/{EXAMPLE_ID}", always=True)}
SUBMITTED: dict[int | str, dict[str, Any]] = {
    200: {"model": AcceptedView, "description": "The task ended in time.", "headers": TASK_HEADERS},
    202: {"model": AcceptedView, "description": "The task is accepted and goes on.", "headers": TASK_HEADERS | LOCATION},
    **documented(
        *(errors.SkillNotAllowed, errors.WorkdirNotAllowed, errors.UnknownSkill, errors.UnknownFile, errors.UnknownWorkdir),
        *(errors.TooLarge, errors.UnsupportedMediaType, errors.InvalidRequest, errors.InvalidArguments, errors.KeyReused),
        *EVERYWHERE,
    ),
}
BODY = body_of(
    SkillRequest,
    planning={"skill": "planning", "task": "Create auth system plan"},
    media={"skill": "media-processing", "task": "convert clip.mov to MP4", "files": [EXAMPLE_ID]},
    workdir={"skill": "planning", "task": "Create auth system plan", "workdir": "/srv/projects/shop"},
)
PREFER = Header(
    alias="Prefer",
    description=f"`wait=N` (seconds, default {DEFAULT_WAIT}, at most {LONGEST_WAIT}), `respond-async`, or both (RFC 7240).",
)
IDEMPOTENCY = Header(
    alias="Idempotency-Key",
    description="Sent again with the same body, the key gives the same task. Quoted or bare.",
    json_schema_extra={"pattern": f"^({KEY.pattern})$"},
)


@router.post("/api/skill", responses=SUBMITTED, openapi_extra=BODY, response_class=Response)
async def submit_task(
    request: Request,
    caller: Annotated[Caller, Depends(caller_of)],
    prefer: Annotated[str | None, PREFER] = None,  # noqa: ARG001  # this and the next document what `submit` reads
    idempotency_key: Annotated[str | None, IDEMPOTENCY] = None,  # noqa: ARG001
) -> Response:
    """Has a skill do something.

    Answers 200 with the result if the task ends while the caller waits, else 202 with where to follow it.
    """
    return await submit(request, caller)


async def submit_quickly(request: Request) -> Response:
    """`submit_task` without FastAPI around it."""
    try:
        return await submit(request, await caller_of(request))
    except errors.Problem as problem:
        return respond(problem)
    except Exception as error:  # noqa: BLE001  # as FastAPI has it: the last resort of a request
        return unexpected(request, error)


async def submit(request: Request, caller: Caller) -> Response:
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, SkillRequest, parts.settings.max_body_bytes)
    preference = read_preference(",".join(request.headers.getlist("prefer")))
    task_id = parts.clock.new_id()
    # Followed from before it exists, so that its end needs no look into the database.
    with parts.hub.follow(task_id) as following:
        dispatched = await parts.dispatcher.dispatch(wanted, caller, task_id, read_key(request.headers.get("idempotency-key")))
        task = dispatched.task
        if preference.wait and not task.status.ended:
            if dispatched.created:
                task = await ended_within(parts.store, following, task.id, preference.wait)
            else:
                task = await until_ended(parts.store, parts.hub, task.id, preference.wait)
    notice = await last_notice(parts.outbox, task)
    view = AcceptedView.of(task, notice, warnings=list(map(WarningView.of, dispatched.warnings)))
    return answer(view, dispatched, preference.applied)


def answer(task: TaskView, dispatched: Dispatched, applied: str | None) -> Response:
    headers = {} if task.status.ended else {"Location": f"/api/tasks/{task.id}"}
    if applied:
        headers["Preference-Applied"] = applied
    if left := dispatched.allowance:
        headers["RateLimit-Policy"] = f'"default";q={left.limit};w={left.period}'
        headers["RateLimit"] = f'"default";r={left.remaining};t={math.ceil(left.reset)}'
    return Response(task.model_dump_json(), 200 if task.status.ended else 202, headers, "application/json")


def read_key(header: str | None) -> str | None:
    """An idempotency key, quoted as a structured-field string or bare. Raises InvalidRequest."""
    if header is None:
        return None
    match = KEY.fullmatch(header.strip())
    if not match:
        raise errors.InvalidRequest(
            "Idempotency-Key: 1 to 255 printable ASCII characters are expected, in double quotes if there are spaces."
        )
    return match[1] or match[2]


def visible(parts: Parts, caller: Caller) -> Catalogue:
    return parts.catalogue if caller.skills is None else parts.catalogue.only(caller.skills)


@router.get("/api/skills", response_description="The catalogue, on one page.", responses=documented(*EVERYWHERE))
async def list_skills(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Listing[SkillView]:
    """The skills that this token may use."""
    parts: Parts = request.app.state.parts
    default = parts.settings.task_timeout_seconds
    return Listing(items=[SkillView.of(skill, default) for skill in visible(parts, caller)])


@router.get(
    "/api/skills/{name}",
    response_description="The skill.",
    responses=documented(errors.UnknownSkill, errors.InvalidRequest, *EVERYWHERE),
)
async def show_skill(
    request: Request,
    caller: Annotated[Caller, Depends(caller_of)],
    name: SkillName,
) -> SkillView:
    """One skill: what it does, which arguments it takes."""
    parts: Parts = request.app.state.parts
    return SkillView.of(visible(parts, caller).get(name), parts.settings.task_timeout_seconds)


@router.get(
    "/api/skills/{name}/estimate",
    response_description="The estimate.",
    responses=documented(errors.UnknownSkill, errors.InvalidRequest, *EVERYWHERE),
)
async def estimate_skill(
    request: Request,
    caller: Annotated[Caller, Depends(caller_of)],
    name: SkillName,
) -> EstimateView:
    """What a task of the skill will take, going by the last ones: the caller's (the root token's: all)."""
    parts: Parts = request.app.state.parts
    skill = visible(parts, caller).get(name)
    return EstimateView.of(skill.name, await estimate(parts.store, skill.name, caller.sees))
