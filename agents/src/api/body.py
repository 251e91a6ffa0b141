"""Reading request bodies without ever holding more than the limit."""

from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Message

from agents.src.api.errors import invalid
from agents.src.errors import InvalidRequest, TooLarge, UnsupportedMediaType

Model = TypeVar("Model", bound=BaseModel)


def declared_length(request: Request) -> int:
    """From `Content-Length`, 0 where there is none."""
    length = request.headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else 0


def check_length(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"The body may have at most {limit} bytes.")


async def chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises TooLarge as soon as the limit is passed, InvalidRequest where the sender went away."""
    try:
        async for chunk in limited(request, limit).stream():
            yield chunk
    except ClientDisconnect:
        raise InvalidRequest("The body broke off before its end.") from None


async def json_body(request: Request, limit: int) -> bytes:
    """The raw JSON. Raises UnsupportedMediaType, TooLarge, InvalidRequest."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType("Send the request as application/json.")
    body = b"".join([chunk async for chunk in chunks(request, limit)])
    if not body:
        raise InvalidRequest("The body is empty; send a JSON object.")
    return body


async def read_body(request: Request, model: type[Model], limit: int) -> Model:
    """What the JSON says. Raises UnsupportedMediaType, TooLarge, InvalidRequest."""
    body = await json_body(request, limit)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def limited(request: Request, limit: int) -> Request:
    """The same request, whose body ends with TooLarge once it passes the limit. For parsers that read the body themselves."""
    check_length(declared_length(request), limit)
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        check_length(size, limit)
        return message

    return Request(request.scope, receive)
