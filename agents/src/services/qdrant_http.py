"""Qdrant over the network: REST by httpx, for qdrant-client takes most of a second to import."""

import ipaddress
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import from_json, to_json

from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.qdrant_wire import Refusal, only_reads

if TYPE_CHECKING:
    import httpx

OLDEST = (1, 17)
"""The first Qdrant that keeps to a condition on a write; an older one overwrites and says nothing."""
PORT = 6333
"""Where the URL names none: as with Qdrant's own clients."""
CONNECT, ANSWER = 5.0, 30.0
"""Seconds."""
BUSY = (429, 503)


class HttpWire:
    """Belongs to the event loop that first uses it. Raises Misconfigured for a URL that is none."""

    def __init__(self, url: str, key: SecretStr | None, answer: float = ANSWER) -> None:
        self._base, self.place = addresses(url)
        self._key = None if key is None else checked_key(key)
        self._answer = answer
        self._client: httpx.AsyncClient | None = None
        self._version = ""

    async def version(self) -> str:
        if not self._version:
            response = await self._send("GET", "/", None)
            if response.status_code >= 400 and not isinstance(error := self._told(response), Refusal):
                raise error
            self._version = checked_version(document_of(response), self.place)
        return self._version

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        await self.version()
        response = await self._send(method, path, body)
        document = document_of(response)
        if response.status_code >= 400:
            raise self._told(response)
        if not isinstance(document, dict) or "result" not in document:
            raise Unavailable(f"What answers at {self.place} does not answer as Qdrant does; look at QDRANT_URL.")
        return document["result"]

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> "httpx.Response":
        """Once more where only something is read: whether a lost write was done is for the caller to find out."""
        import httpx

        content = None if body is None else to_json(body)
        tries = 2 if only_reads(method, path) else 1
        while True:
            tries -= 1
            try:
                response = await self._opened().request(method, self._base + path, content=content)
            except httpx.InvalidURL:
                raise Misconfigured(f"QDRANT_URL is not an address: {self.place}.") from None
            except httpx.RequestError as error:
                if not tries:
                    raise Unavailable(self._unreachable(error)) from None
                continue
            if response.status_code < 500 or not tries:
                return response

    def _opened(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            headers = {"content-type": "application/json"} | ({} if self._key is None else {"api-key": self._key})
            timeout = httpx.Timeout(self._answer, connect=CONNECT)
            # A proxy has no business on this machine's own addresses.
            self._client = httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=not is_loopback(self._base))
        return self._client

    def _unreachable(self, error: Exception) -> str:
        import httpx

        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
            return f"Qdrant cannot be reached at {self.place}. Is it running, and QDRANT_URL right?"
        if isinstance(error, httpx.TimeoutException):
            return f"Qdrant at {self.place} has not answered in {self._answer:g} s; try again."
        return f"The connection to Qdrant at {self.place} broke off; try again."

    def _told(self, response: "httpx.Response") -> Exception:
        """An answer from 400 on, as an error."""
        status, reason = response.status_code, reason_of(document_of(response)) or response.reason_phrase
        if status in (401, 403):
            fault = "does not accept the key in QDRANT_API_KEY" if self._key else "wants a key: set QDRANT_API_KEY"
            return Misconfigured(f"Qdrant at {self.place} {fault}.")
        if status in BUSY:
            later = response.headers.get("retry-after", "")
            when = f"in {later} s" if later.isdecimal() else "later"
            return Unavailable(f"Qdrant at {self.place} is too busy ({status}); try again {when}.")
        if status >= 500:
            return Unavailable(f"Qdrant at {self.place} has failed ({status}): {reason}. Its own log may say why.")
        return Refusal(status, reason)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def addresses(url: str) -> tuple[str, str]:
    """What to put before a path, and the same for people, without a user's name and password."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or PORT
    except ValueError:
        parts, port = urlsplit(""), PORT
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured("QDRANT_URL must look like https://HOST:6333; without it, the memory lies in the state directory.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{user}{host}:{port}{path}", f"{parts.scheme}://{host}:{port}{path}"


def checked_version(document: Any, place: str) -> str:
    found = document if isinstance(document, dict) else {}
    version = re.match(r"(\d+)\.(\d+)", str(found.get("version", "")))
    if "qdrant" not in str(found.get("title", "")).lower() or not version:
        raise Misconfigured(f"What answers at {place} is not Qdrant; look at QDRANT_URL.")
    if (int(version[1]), int(version[2])) < OLDEST:
        raise Misconfigured(
            f"Qdrant at {place} is version {found['version']}, which would overwrite what others wrote. "
            f"Upgrade it to {'.'.join(map(str, OLDEST))} or newer."
        )
    return str(found["version"])


def checked_key(key: SecretStr) -> str:
    value = key.get_secret_value().strip()
    if not (value.isascii() and value.isprintable()):
        raise Misconfigured("QDRANT_API_KEY has characters that no key has; copy it once more.")
    return value


def is_loopback(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def document_of(response: "httpx.Response") -> Any:
    """The JSON of an answer; None where it is not JSON."""
    try:
        return from_json(response.content)
    except ValueError:
        return None


def reason_of(document: Any) -> str:
    """As Qdrant says it: `{"status": {"error": "…"}}`."""
    status = document.get("status") if isinstance(document, dict) else None
    return str(status.get("error") or "")[:500] if isinstance(status, dict) else ""
