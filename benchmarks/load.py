"""A small HTTP/1.1 load generator: so many connections, each with one request at a time, for so many seconds."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast


@dataclass(slots=True)
class Load:
    """What a run of load saw. Latencies in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


class Connection(asyncio.Protocol):
    """Sends the request again whenever its answer is complete."""

    def __init__(self, request: bytes, load: Load, deadline: float) -> None:
        self._request = request
        self._load = load
        self._deadline = deadline
        self._received = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < length_of(head):
            return
        now = time.perf_counter()
        self._load.latencies.append(now - self._sent_at)
        self._load.refused += not head.startswith(b"HTTP/1.1 2")
        self._received = b""
        if now < self._deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def length_of(head: bytes) -> int:
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


def post(path: str, body: bytes, token: str) -> bytes:
    """A request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def put_load(port: int, request: bytes, connections: int, seconds: float) -> Load:
    """Loads 127.0.0.1:`port`."""
    load = Load()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    clients = [
        (await loop.create_connection(lambda: Connection(request, load, started + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for client in clients))
    load.seconds = time.perf_counter() - started
    return load
