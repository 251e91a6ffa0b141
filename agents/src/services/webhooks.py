"""Standard Webhooks over httpx: one signed request. Implements `Post`."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agents import __version__
from agents.src.tasks import Callback, Reply, seconds_of

if TYPE_CHECKING:
    import httpx

    from agents.src.services.pinned import Resolve

TIMEOUT = 20.0
"""Seconds that an attempt may take in all."""


class Webhooks:
    """Belongs to the event loop that first uses it. `private`: whether they go to private addresses too."""

    def __init__(self, *, private: bool = False, resolve: "Resolve | None" = None) -> None:
        self._private = private
        self._resolve = resolve
        self._client: httpx.AsyncClient | None = None

    async def post(self, callback: Callback, notice_id: str, body: bytes, at: float) -> Reply:
        from agents.src.services.pinned import FAULTS

        headers = headers_of(callback.secret, notice_id, body, at)
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._opened().post(callback.url, content=body, headers=headers)
        except FAULTS:
            return Reply(None)
        return Reply(answer.status_code, seconds_of(answer.headers.get("retry-after"), at))

    def _opened(self) -> "httpx.AsyncClient":
        if self._client is None:
            import httpx

            from agents.src.services.pinned import CONNECT, CheckedBackend, CheckedTransport, look_up

            backend = CheckedBackend(self._resolve or look_up, private=self._private)
            timeout = httpx.Timeout(TIMEOUT, connect=CONNECT)
            self._client = httpx.AsyncClient(transport=CheckedTransport(backend), timeout=timeout, trust_env=False)
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def headers_of(secret: str | None, notice_id: str, body: bytes, at: float) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "user-agent": f"modal-invoke/{__version__}",
        "webhook-id": notice_id,
        "webhook-timestamp": str(int(at)),
    }
    if secret is None:
        return headers
    from standardwebhooks import Webhook

    when = datetime.fromtimestamp(int(at), UTC)
    signature: str = Webhook(secret).sign(notice_id, when, body.decode())
    return {**headers, "webhook-signature": signature}
