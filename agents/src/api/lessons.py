"""Routes of the memory room: what tasks learned, and a person has to look at."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import read_body
from agents.src.api.memory import own_skills
from agents.src.api.memory_views import LessonView, Verdict, VerdictRequest
from agents.src.api.openapi import EVERYWHERE, body_of, documented
from agents.src.api.views import Listing
from agents.src.bootstrap import Parts
from agents.src.memory import judge
from agents.src.tasks import Caller

router = APIRouter(tags=["memory"])

DECIDE = body_of(VerdictRequest, accept={"action": "accept"}, reject={"action": "reject"})
Asking = Annotated[Caller, Depends(caller_of)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The lesson's number.", examples=[7])]


@router.get("/api/memory/lessons", response_description="They, on one page.", responses=documented(*EVERYWHERE))
async def list_lessons(request: Request, caller: Asking) -> Listing[LessonView]:
    """What tasks of the skills that this token may use have learned, and a person has to look at, the oldest first."""
    parts: Parts = request.app.state.parts
    held = await parts.memory.lessons.held(own_skills(parts, caller, None))
    return Listing(items=[LessonView.of(taught) for taught in held])


@router.post(
    "/api/memory/lessons/{number}",
    response_description="The lesson as it stands now.",
    responses=documented(
        *(errors.UnknownLesson, errors.IllegalMove, errors.TooLarge, errors.UnsupportedMediaType, errors.InvalidRequest),
        *EVERYWHERE,
    ),
    openapi_extra=DECIDE,
)
async def judge_lesson(request: Request, number: Number, caller: Asking) -> LessonView:
    """Accepts what a task learned, so that it goes into the memory, or rejects it."""
    parts: Parts = request.app.state.parts
    wanted = await read_body(request, VerdictRequest, parts.settings.max_body_bytes)
    skill = (await parts.memory.lessons.get(number)).skill
    if skill not in own_skills(parts, caller, None):
        raise errors.UnknownLesson("There is no lesson of this number, or it is of a skill that this token does not allow.")
    taught = await judge(parts.memory.lessons, number, accept=wanted.action is Verdict.ACCEPT)
    if wanted.action is Verdict.ACCEPT:
        parts.memory.nudge(skill)
    return LessonView.of(taught)
