"""A callback's other end, over real HTTP on the loopback.

Receiver            what it answers next (204 when nothing is said), and what it has got
receiving(receiver) runs it; gives its URL
SECRET              a signing secret
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agents.src.services.loopback import serve
from tests.building import PATIENCE

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Got:
    """A request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    """`answers`: a status, or a response, for each request to come. `hang`: those to come are never answered."""

    answers: list[int | Response] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    hang: bool = False
    arrived: asyncio.Queue[Got] = field(default_factory=asyncio.Queue)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        got = Got(request.method, request.url.path, dict(request.headers), await request.body())
        self.got.append(got)
        answer = self.answers.pop(0) if self.answers else 204
        self.arrived.put_nowait(got)
        if self.hang:
            await asyncio.Event().wait()
        await (answer if isinstance(answer, Response) else Response(status_code=answer))(scope, receive, send)

    async def next(self) -> Got:
        async with asyncio.timeout(PATIENCE):
            return await self.arrived.get()


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[str]:
    async with serve(receiver) as url:
        yield f"{url}/hook"
