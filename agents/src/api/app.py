"""The web application."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from agents.src.api import conversations, errors, files, inbox, lessons, memory, questions, skills, status, steering, tasks
from agents.src.api.auth import Gate
from agents.src.api.openapi import describe
from agents.src.bootstrap import VERSION, Parts
from agents.src.errors import Misconfigured

DESCRIPTION = """Runs skills as durable tasks. `POST /api/skill` submits, `GET /api/tasks/{id}/events` follows.

Every answer that is not a success is an `application/problem+json` (RFC 9457)."""


class Shortcut(FastAPI):
    """Answers `POST /api/skill` before FastAPI's middleware, routing and dependencies. `docs/decisions/fast-path.md` says why."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/api/skill" and scope["method"] == "POST":
            scope["app"] = self
            response = await skills.submit_quickly(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def spare_the_collector() -> None:
    """What is imported stays: walking it again and again made the slowest hundredth of requests three times as slow."""
    gc.collect()
    gc.freeze()


def create_app(parts: Parts) -> FastAPI:
    """The application over parts that it opens at startup and closes at shutdown. Raises Misconfigured without a token."""
    token = parts.settings.token
    if token is None:
        raise Misconfigured(
            "MODAL_INVOKE_TOKEN is not set, and the server runs with a token only. Make one: `agents token generate`."
        )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001  # FastAPI's signature
        await parts.open()
        yield
        await parts.close()

    app = Shortcut(
        title="modal-invoke",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = parts
    app.state.gate = Gate(token.get_secret_value(), parts.settings.rate, parts.tokens, parts.clock)
    rooms = (skills, tasks, steering, questions, inbox, files, memory, lessons, conversations, status)
    routers = [room.router for room in rooms]
    for router in routers:
        app.include_router(router)
    app.state.routes = [route for router in routers for route in router.routes]
    errors.install(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app
