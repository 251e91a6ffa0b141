"""Sending files."""

import re
from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from agents.src.api.openapi import header
from agents.src.errors import UnsatisfiableRange

# What a stranger uploaded, or a model wrote, is never shown as a page of this server.
HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
RANGE = re.compile(r"\s*(?:(\d{1,18})\s*-\s*(\d{0,18})|-\s*\d{1,18})\s*")
BINARY = {"schema": {"type": "string", "format": "binary"}}
SENT = {
    "Accept-Ranges": header("Ranges are understood.", "bytes", always=True),
    "Content-Disposition": header("The file's name; it is meant to be saved.", 'attachment; filename="plan.md"', always=True),
    "ETag": header("For `If-Range`.", '"5f2c…"', always=True),
    "X-Content-Type-Options": header("The media type is not to be guessed.", "nosniff", always=True),
}
DOWNLOADED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", "content": {"*/*": BINARY}, "headers": SENT},
    206: {
        "description": "The part that was asked for; of several parts, `multipart/byteranges`.",
        "content": {"*/*": BINARY},
        "headers": SENT,
    },
}


def download(path: Path, name: str, media_type: str) -> FileResponse:
    """Raises UnsatisfiableRange when it is sent."""
    return Download(path, media_type=media_type, filename=name, headers=HEADERS)


class Download(FileResponse):
    """A `Range` that is none is passed over (RFC 9110), where Starlette would answer 400; one past the end is our 416."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def checked(message: Message) -> None:
            if message.get("status") == 416:
                size = int(dict(message["headers"])[b"content-range"].removeprefix(b"bytes */"))
                raise UnsatisfiableRange(f"The file has only {size} bytes.", size=size)
            await send(message)

        kept = [(name, value) for name, value in scope["headers"] if name != b"range" or is_range(value.decode("latin-1"))]
        await super().__call__({**scope, "headers": kept}, receive, checked)


def is_range(text: str) -> bool:
    unit, _, parts = text.partition("=")
    return unit.strip().lower() == "bytes" and all(is_part(part) for part in parts.split(","))


def is_part(text: str) -> bool:
    """`0-99`, `100-` or `-100`."""
    match = RANGE.fullmatch(text)
    return match is not None and not (match[1] and match[2] and int(match[2]) < int(match[1]))
