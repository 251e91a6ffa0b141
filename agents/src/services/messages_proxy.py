"""Stands between Claude Code and the model's service, so that the real key never enters a process that runs tools."""

import hmac
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr

from agents.src.services.loopback import serve

if TYPE_CHECKING:
    import httpx
    from starlette.requests import Request
    from starlette.responses import Response

PATHS = ("/v1/messages", "/v1/messages/count_tokens")
HOP_BY_HOP = frozenset(
    {
        "connection",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where Claude Code finds the proxy, and the key that opens it, for this run alone."""

    url: str
    key: str


@asynccontextmanager
async def messages_proxy(base_url: str, secret: SecretStr) -> AsyncIterator[Entrance]:
    """Passes requests for messages on to `base_url`, streaming, with the entrance's key replaced by `secret`."""
    import httpx
    from starlette.applications import Starlette
    from starlette.routing import Route

    key = f"modal-invoke-{secrets.token_urlsafe(32)}"
    timeout = httpx.Timeout(None, connect=10)  # how long an answer may take is for Claude Code to say
    async with httpx.AsyncClient(timeout=timeout, trust_env=not base_url.startswith("http://127.0.0.1:")) as client:
        proxy = _Proxy(client, base_url.rstrip("/"), key, secret.get_secret_value())
        async with serve(Starlette(routes=[Route(path, proxy.pass_on, methods=["POST"]) for path in PATHS])) as url:
            yield Entrance(url, key)


@dataclass(frozen=True, slots=True)
class _Proxy:
    client: "httpx.AsyncClient"
    base_url: str
    key: str
    secret: str

    async def pass_on(self, request: "Request") -> "Response":
        import httpx
        from starlette.responses import StreamingResponse

        headers = self._unlocked(request)
        if headers is None:
            return _problem(401, "authentication_error", "This is not the key of this run.")
        url = f"{self.base_url}{request.url.path}?{request.url.query}"
        try:
            answer = await self.client.send(
                self.client.build_request("POST", url, headers=headers, content=request.stream()), stream=True
            )
        except httpx.HTTPError as error:
            log.warning("model_unreachable", error=type(error).__name__)
            return _problem(502, "api_error", "The model's service cannot be reached.")
        return StreamingResponse(_body(answer), answer.status_code, _answered(answer))

    def _unlocked(self, request: "Request") -> dict[str, str] | None:
        """The headers to send on, with the secret where the key was; None if it was not there."""
        headers = _kept(request.headers.items())
        for name in ("x-api-key", "authorization"):
            scheme, space, value = headers.get(name, "").rpartition(" ")
            if hmac.compare_digest(value.encode(), self.key.encode()):
                return headers | {name: f"{scheme}{space}{self.secret}"}
        return None


def _kept(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers if name.lower() not in HOP_BY_HOP}


def _answered(answer: "httpx.Response") -> dict[str, str]:
    headers = _kept(answer.headers.items())
    # Claude Code retries a 401 for minutes; no retry makes a refused key good.
    return headers | {"x-should-retry": "false"} if answer.status_code == 401 else headers


async def _body(answer: "httpx.Response") -> AsyncIterator[bytes]:
    import httpx

    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    except httpx.HTTPError as error:
        log.warning("model_broke_off", error=type(error).__name__)  # Claude Code sees an answer cut short, and retries
    finally:
        await answer.aclose()


def _problem(status: int, kind: str, message: str) -> "Response":
    from starlette.responses import JSONResponse

    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status)
