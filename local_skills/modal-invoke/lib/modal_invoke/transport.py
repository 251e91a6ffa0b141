"""One HTTP request: the connection, redirects, errors, and what is worth another try."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import socket
from ssl import SSLCertVerificationError
from typing import Any, Callable, NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from modal_invoke import __version__
from modal_invoke.settings import Settings, is_loopback
from modal_invoke.stop import Exit, Stop, sentence

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 180.0  # a cold start on Modal included; Modal itself redirects after 150
PAUSES = (0.5, 1.0, 2.0)
LONGEST_PAUSE = 60.0
MAX_REDIRECTS = 30  # of 150 seconds each, as Modal gives them
ERROR_BYTES = 65536
TRY_AGAIN = frozenset({429, 502, 503, 504})
UNAVAILABLE = frozenset({502, 503, 504})

T = TypeVar("T")


class Body(NamedTuple):
    """A body that can be sent more than once. `size` in bytes."""

    chunks: Callable[[], Iterator[bytes]]
    size: int
    media_type: str


class Request(NamedTuple):
    """`path` begins with /api and has its query. `timeout`: seconds of silence that are borne."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: Body | None = None
    timeout: float = ANSWER_SECONDS


class Again(Exception):
    """This may go well another time. `stop` is how to end if it does not; `after` the seconds that the server asked to wait."""

    def __init__(self, stop: Stop, after: float | None = None) -> None:
        super().__init__(stop.message)
        self.stop = stop
        self.after = after


class Reply:
    """An answer whose body has yet to be read. A connection that breaks meanwhile raises Again."""

    def __init__(self, response: HTTPResponse, connected: socket, url: str) -> None:
        self.status = response.status
        self.reason = response.reason
        self.headers = response.headers
        self._socket = connected
        self._response = response
        self._url = url

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        with losses(self._url):
            return self._response.read(size)

    def json(self) -> Any:
        with losses(self._url):
            content = self._response.read()
        try:
            return json.loads(content)
        except ValueError:
            raise Stop(Exit.UNREACHABLE, f"{self._url} does not answer as a modal-invoke server does.") from None

    def lines(self, timeout: Callable[[], float]) -> Iterator[bytes]:
        """Each line as it arrives. `timeout` says how many seconds the next one may take."""
        while True:
            with losses(self._url):
                self._socket.settimeout(timeout())
                line = self._response.readline()
            if not line:
                return
            yield line


class Transport:
    """Carries requests to one server and the token to no other. `notice` is told when it has to wait."""

    def __init__(self, settings: Settings, notice: Callable[[str], None]) -> None:
        self.url = settings.url
        self._base = urlsplit(settings.url)
        self._token = settings.token
        self._notice = notice

    def call(self, request: Request, use: Callable[[Reply], T]) -> T:
        """What `use` makes of the answer. Both are repeated when that is promising, so the request must bear it."""
        for pause in (*PAUSES, None):
            try:
                with self.open(request) as reply:
                    return use(reply)
            except Again as again:
                wait = pause if again.after is None else again.after
                if pause is None or wait is None or wait > LONGEST_PAUSE:
                    raise again.stop from None
                self._notice(f"{again.stop.message} Trying again in {wait:g} s.")
                time.sleep(wait)
        raise AssertionError  # the last pause is None

    @contextmanager
    def open(self, request: Request) -> Iterator[Reply]:
        """The answer to one request; raises Stop when the server refuses, Again when that may change."""
        for _ in range(MAX_REDIRECTS):
            connection = self._connection()
            try:
                reply = self._send(connection, request)
                if not 300 <= reply.status < 400:
                    check(reply)
                    yield reply
                    return
                request = self._redirected(request, reply)
            finally:
                connection.close()
        raise Stop(Exit.UNREACHABLE, f"{self.url} redirects without end.")

    def _send(self, connection: HTTPConnection, request: Request) -> Reply:
        headers = {"Authorization": f"Bearer {self._token}", "User-Agent": f"modal-invoke/{__version__}", **request.headers}
        if request.body:
            headers.update({"Content-Type": request.body.media_type, "Content-Length": str(request.body.size)})
        with losses(self.url):
            connection.connect()
            connected: socket = connection.sock  # the connection forgets it when the answer says close
            connected.settimeout(request.timeout)
            try:
                chunks = request.body.chunks() if request.body else None
                connection.request(request.method, self._base.path + request.path, chunks, headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server may have answered before it read the whole body: 401, 413
            return Reply(connection.getresponse(), connected, self.url)

    def _connection(self) -> HTTPConnection:
        host, port = self._base.hostname or "", self._base.port
        if self._base.scheme == "http":
            return HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        proxy = proxy_for(host)
        if not proxy:
            return HTTPSConnection(host, port, timeout=CONNECT_SECONDS)
        connection = HTTPSConnection(proxy.hostname or "", proxy.port, timeout=CONNECT_SECONDS)
        connection.set_tunnel(host, port, proxy_headers(proxy))
        return connection

    def _redirected(self, request: Request, reply: Reply) -> Request:
        target = urlsplit(urljoin(f"{self.url}{request.path}", reply.headers.get("Location", "")))
        base = self._base.path
        stays = (target.scheme, target.netloc) == (self._base.scheme, self._base.netloc) and target.path.startswith(base)
        if not stays or (request.method != "GET" and reply.status != 303):
            raise Stop(
                Exit.UNREACHABLE,
                f"{self.url} redirects to {target.scheme}://{target.netloc}, which gets no token from here. "
                "If the server has moved, run `modal-invoke login` with its new URL.",
            )
        path = target.path[len(base) :] + (f"?{target.query}" if target.query else "")
        return request._replace(method="GET", path=path, body=None)


@contextmanager
def losses(url: str) -> Iterator[None]:
    """Turns what a broken connection raises into Again."""
    try:
        yield
    except SSLCertVerificationError as error:
        raise Stop(Exit.UNREACHABLE, f"The certificate of {url} is not trusted ({error.verify_message}).") from None
    except (OSError, HTTPException) as error:
        reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
        raise Again(Stop(Exit.UNREACHABLE, f"Cannot reach {url} ({reason}).")) from None


def check(reply: Reply) -> None:
    """Raises what an answer of 400 and above means."""
    if reply.status < 400:
        return
    stop = Stop(exit_for(reply.status), complaint(reply), reply.status)
    if reply.status in TRY_AGAIN:
        raise Again(stop, retry_after(reply.headers.get("Retry-After")))
    raise stop


def exit_for(status: int) -> Exit:
    if status in (401, 403):
        return Exit.NOT_AUTHORISED
    return Exit.UNREACHABLE if status in UNAVAILABLE else Exit.FAILED


def complaint(reply: Reply) -> str:
    """`title: detail` of a problem document, or the status line where there is none."""
    try:
        problem = json.loads(reply.read(ERROR_BYTES))
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    advice = " Run `modal-invoke login` with a valid token." if reply.status == 401 else ""
    return sentence(problem.get("title") or f"{reply.status} {reply.reason}", problem.get("detail")) + advice


def retry_after(text: str | None) -> float | None:
    """Seconds; a date counts as none, and the usual pause is taken."""
    return float(text) if text and text.strip().isdigit() else None


def proxy_for(host: str) -> SplitResult | None:
    """The proxy that this machine wants to be used for https. Never one for loopback."""
    address = getproxies().get("https")
    if not address or is_loopback(host) or proxy_bypass(host):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")


def proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {b64encode(pair).decode()}"}
