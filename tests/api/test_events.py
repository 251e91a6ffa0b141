"""Following a task by server-sent events."""

import asyncio
import json
from typing import Any

import pytest
from httpx import AsyncClient

from tests.api.house import House, problem, served, story, submit


def frames(text: str) -> list[dict[str, str]]:
    """The frames of a stream, each with its fields; those without data left out."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n")]
    return [block for block in blocks if "data" in block]


async def followed(client: AsyncClient, task_id: str, query: str = "", **headers: str) -> list[int]:
    """The numbers of the events that came."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.get(f"/api/tasks/{task_id}/events{query}", headers=named)
    assert answer.status_code == 200, answer.text
    return [int(frame["id"]) for frame in frames(answer.text)]


@story()
async def test_an_ended_task_tells_all_and_the_stream_ends(house: House) -> None:
    task_id = (await submit(house.client, "say 2")).json()["id"]
    answer = await house.client.get(f"/api/tasks/{task_id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert answer.text.startswith("retry: 1000\n\n")
    told = frames(answer.text)
    assert [frame["event"] for frame in told] == ["submitted", "started", "text", "text", "completed"]
    for number, frame in enumerate(told, 1):
        event = json.loads(frame["data"])
        assert (frame["id"], event["seq"], event["type"]) == (str(number), number, frame["event"])
        assert set(event) == {"seq", "type", "at", "data"}


@story()
async def test_a_stream_is_taken_up_where_it_was_left(house: House) -> None:
    task_id = (await submit(house.client, "say 1500")).json()["id"]
    whole = await followed(house.client, task_id)
    assert whole == list(range(1, 1504))
    for last in (0, 1, 499, 500, 501, 1502):
        assert await followed(house.client, task_id, f"?after={last}") == whole[last:]
        assert await followed(house.client, task_id, Last_Event_ID=str(last)) == whole[last:]
    assert await followed(house.client, task_id, "?after=1", Last_Event_ID="1500") == whole[1500:]
    assert await followed(house.client, task_id, "?after=1503") == []
    assert await followed(house.client, task_id, "?after=2147483647") == []


@pytest.mark.parametrize(("query", "last"), [("?after=-1", "0"), ("?after=x", "0"), ("", "x"), ("", "-1"), ("", str(2**31))])
@story()
async def test_a_malformed_number_is_refused(house: House, query: str, last: str) -> None:
    task_id = (await submit(house.client)).json()["id"]
    answer = await house.client.get(f"/api/tasks/{task_id}/events{query}", headers={"Last-Event-ID": last})
    pointer = "?after" if query else "Last-Event-ID"
    assert problem(answer, 422, "invalid-request")["errors"][0]["pointer"] == pointer


class Reader:
    """Reads a live stream event by event."""

    def __init__(self, client: AsyncClient, task_id: str, after: int = 0) -> None:
        self._request = client.stream("GET", f"/api/tasks/{task_id}/events?after={after}")

    async def __aenter__(self) -> "Reader":
        self._lines = (await self._request.__aenter__()).aiter_lines()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._request.__aexit__(None, None, None)

    async def line(self, start: str) -> str | None:
        """What follows `start` on the next line that begins so; None where the stream ends before."""
        async with asyncio.timeout(60):
            async for line in self._lines:
                if line.startswith(start):
                    return line.removeprefix(start)
        return None

    async def event(self) -> dict[str, Any] | None:
        data = await self.line("data: ")
        return json.loads(data) if data is not None else None


@story()
async def test_a_stream_follows_live_and_ends_with_the_task(house: House) -> None:
    async with served(house) as client:
        task_id = await house.held()
        async with Reader(client, task_id) as reader:
            seen = [await reader.event() for _ in range(3)]
            assert [event and event["type"] for event in seen] == ["submitted", "started", "text"]
            house.scene.go.set()
            last = await reader.event()
            assert last is not None
            assert (last["seq"], last["type"]) == (4, "completed")
            assert await reader.event() is None


@story()
async def test_a_broken_stream_is_resumed_in_the_middle(house: House) -> None:
    async with served(house) as client:
        task_id = await house.held()
        numbers: list[int] = []
        for _ in range(3):
            async with Reader(client, task_id, len(numbers)) as reader:
                event = await reader.event()
                assert event is not None
                numbers.append(event["seq"])
        house.scene.go.set()
        async with Reader(client, task_id, len(numbers)) as reader:
            while event := await reader.event():
                numbers.append(event["seq"])
        assert numbers == [1, 2, 3, 4]


@story()
async def test_a_reader_that_goes_away_is_forgotten(house: House) -> None:
    async with served(house) as client:
        task_id = await house.held()
        async with Reader(client, task_id) as reader:
            await reader.event()
            assert task_id in house.parts.hub.followers
        async with asyncio.timeout(10):
            while task_id in house.parts.hub.followers:  # noqa: ASYNC110  # the hub announces no departures
                await asyncio.sleep(0.01)


@story()
async def test_a_closing_server_ends_its_streams(house: House) -> None:
    async with served(house) as client, Reader(client, await house.held()) as reader:
        for _ in range(3):
            await reader.event()
        house.parts.hub.close()
        assert await reader.event() is None


@pytest.mark.slow
@story()
async def test_a_silent_stream_says_that_all_is_well(house: House) -> None:
    async with served(house) as client, Reader(client, await house.held()) as reader:
        for _ in range(3):
            await reader.event()
        assert await reader.line(":") == " ping"
        house.scene.go.set()
        last = await reader.event()
        assert last is not None
        assert last["type"] == "completed"
