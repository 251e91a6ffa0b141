"""Errors as RFC 9457 `application/problem+json`: which class is which status."""

import math
import secrets
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from agents.src import errors
from agents.src.errors import Problem

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 20
STATUS: dict[type[Problem], int] = {
    errors.NotAuthenticated: 401,
    errors.Refused: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.RevisionMoved: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.UnsatisfiableRange: 416,
    errors.Invalid: 422,
    errors.RevisionRequired: 428,
    errors.RateLimited: 429,
    errors.InternalError: 500,
    errors.Unavailable: 503,
}


def status_of(problem: type[Problem]) -> int:
    return next((STATUS[parent] for parent in problem.__mro__ if parent in STATUS), 500)


def type_of(problem: type[Problem]) -> str:
    return f"/problems/{problem.slug()}"


def render(problem: Problem) -> dict[str, Any]:
    kind = type(problem)
    known = {"type": type_of(kind), "title": kind.title(), "status": status_of(kind), "detail": problem.detail}
    return {**problem.members, **known}


def respond(problem: Problem) -> Response:
    return Response(to_json(render(problem)), status_of(type(problem)), headers_of(problem), MEDIA_TYPE)


def headers_of(problem: Problem) -> dict[str, str]:
    match problem:
        case errors.NotAuthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case errors.Unavailable():
            return {"Retry-After": "5"}
        case errors.RateLimited():
            return rate_headers(problem.members)
        case errors.MethodNotAllowed():
            return {"Allow": str(problem.members["allow"])}
        case errors.UnsatisfiableRange():
            return {"Content-Range": f"bytes */{problem.members['size']}"}
        case _:
            return {}


def rate_headers(members: dict[str, Any]) -> dict[str, str]:
    headers = {"Retry-After": str(math.ceil(members["retry_after"]))}
    if "limit" in members:
        headers["RateLimit-Policy"] = f'"default";q={members["limit"]};w={members["period"]}'
        headers["RateLimit"] = f'"default";r=0;t={math.ceil(members["retry_after"])}'
    return headers


def invalid(error: ValidationError | RequestValidationError) -> errors.InvalidRequest:
    """One sentence for the faults, and each with its JSON pointer or parameter."""
    found = [(pointer_of(fault["loc"]), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()[:MOST_FAULTS]]
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


def every_problem() -> dict[str, type[Problem]]:
    """All classes of the tree, by slug."""
    found = {}
    waiting = [Problem]
    while waiting:
        problem = waiting.pop()
        found[problem.slug()] = problem
        waiting += problem.__subclasses__()
    return found


def unexpected(request: Request, error: Exception) -> Response:
    """For a mistake of our own: the log has all of it, the answer only where to find it there."""
    incident = secrets.token_hex(6)
    log.error("request_failed", incident=incident, method=request.method, path=request.url.path, exc_info=error)
    return respond(errors.InternalError(f"Something went wrong here; the server's log has it as incident {incident}."))


def known_methods(request: Request, error: HTTPException) -> list[str]:
    """Those of the path. Starlette itself tells the methods of one route only, where several have the path."""
    routes = [route for route in request.app.state.routes if route.path_regex.fullmatch(request.url.path)]
    told = (error.headers or {}).get("Allow", "").split(", ")
    return sorted({*told, *(method for route in routes for method in route.methods)} - {""})


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
            allow = ", ".join(known_methods(request, error))
            return respond(errors.MethodNotAllowed(f"{request.method} is not known here; use {allow}.", allow=allow))
        if error.status_code == 404:
            return respond(errors.UnknownRoute("There is nothing at this path; see /docs."))
        return respond(errors.InvalidRequest(str(error.detail)))

    async def other(request: Request, error: Exception) -> Response:
        return unexpected(request, error)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, other)
