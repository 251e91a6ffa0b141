"""The proxy between Claude Code and the model's service: which key goes where, and that answers come through as they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agents.src.services.loopback import serve
from agents.src.services.messages_proxy import Entrance, messages_proxy

Answer = Callable[[Request], Awaitable[Response]]
Scene = Callable[[httpx.AsyncClient, Entrance], Awaitable[httpx.Response]]


def through(answer: Answer, scene: Scene) -> httpx.Response:
    """Plays the scene with a client of a proxy in front of a service that answers thus."""

    async def play() -> httpx.Response:
        service = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
        async with (
            serve(service) as url,
            messages_proxy(url, SecretStr("the-real-one")) as entrance,
            httpx.AsyncClient(base_url=entrance.url, trust_env=False) as client,
        ):
            return await scene(client, entrance)

    return asyncio.run(play())


async def echo(request: Request) -> Response:
    seen = {
        "headers": dict(request.headers),
        "url": f"{request.url.path}?{request.url.query}",
        "body": (await request.body()).decode(),
    }
    return JSONResponse(seen, headers={"request-id": "r1"})


@pytest.mark.parametrize(("header", "scheme"), [("x-api-key", ""), ("authorization", "Bearer ")])
def test_the_runs_key_is_replaced_by_the_real_one(header: str, scheme: str) -> None:
    async def scene(client: httpx.AsyncClient, entrance: Entrance) -> httpx.Response:
        headers = {header: f"{scheme}{entrance.key}", "anthropic-beta": "b1,b2"}
        return await client.post("/v1/messages?beta=true", headers=headers, content="{}")

    answer = through(echo, scene)
    seen = answer.json()
    assert seen["headers"][header] == f"{scheme}the-real-one"
    assert seen["headers"]["anthropic-beta"] == "b1,b2"
    assert (seen["url"], seen["body"], answer.headers["request-id"]) == ("/v1/messages?beta=true", "{}", "r1")


@pytest.mark.parametrize("key", ["", "dummy", "the-real-one", "müll"])
def test_another_key_does_not_open_it(key: str) -> None:
    async def scene(client: httpx.AsyncClient, _: Entrance) -> httpx.Response:
        return await client.post("/v1/messages", headers=[(b"x-api-key", key.encode())])

    answer = through(echo, scene)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"


def test_it_leads_to_messages_only() -> None:
    async def scene(client: httpx.AsyncClient, entrance: Entrance) -> httpx.Response:
        return await client.post("/v1/files", headers={"x-api-key": entrance.key})

    assert through(echo, scene).status_code == 404


@pytest.mark.parametrize(("status", "marked"), [(401, "false"), (429, None), (529, None)])
def test_an_error_comes_through_and_only_a_401_is_marked_as_final(status: int, marked: str | None) -> None:
    async def refuse(_: Request) -> Response:
        return JSONResponse({"type": "error"}, status, {"retry-after": "7"})

    async def scene(client: httpx.AsyncClient, entrance: Entrance) -> httpx.Response:
        return await client.post("/v1/messages", headers={"x-api-key": entrance.key})

    answer = through(refuse, scene)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert answer.headers.get("x-should-retry") == marked


def test_what_has_been_said_comes_through_before_the_rest_is_known() -> None:
    heard = asyncio.Event()

    async def slowly(_: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.wait_for(heard.wait(), 10)
            yield b"last"

        return StreamingResponse(parts())

    async def scene(client: httpx.AsyncClient, entrance: Entrance) -> httpx.Response:
        async with client.stream("POST", "/v1/messages", headers={"x-api-key": entrance.key}) as answer:
            chunks = answer.aiter_raw()
            assert await anext(chunks) == b"first"
            heard.set()
            assert await anext(chunks) == b"last"
            return answer

    assert through(slowly, scene).status_code == 200


def test_a_service_that_cannot_be_reached_is_told_of_as_a_502() -> None:
    async def play() -> httpx.Response:
        async with serve(Starlette()) as gone:
            pass
        async with messages_proxy(gone, SecretStr("k")) as entrance, httpx.AsyncClient(trust_env=False) as client:
            return await client.post(f"{entrance.url}/v1/messages", headers={"x-api-key": entrance.key})

    answer = asyncio.run(play())
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")
