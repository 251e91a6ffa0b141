"""Errors as RFC 9457 `application/problem+json`: which class is which status, and how they are documented."""

import math
import secrets
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from agents.src import errors
from agents.src.errors import Problem

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[Problem], int] = {
    errors.NotAuthenticated: 401,
    errors.Refused: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.RateLimited: 429,
    errors.InternalError: 500,
    errors.Unavailable: 503,
}
EXAMPLES: dict[type[Problem], str] = {
    errors.NotAuthenticated: "Send `Authorization: Bearer <token>`.",
    errors.SkillNotAllowed: "This token does not allow the skill 'planning'; it allows media-processing.",
    errors.UnknownSkill: 'There is no skill "planing"; did you mean planning?',
    errors.UnknownTask: "There is no task of this id, or it is not yours.",
    errors.UnknownFile: "There is no file of this id, or it is not yours.",
    errors.UnknownArtifact: "The task has no artifact of this name.",
    errors.AlreadyEnded: "The task has already ended: it is completed.",
    errors.TooLarge: "The body may have at most 1048576 bytes.",
    errors.UnsupportedMediaType: "Send the request as application/json.",
    errors.InvalidRequest: "/task: Field required",
    errors.InvalidArguments: "The arguments do not fit the skill media-processing: #/args/width: …",
    errors.KeyReused: "This Idempotency-Key came with another request before; use a new key for a new request.",
    errors.RateLimited: "This token may submit 60/minute; try again in 2 s.",
    errors.Unavailable: "The PostgreSQL database cannot be reached. Check DATABASE_URL and the server.",
}


class ProblemView(BaseModel):
    """RFC 9457. Further members may follow, by type."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The kind of problem, a relative reference that this server answers.")
    title: str
    status: int
    detail: str = Field(description="What is wrong this time, and what to do.")


def status_of(problem: type[Problem]) -> int:
    return next((STATUS[parent] for parent in problem.__mro__ if parent in STATUS), 500)


def type_of(problem: type[Problem]) -> str:
    return f"/problems/{problem.slug()}"


def render(problem: Problem) -> dict[str, Any]:
    kind = type(problem)
    known = {"type": type_of(kind), "title": kind.title(), "status": status_of(kind), "detail": problem.detail}
    return {**problem.members, **known}


def respond(problem: Problem) -> Response:
    headers = {}
    if isinstance(problem, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(problem, errors.Unavailable):
        headers["Retry-After"] = "5"
    if isinstance(problem, errors.RateLimited):
        headers |= rate_headers(problem.members)
    if isinstance(problem, errors.MethodNotAllowed):
        headers["Allow"] = str(problem.members.pop("allow"))
    return Response(to_json(render(problem)), status_of(type(problem)), headers, MEDIA_TYPE)


def rate_headers(members: dict[str, Any]) -> dict[str, str]:
    headers = {"Retry-After": str(math.ceil(members["retry_after"]))}
    if "limit" in members:
        headers["RateLimit-Policy"] = f'"default";q={members["limit"]};w={members["period"]}'
        headers["RateLimit"] = f'"default";r=0;t={math.ceil(members["retry_after"])}'
    return headers


def invalid(error: ValidationError | RequestValidationError) -> errors.InvalidRequest:
    """One sentence for all faults, and each with its JSON pointer or parameter."""
    found = [(pointer_of(fault["loc"]), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()]
    faults = [{"pointer": pointer, "detail": detail} for pointer, detail in found]
    return errors.InvalidRequest("; ".join(f"{fault['pointer']}: {fault['detail']}" for fault in faults), errors=faults)


def pointer_of(location: tuple[int | str, ...]) -> str:
    """`#/task` in the body, `?limit` in the query, `Prefer` for a header."""
    match location:
        case ("query", name, *_):
            return f"?{name}"
        case ("path" | "header", name, *_):
            return str(name)
        case _:
            return "/".join(["#", *(str(part).replace("~", "~0").replace("/", "~1") for part in location if part != "body")])


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """What to say about these problems in the OpenAPI document."""
    responses: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        status = status_of(problem)
        response = responses.setdefault(
            status,
            {
                "description": problem.title(),
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}, "examples": {}}},
            },
        )
        example = render(problem(EXAMPLES.get(problem, problem.title())))
        response["content"][MEDIA_TYPE]["examples"][problem.slug()] = {"value": example}
        if response["description"] != problem.title() and problem.title() not in response["description"]:
            response["description"] += f" {problem.title()}"
    return responses


EVERYWHERE = (errors.NotAuthenticated, errors.RateLimited, errors.InternalError, errors.Unavailable)


def every_problem() -> dict[str, type[Problem]]:
    """All classes of the tree, by slug."""
    found = {}
    waiting = [Problem]
    while waiting:
        problem = waiting.pop()
        found[problem.slug()] = problem
        waiting += problem.__subclasses__()
    return found


def install(app: FastAPI) -> None:
    """Makes every error of the app an `application/problem+json`."""

    async def problem(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette's signature
        if not isinstance(error, Problem):
            raise error
        return respond(error)

    async def validation(request: Request, error: Exception) -> Response:  # noqa: ARG001
        if not isinstance(error, RequestValidationError):
            raise error
        return respond(invalid(error))

    async def http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if error.status_code == 405:
            allow = (error.headers or {}).get("Allow", "")
            return respond(errors.MethodNotAllowed(f"{request.method} is not known here; use {allow}.", allow=allow))
        if error.status_code == 404:
            return respond(errors.UnknownRoute("There is nothing at this path; see /docs."))
        return respond(errors.InvalidRequest(str(error.detail)))

    async def unexpected(request: Request, error: Exception) -> Response:
        incident = secrets.token_hex(6)
        log.error("request_failed", incident=incident, method=request.method, path=request.url.path, exc_info=error)
        return respond(errors.InternalError(f"Something went wrong here; the server's log has it as incident {incident}."))

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)
