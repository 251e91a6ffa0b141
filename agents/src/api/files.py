"""Routes for files that are handed over with a task."""

import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from agents.src import errors
from agents.src.api.auth import caller_of
from agents.src.api.body import chunks, limited
from agents.src.api.downloads import DOWNLOADED, download
from agents.src.api.openapi import EVERYWHERE, documented
from agents.src.api.views import FileId, FileView
from agents.src.bootstrap import Parts
from agents.src.tasks import Caller, FileInfo

router = APIRouter(tags=["files"])

CHUNK = 1 << 20
FORM_OVERHEAD = 64 * 1024
"""Bytes that a multipart form may have around its file."""
MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM = {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}}
UPLOAD = {
    "requestBody": {
        "description": "The file; none is an empty one.",
        "content": {"application/octet-stream": BINARY, "multipart/form-data": FORM},
    }
}
Name = Annotated[str | None, Query(min_length=1, max_length=1000, description="The file's name; required for a raw body.")]


@router.post(
    "/api/files",
    status_code=201,
    response_description="The file is kept.",
    responses=documented(errors.TooLarge, errors.InvalidRequest, *EVERYWHERE),
    openapi_extra=UPLOAD,
)
async def upload_file(request: Request, caller: Annotated[Caller, Depends(caller_of)], name: Name = None) -> FileView:
    """Hands a file over, as the raw body with `?name=`, or as the field `file` of a multipart form."""
    parts: Parts = request.app.state.parts
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return FileView.of(await from_form(parts, request, caller, name))
    if not name:
        raise errors.InvalidRequest("?name: the file's name is needed, such as /api/files?name=clip.mov.")
    body = chunks(request, parts.settings.max_file_bytes)
    return FileView.of(await parts.files.put(caller.name, name, media_type_of(request.headers.get("content-type")), body))


async def from_form(parts: Parts, request: Request, caller: Caller, name: str | None) -> FileInfo:
    try:
        form = await limited(request, parts.settings.max_file_bytes + FORM_OVERHEAD).form(max_files=1, max_fields=1)
    except HTTPException as error:
        raise errors.InvalidRequest(f"The form cannot be read: {error.detail}") from None
    except ClientDisconnect:
        raise errors.InvalidRequest("The form broke off before its end.") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise errors.InvalidRequest("The form needs a field `file` with a file in it.")
        media_type = media_type_of(file.content_type)
        return await parts.files.put(caller.name, name or file.filename or "file", media_type, read(file))
    finally:
        await form.close()


async def read(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk


def media_type_of(header: str | None) -> str | None:
    """The media type that was declared, None where none was that says something."""
    declared = (header or "").partition(";")[0].strip().lower()
    told = MEDIA_TYPE.fullmatch(declared) and declared not in {"application/octet-stream", "application/x-www-form-urlencoded"}
    return declared if told else None


@router.get(
    "/api/files/{file_id}",
    responses={**DOWNLOADED, **documented(errors.UnknownFile, errors.UnsatisfiableRange, errors.InvalidRequest, *EVERYWHERE)},
    response_class=FileResponse,
)
async def fetch_file(request: Request, file_id: FileId, caller: Annotated[Caller, Depends(caller_of)]) -> Response:
    """The file as it was handed over. Understands `Range`."""
    parts: Parts = request.app.state.parts
    file = await parts.files.info(file_id)
    if caller.sees not in (None, file.caller):
        raise errors.UnknownFile("There is no file of this id, or it is not yours.")
    return download(await parts.files.path(file), file.name, file.media_type)
