"""Sending files."""

from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse

# What a stranger uploaded, or a model wrote, is never shown as a page of this server.
HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
BINARY = {"schema": {"type": "string", "format": "binary"}}
PLAIN = {"text/plain": {"schema": {"type": "string"}}}
DOWNLOADED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", "content": {"*/*": BINARY}},
    206: {"description": "The part that was asked for.", "content": {"*/*": BINARY}},
    400: {"description": "The `Range` header is malformed.", "content": PLAIN},
    416: {"description": "The file does not reach that far.", "content": PLAIN},
}


def download(path: Path, name: str, media_type: str) -> FileResponse:
    return FileResponse(path, media_type=media_type, filename=name, headers=HEADERS)
