"""The inbox over HTTP: looked at, followed, and said to be seen."""

import json
from typing import Any

import pytest
from httpx import AsyncClient

from agents.src.tasks import Claim, Inbox, Question, QuestionRules
from tests.api.house import House, problem, served, story
from tests.api.test_events import frames
from tests.building import NOON, a_brief, a_task


async def submit(client: AsyncClient, task: str = "work", **fields: Any) -> str:
    answer = await client.post("/api/skill", json={"skill": "planning", "task": task, "inbox": True, **fields})
    assert answer.status_code in (200, 202), answer.text
    return str(answer.json()["id"])


async def inbox(client: AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/api/inbox{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def seen(client: AsyncClient, *ids: str) -> int:
    answer = await client.post("/api/inbox/seen", json={"ids": ids})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["seen"])


@story()
async def test_an_end_is_told_until_it_was_seen(house: House) -> None:
    task_id = await submit(house.client)
    task = (await house.client.get(f"/api/tasks/{task_id}")).json()
    entry: dict[str, Any] = {"kind": "ended", "id": task_id, "task": task_id, "skill": "planning", "status": "completed"}
    entry |= {"summary": "done: work", "question": None, "at": task["finished_at"]}
    assert await inbox(house.client) == [entry]
    assert await inbox(house.client) == [entry]
    assert await seen(house.client, task_id) == 1
    assert await inbox(house.client) == []
    assert await seen(house.client, task_id) == 0


@story()
async def test_a_look_delivers_and_a_peek_does_not(house: House) -> None:
    task_id = await submit(house.client)
    for query, state in (("?peek=true", Inbox.PENDING), ("?peek=false", Inbox.DELIVERED)):
        assert len(await inbox(house.client, query)) == 1
        assert (await house.parts.store.get(task_id)).inbox is state


@story()
async def test_each_has_their_own_the_root_token_too(house: House) -> None:
    guest = await house.guest()
    theirs, mine = await submit(guest), await submit(house.client)
    assert [entry["id"] for entry in await inbox(house.client)] == [mine]
    assert await seen(house.client, theirs) == 0
    assert [entry["id"] for entry in await inbox(guest)] == [theirs]


@story()
async def test_as_many_as_were_asked_for(house: House) -> None:
    ids = [await submit(house.client) for _ in range(3)]
    assert [entry["id"] for entry in await inbox(house.client, "?limit=2")] == ids[:2]
    assert await seen(house.client, *ids[:2]) == 2
    assert [entry["id"] for entry in await inbox(house.client, "?limit=2")] == ids[2:]


@story()
async def test_a_question_is_told_with_all_that_an_answer_needs(house: House) -> None:
    added = await house.parts.store.add(
        a_task(caller="root", inbox=Inbox.WAITING, skill="planning"), a_brief(), claim=Claim("w", NOON + 1e9)
    )
    assert added.run
    asked = await house.parts.questions.ask(added.run, "k", Question(text="Where to?\n\nSay it."), QuestionRules())
    [entry] = await inbox(house.client)
    assert (entry["kind"], entry["id"], entry["task"]) == ("question", asked.id, added.task.id)
    assert (entry["status"], entry["summary"]) == ("input_required", "Where to?")
    question = entry["question"]
    assert (question["id"], question["text"], question["to"], question["choices"]) == (
        asked.id,
        asked.question.text,
        "caller",
        [],
    )
    assert await seen(house.client, asked.id) == 1
    assert await inbox(house.client) == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/ids"),
        ({"ids": []}, "#/ids"),
        ({"ids": "x"}, "#/ids"),
        ({"ids": ["x"]}, "#/ids/0"),
        ({"ids": [7]}, "#/ids/0"),
        ({"ids": ["0" * 26], "more": 1}, "#/more"),
        ({"ids": ["0" * 26] * 1001}, "#/ids"),
    ],
)
@story()
async def test_malformed_bodies_are_refused(house: House, body: dict[str, Any], pointer: str) -> None:
    answer = await house.client.post("/api/inbox/seen", json=body)
    assert problem(answer, 422, "invalid-request")["errors"][0]["pointer"] == pointer


@story()
async def test_only_who_has_a_token_may_look(house: House) -> None:
    visitor = await house.visitor(None)
    for method, path in (("GET", "/api/inbox"), ("POST", "/api/inbox/seen"), ("GET", "/api/inbox/events")):
        problem(await visitor.request(method, path), 401, "not-authenticated")


class Follower:
    """Reads the stream frame by frame."""

    def __init__(self, client: AsyncClient) -> None:
        self._request = client.stream("GET", "/api/inbox/events")

    async def __aenter__(self) -> "Follower":
        answer = await self._request.__aenter__()
        assert answer.headers["content-type"].startswith("text/event-stream")
        self._lines = answer.aiter_lines()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._request.__aexit__(None, None, None)

    async def next(self) -> dict[str, Any] | None:
        """None where the stream ends before."""
        lines: list[str] = []
        async for line in self._lines:
            lines.append(line)
            if line.startswith("data: "):
                [frame] = frames("\n".join(part for part in lines if part and not part.startswith("retry")))
                entry: dict[str, Any] = json.loads(frame["data"])
                assert (frame["id"], frame["event"]) == (entry["id"], entry["kind"])
                return entry
        return None


@story()
async def test_the_stream_tells_what_is_there_then_what_comes_and_ends_with_the_server(house: House) -> None:
    first = await submit(house.client)
    async with served(house) as client, Follower(client) as follower:
        assert (await follower.next() or {})["id"] == first
        second = await submit(house.client)
        entry = await follower.next() or {}
        assert (entry["id"], entry["status"], entry["summary"]) == (second, "completed", "done: work")
        assert (await house.parts.store.get(second)).inbox is Inbox.DELIVERED
        async with Follower(client) as another:
            assert [(await another.next() or {})["id"] for _ in range(2)] == [first, second]
        house.parts.hub.close()
        assert await follower.next() is None
