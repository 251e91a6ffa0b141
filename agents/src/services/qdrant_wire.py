"""How Qdrant is spoken to: its REST paths and JSON, over the network (`HttpWire`) or in this process (`LocalWire`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from agents.src.errors import Misconfigured

READING = ("/points", "/points/scroll", "/points/count", "/points/query", "/points/query/batch")
"""Ends of the paths whose POST changes nothing."""


class Refusal(Exception):
    """Qdrant's answer to a request that it does not carry out: an HTTP status from 400 on, and its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason

    @property
    def no_collection(self) -> bool:
        """A point may be missing, too."""
        return self.status == 404 and "collection" in self.reason.lower()


class Wire(Protocol):
    @property
    def place(self) -> str:
        """Where the memory lies, for people. No secret is in it."""

    async def version(self) -> str:
        """Qdrant's. Raises Misconfigured where that is too old, or no Qdrant; Unavailable."""

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The `result` member of the answer. Raises Refusal, Misconfigured, Unavailable; then a write may have been done."""

    async def close(self) -> None: ...


def only_reads(method: str, path: str) -> bool:
    return method == "GET" or (method == "POST" and path.partition("?")[0].endswith(READING))


@contextmanager
def told(place: str) -> Iterator[None]:
    """A refusal that nobody expected, as an error that a person can be told."""
    try:
        yield
    except Refusal as refusal:
        raise Misconfigured(f"Qdrant ({place}) refuses a request ({refusal.status}): {refusal.reason}") from None


class CountingWire:
    """Counts the points that pass: `read` from Qdrant, `written` to it; and requests."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.requests = 0
        self.read = 0
        self.written = 0

    @property
    def place(self) -> str:
        return self._wire.place

    async def version(self) -> str:
        return await self._wire.version()

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        self.requests += 1
        self.written += sum(len(operation["upsert"]["points"]) for operation in upserts(body))
        result = await self._wire.call(method, path, body)
        self.read += len(found_in(result)) if only_reads(method, path) else 0
        return result

    async def close(self) -> None:
        await self._wire.close()


def found_in(result: Any) -> list[Any]:
    """The points of an answer: of a scroll, of a query, of several, or of a plain list."""
    if isinstance(result, dict):
        return list(result.get("points", ()))
    if isinstance(result, list):
        return [point for one in result for point in (found_in(one) if "points" in one else [one])]
    return []


def upserts(body: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [operation for operation in (body or {}).get("operations", ()) if "upsert" in operation]
