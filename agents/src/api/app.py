"""The web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agents.src.api import errors, files, skills, status, tasks
from agents.src.api.auth import Gate
from agents.src.bootstrap import VERSION, Parts
from agents.src.errors import Misconfigured
from agents.src.skills import SkillRequest

DESCRIPTION = """Runs skills as durable tasks. `POST /api/skill` submits, `GET /api/tasks/{id}/events` follows.

Every answer that is not a success is an `application/problem+json` (RFC 9457)."""
OPEN = {"/api/health", "/problems/{kind}"}


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

    app = FastAPI(title="modal-invoke", version=VERSION, description=DESCRIPTION, lifespan=lifespan, redoc_url=None)
    app.state.parts = parts
    app.state.gate = Gate(token.get_secret_value(), parts.settings.rate, parts.tokens, parts.clock)
    for room in (skills, tasks, files, status):
        app.include_router(room.router)
    errors.install(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the parts that FastAPI cannot see."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document["components"]
        components["schemas"] |= own_schemas()
        components["schemas"].pop("HTTPValidationError", None)
        components["schemas"].pop("ValidationError", None)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, operations in document["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN else [{"token": []}]
        app.openapi_schema = document
    return app.openapi_schema


def own_schemas() -> dict[str, Any]:
    """Schemas of what the routes read and write by themselves."""
    schemas: dict[str, Any] = {}
    for model in (SkillRequest, errors.ProblemView):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    return schemas
