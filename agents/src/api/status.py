"""Routes about the server itself."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.errors import every_problem, status_of, type_of
from agents.src.api.openapi import EVERYWHERE, documented
from agents.src.api.views import HealthView, ProblemKindView, StatusView
from agents.src.bootstrap import VERSION, Parts
from agents.src.tasks import Caller

router = APIRouter(tags=["status"])


@router.get("/api/health", response_description="It does.", responses=documented(errors.InternalError))
async def health() -> HealthView:
    """Open to all: the server answers."""
    return HealthView(status="ok", version=VERSION)


@router.get("/api/status", response_description="The counts.", responses=documented(*EVERYWHERE))
async def status(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> StatusView:
    """How many tasks stand where, what they used, and what they may spend today."""
    parts: Parts = request.app.state.parts
    totals, today = await parts.store.totals(caller.sees), await parts.budgets.today(caller.sees)
    return StatusView.of(totals, today, caller.name, VERSION)


@router.get(
    "/problems/{kind}",
    response_description="The kind of problem.",
    responses=documented(errors.NotFound, errors.InvalidRequest, errors.InternalError),
)
async def explain_problem(
    kind: Annotated[str, Path(min_length=1, max_length=100, description="A problem's kind.", examples=["unknown-skill"])],
) -> ProblemKindView:
    """What a problem's `type` means."""
    problem = every_problem().get(kind)
    if problem is None:
        raise errors.NotFound(f"There is no such problem; there are: {', '.join(sorted(every_problem()))}.")
    status = None if issubclass(problem, errors.TaskFailed) else status_of(problem)
    return ProblemKindView(type=type_of(problem), title=problem.title(), status=status)
