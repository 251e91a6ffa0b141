"""Routes about the server itself."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.errors import EVERYWHERE, documented, every_problem, status_of, type_of
from agents.src.api.views import HealthView, StatusView
from agents.src.bootstrap import VERSION, Parts
from agents.src.tasks import Caller

router = APIRouter(tags=["status"])


@router.get("/api/health", responses=documented(errors.InternalError))
async def health() -> HealthView:
    """Open to all: the server answers."""
    return HealthView(status="ok", version=VERSION)


@router.get("/api/status", responses=documented(*EVERYWHERE))
async def status(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> StatusView:
    """How many tasks stand where, and what they used."""
    parts: Parts = request.app.state.parts
    return StatusView.of(await parts.store.totals(caller.sees), caller.name, VERSION)


@router.get("/problems/{kind}", responses=documented(errors.NotFound, errors.InvalidRequest, errors.InternalError))
async def explain_problem(
    kind: Annotated[str, Path(max_length=100, description="A problem's kind.", examples=["unknown-skill"])],
) -> dict[str, Any]:
    """What a problem's `type` means."""
    problem = every_problem().get(kind)
    if problem is None:
        raise errors.NotFound(f"There is no such problem; there are: {', '.join(sorted(every_problem()))}.")
    return {"type": type_of(problem), "title": problem.title(), "status": status_of(problem)}
