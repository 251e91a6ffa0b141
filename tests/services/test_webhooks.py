"""What is sent to a callback: signed, to a checked address, and nowhere else."""

import asyncio
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.responses import Response

from agents.src.services.webhooks import Webhooks
from agents.src.tasks import AddressRefused, Callback, Reply
from tests.building import PATIENCE
from tests.receiver import SECRET, Receiver, receiving

BODY = b'{"type":"task.completed","text":"\xc3\xbc"}'


@dataclass
class Book:
    """Who is where: stands in for the name service, and counts."""

    addresses: Sequence[str]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.addresses


def sending(story: Callable[[Receiver, str], Awaitable[None]]) -> None:
    async def live() -> None:
        receiver = Receiver()
        async with asyncio.timeout(PATIENCE), receiving(receiver) as url:
            await story(receiver, url)

    asyncio.run(live())


async def post(url: str, hooks: Webhooks | None = None, secret: str | None = None, at: float | None = None) -> Reply:
    hooks = hooks or Webhooks(private=True)
    try:
        return await hooks.post(Callback(url=url, secret=secret), "t-3", BODY, time.time() if at is None else at)
    finally:
        await hooks.close()


def named(url: str, name: str = "hooks.example") -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{name}:{parts.port}{parts.path}"


def test_it_is_signed_as_standard_webhooks_says() -> None:
    async def story(receiver: Receiver, url: str) -> None:
        assert await post(url, secret=SECRET) == Reply(204)
        [got] = receiver.got
        assert (got.method, got.path, got.body) == ("POST", "/hook", BODY)
        assert Webhook(SECRET).verify(got.body, got.headers) == {"type": "task.completed", "text": "ü"}
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(got.body + b" ", got.headers)
        assert got.headers["webhook-id"] == "t-3"
        assert got.headers["content-type"] == "application/json"
        assert got.headers["user-agent"].startswith("modal-invoke/")

    sending(story)


def test_without_a_secret_it_is_not_signed() -> None:
    async def story(receiver: Receiver, url: str) -> None:
        assert await post(url, at=1_800_000_000.9) == Reply(204)
        headers = receiver.got[0].headers
        assert (headers["webhook-timestamp"], "webhook-signature" in headers) == ("1800000000", False)

    sending(story)


@pytest.mark.parametrize("status", [200, 400, 410, 500])
def test_the_status_is_told_whatever_it_is(status: int) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        receiver.answers = [Response("x" * 100_000, status, {"Retry-After": "7"})]
        assert await post(url) == Reply(status, 7.0)

    sending(story)


def test_a_redirect_is_not_followed() -> None:
    async def story(receiver: Receiver, url: str) -> None:
        receiver.answers = [Response(status_code=307, headers={"Location": f"{url}/elsewhere"})]
        assert await post(url) == Reply(307)
        assert [got.path for got in receiver.got] == ["/hook"]

    sending(story)


def test_where_nobody_answers_there_is_no_status() -> None:
    async def story(receiver: Receiver, url: str) -> None:
        port = urlsplit(url).port
        for nowhere in ("http://127.0.0.1:1/", f"https://127.0.0.1:{port}/", "http://no-such-host.invalid/", "http://[x]/"):
            assert await post(nowhere) == Reply(None), nowhere

    sending(story)


def test_a_connection_that_breaks_off_is_no_answer() -> None:
    async def live() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.transport.abort()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            assert await post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/") == Reply(None)

    asyncio.run(live())


def test_a_private_address_is_refused_and_nothing_is_sent() -> None:
    async def story(receiver: Receiver, url: str) -> None:
        port = urlsplit(url).port
        for there in (url, f"http://localhost:{port}/", f"http://2130706433:{port}/", f"http://[::ffff:127.0.0.1]:{port}/"):
            with pytest.raises(AddressRefused, match=r"loopback.*CALLBACK_PRIVATE_ADDRESSES"):
                await post(there, Webhooks())
        assert receiver.got == []

    sending(story)


def test_one_special_address_among_several_is_enough() -> None:
    async def story(receiver: Receiver, url: str) -> None:
        with pytest.raises(AddressRefused, match=r"hooks\.example, which is at a cloud metadata address"):
            await post(named(url), Webhooks(resolve=Book(["93.184.215.14", "169.254.169.254"])))

    sending(story)


def test_the_name_is_looked_up_once_and_the_connection_made_to_what_was_found() -> None:
    """`hooks.example` is known to nobody else: had anything looked it up again, nothing would have arrived."""

    async def story(receiver: Receiver, url: str) -> None:
        book = Book(["127.0.0.1"])
        assert await post(named(url), Webhooks(private=True, resolve=book)) == Reply(204)
        assert book.asked == [("hooks.example", urlsplit(url).port)]
        assert receiver.got[0].headers["host"] == f"hooks.example:{urlsplit(url).port}"

    sending(story)


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    async def story(receiver: Receiver, url: str) -> None:
        assert await post(named(url), Webhooks(private=True, resolve=Book(["127.0.0.2", "127.0.0.1"]))) == Reply(204)
        assert await post(named(url), Webhooks(private=True, resolve=Book([]))) == Reply(None)

    sending(story)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def story(receiver: Receiver, url: str) -> None:
        assert await post(url) == Reply(204)

    sending(story)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of hooks.example, signed by itself; with its key."""
    made = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days"),
            *("2", "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"),
            *("-keyout", made, "-out", f"{made}.crt"),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + Path(f"{made}.crt").read_text())
    return made


@pytest.mark.parametrize(("name", "arrives"), [("hooks.example", True), ("other.example", False)])
def test_a_certificate_is_checked_for_the_name_not_the_address(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, name: str, arrives: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asked: list[str | None] = []

    async def live() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _socket, sni, _context: asked.append(sni)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(BODY)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reply = await post(f"https://{name}:{port}/", Webhooks(private=True, resolve=Book(["127.0.0.1"])))
            assert reply == Reply(204 if arrives else None)

    asyncio.run(live())
    assert asked == [name]
