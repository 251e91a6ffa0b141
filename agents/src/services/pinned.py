"""HTTP to addresses that were checked: a name is looked up once, and the connection is made to what was found."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
import httpx

from agents.src.tasks import AddressRefused, special

CONNECT = 5.0
"""Seconds for each address of a host."""
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises OSError."""
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
FAULTS = (
    *(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol),
    *(httpx.HTTPError, httpx.InvalidURL, TimeoutError),
)
"""What an attempt may come to where there is no answer."""


async def look_up(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check(host: str, addresses: Sequence[str]) -> None:
    """Raises AddressRefused where any of them is special: the next connection might be made to that one."""
    for address in addresses:
        if kind := special(address):
            raise AddressRefused(
                f"Nothing is sent to {host}, which is at a {kind} address. Give a callback on the public internet, "
                "or set CALLBACK_PRIVATE_ADDRESSES on the server."
            )


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects for httpcore, which keeps the host's name for the certificate and the Host header. `private`: to any address."""

    def __init__(self, resolve: Resolve, *, private: bool) -> None:
        self._resolve = resolve
        self._private = private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("The host's name cannot be looked up.") from None
        if not self._private:
            check(host, addresses)
        fault: Exception = httpcore.ConnectError("The host has no address.")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault


class CheckedTransport(httpx.AsyncBaseTransport):
    """Of httpcore's pool with such a backend; no connection is kept for another request. Proxies have no place here."""

    def __init__(self, backend: CheckedBackend) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(), network_backend=backend, max_keepalive_connections=0
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Its answer; the body is for nobody. Raises those of `FAULTS`."""
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        await answer.aclose()
        return httpx.Response(answer.status, headers=answer.headers)

    async def aclose(self) -> None:
        await self._pool.aclose()
