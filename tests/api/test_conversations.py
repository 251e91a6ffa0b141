"""What was said around tasks, over HTTP."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response
from jsonschema import Draft202012Validator

from agents.src.conversations import LONGEST
from tests.api.house import House, opened, problem, story

AUTH = "/api/conversations/auth"


async def say(client: AsyncClient, text: str = "Hello.", name: str = "auth", query: str = "") -> Response:
    answer = await client.post(f"/api/conversations/{name}/messages{query}", json={"text": text})
    assert answer.status_code == 201, answer.text
    return answer


async def said(client: AsyncClient, name: str = "auth", query: str = "") -> list[str]:
    answer = await client.get(f"/api/conversations/{name}/messages{query}")
    assert answer.status_code == 200, answer.text
    return [message["text"] for message in answer.json()["items"]]


async def names(client: AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/api/conversations{query}")
    assert answer.status_code == 200, answer.text
    return [conversation["name"] for conversation in answer.json()["items"]]


async def ask(client: AsyncClient, task: str = "work", prefer: str = "wait=30", **fields: Any) -> dict[str, Any]:
    request = {"skill": "planning", "task": task, **fields}
    found: dict[str, Any] = (await client.post("/api/skill", json=request, headers={"Prefer": prefer})).json()
    return found


@story()
async def test_a_task_and_its_ending_are_in_its_conversation(house: House) -> None:
    task = await ask(house.client, conversation="auth")
    assert (task["status"], task["conversation"]) == ("completed", "auth")
    asked, told = (await house.client.get(f"{AUTH}/messages")).json()["items"]
    assert (asked["id"], asked["role"], asked["author"], asked["text"]) == (1, "user", "root", "work")
    assert (told["id"], told["role"], told["author"]) == (2, "assistant", "planning")
    assert told["text"] == f"@root Task {task['id']} completed (exit 0).\n\ndone: work"
    assert asked["task_id"] == told["task_id"] == task["id"]
    assert (asked["at"], told["at"]) == (task["created_at"], task["finished_at"])
    shown = (await house.client.get(AUTH)).json()
    assert shown == {
        "name": "auth",
        "caller": "root",
        "message_count": 2,
        "created_at": task["created_at"],
        "changed_at": task["finished_at"],
    }


@story()
async def test_how_a_task_failed_or_was_cancelled_is_told(house: House) -> None:
    failed = await ask(house.client, "refuse", skill="writing", conversation="auth")
    held = await ask(house.client, "hold", prefer="respond-async", conversation="auth")
    await house.scene.holding.wait()
    await house.client.post(f"/api/tasks/{held['id']}/cancel")
    await house.ended(held["id"])
    assert (await said(house.client))[1::2] == [
        f"@root Task {failed['id']} failed (exit 1): It cannot read this.",
        f"@root Task {held['id']} cancelled (exit 130).\n\nholding",
    ]


@story()
async def test_who_wants_to_be_told_and_names_no_conversation_has_one_of_their_own(house: House) -> None:
    guest = await house.guest("ada")
    assert (await ask(guest, inbox=True))["conversation"] is None
    [told] = await said(guest, "claude-code-ada")
    assert told.endswith("completed (exit 0).\n\ndone: work")
    await ask(guest)
    assert await names(guest) == ["claude-code-ada"]


@story()
async def test_something_is_said_and_read_in_pages(house: House) -> None:
    message = (await say(house.client, "Zeile 1\n🙂")).json()
    assert (message["id"], message["role"], message["author"], message["text"]) == (1, "user", "root", "Zeile 1\n🙂")
    assert message["task_id"] is None
    for number in range(2, 6):
        await say(house.client, str(number))
    first = (await house.client.get(f"{AUTH}/messages?limit=2")).json()
    assert first["items"][0] == message
    assert first["next"] == "2"
    rest = (await house.client.get(f"{AUTH}/messages?cursor=2")).json()
    assert ([one["text"] for one in rest["items"]], rest["next"]) == (["3", "4", "5"], None)
    assert await said(house.client, query="?cursor=5") == []
    assert (await house.client.get(f"{AUTH}/messages?limit=5")).json()["next"] is None


@story()
async def test_what_is_too_long_is_shortened_and_says_so(house: House) -> None:
    text = (await say(house.client, "x" * (LONGEST + 1))).json()["text"]
    assert len(text) <= LONGEST
    assert "more characters are left out" in text


@story()
async def test_lists_are_in_pages_and_searched(house: House) -> None:
    for name in ("a", "b", "c", "b"):
        await say(house.client, f"In {name.upper()}: Äpfel.", name)
    assert await names(house.client) == ["b", "c", "a"]
    page = (await house.client.get("/api/conversations?limit=2")).json()
    assert [one["name"] for one in page["items"]] == ["b", "c"]
    assert await names(house.client, f"?limit=2&cursor={page['next']}") == ["a"]
    assert await names(house.client, "?search=ÄPFEL+in+c") == ["c"]
    assert await names(house.client, "?search=äpfel&limit=1") == ["b"]
    assert await names(house.client, "?search=%25") == []
    assert await names(house.client, "?search=%00+") == ["b", "c", "a"]


@story()
async def test_a_conversation_is_renamed_and_its_tasks_stay_with_it(house: House) -> None:
    task = await ask(house.client, conversation="auth")
    await say(house.client, "Taken.", "login")
    told = problem(await house.client.patch(AUTH, json={"name": "login"}), 409, "name-taken")
    assert "login" in told["detail"]
    renamed = (await house.client.patch(AUTH, json={"name": "auth-2"})).json()
    assert (renamed["name"], renamed["message_count"]) == ("auth-2", 2)
    problem(await house.client.get(AUTH), 404, "unknown-conversation")
    assert len(await said(house.client, "auth-2")) == 2
    assert (await house.client.get(f"/api/tasks/{task['id']}")).json()["conversation"] == "auth-2"


@story()
async def test_a_deleted_conversation_is_gone(house: House) -> None:
    await say(house.client)
    done = await house.client.delete(AUTH)
    assert (done.status_code, done.content) == (204, b"")
    assert await names(house.client) == []
    for asked in (house.client.delete(AUTH), house.client.get(AUTH), house.client.get(f"{AUTH}/messages")):
        problem(await asked, 404, "unknown-conversation")
    for asked in (house.client.get(f"{AUTH}/export"), house.client.patch(AUTH, json={"name": "b"})):
        problem(await asked, 404, "unknown-conversation")


@story()
async def test_an_export_is_a_file(house: House) -> None:
    await ask(house.client, conversation="auth")
    answer = await house.client.get(f"{AUTH}/export")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="auth.json"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    listed = (await house.client.get(f"{AUTH}/messages")).json()["items"]
    assert answer.json()["messages"] == listed
    schemas = house.app.openapi()["components"]
    whole = {"$ref": "#/components/schemas/ExportView", "components": schemas}
    assert list(Draft202012Validator(whole).iter_errors(answer.json())) == []
    text = await house.client.get(f"{AUTH}/export?format=markdown")
    assert text.headers["content-type"] == "text/markdown; charset=utf-8"
    assert text.headers["content-disposition"] == 'attachment; filename="auth.md"'
    assert text.text.startswith("# auth\n\n## root (user), ")
    assert "\n\n> work\n\n## planning (assistant), " in text.text


@story()
async def test_an_export_is_whole_however_long(house: House) -> None:
    for number in range(0, 1200, 100):
        await asyncio.gather(*(say(house.client, str(n)) for n in range(number, number + 100)))
    messages = (await house.client.get(f"{AUTH}/export?format=json")).json()["messages"]
    assert [message["id"] for message in messages] == list(range(1, 1201))
    assert sorted(int(message["text"]) for message in messages) == list(range(1200))


@story()
async def test_everybody_has_conversations_of_their_own(house: House) -> None:
    guest = await house.guest("ada")
    await say(guest, "Mine.")
    await say(house.client, "The root's.")
    assert (await said(guest), await said(house.client)) == (["Mine."], ["The root's."])
    await say(guest, "Only mine.", "other")
    assert await names(house.client) == ["auth"]
    problem(await house.client.get("/api/conversations/other"), 404, "unknown-conversation")
    problem(await house.client.delete("/api/conversations/other"), 404, "unknown-conversation")


@story()
async def test_only_root_may_name_another_caller(house: House) -> None:
    guest = await house.guest("ada")
    await say(guest, "Mine.")
    assert await names(house.client, "?caller=ada") == ["auth"]
    added = (await say(house.client, "From root.", query="?caller=ada")).json()
    assert added["author"] == "root"
    assert await said(guest) == ["Mine.", "From root."]
    assert await said(guest, query="?caller=ada") == ["Mine.", "From root."]
    asked = [
        guest.get("/api/conversations?caller=root"),
        guest.get(f"{AUTH}?caller=root"),
        guest.get(f"{AUTH}/messages?caller=bob"),
        guest.get(f"{AUTH}/export?caller=root"),
        guest.post(f"{AUTH}/messages?caller=root", json={"text": "x"}),
        guest.patch(f"{AUTH}?caller=root", json={"name": "b"}),
        guest.delete(f"{AUTH}?caller=root"),
    ]
    for answer in await asyncio.gather(*asked):
        assert "?caller=" in problem(answer, 403, "refused")["detail"]
    assert await names(house.client) == []
    assert (await house.client.delete(f"{AUTH}?caller=ada")).status_code == 204
    assert await names(guest) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "?limit=0", None),
        ("GET", "?cursor=x", None),
        ("GET", "?caller=No%20One", None),
        ("GET", f"?search={'x' * 201}", None),
        ("GET", "/auth/messages?cursor=-1", None),
        ("GET", "/auth/export?format=pdf", None),
        ("GET", "/-auth", None),
        ("GET", "/a%20b/messages", None),
        ("POST", "/auth/messages", {"text": ""}),
        ("POST", "/auth/messages", {"text": "a\0b"}),
        ("POST", "/auth/messages", {"text": "x", "role": "system"}),
        ("POST", "/auth/messages", {}),
        ("POST", "/%C3%A4/messages", {"text": "x"}),
        ("PATCH", "/auth", {"name": "a b"}),
        ("PATCH", "/auth", {"name": "x" * 101}),
    ],
)
@story()
async def test_what_is_wrong_is_named(house: House, method: str, path: str, body: Any) -> None:
    await say(house.client)
    told = problem(await house.client.request(method, f"/api/conversations{path}", json=body), 422, "invalid-request")
    assert told["errors"]
    assert (await names(house.client), await said(house.client)) == (["auth"], ["Hello."])


@story()
async def test_a_body_that_is_no_json_or_too_large_is_refused(house: House) -> None:
    path, plain = f"{AUTH}/messages", {"Content-Type": "text/plain"}
    problem(await house.client.post(path, content=b"text", headers=plain), 415, "unsupported-media-type")
    problem(await house.client.post(path, content=json.dumps({"text": "x" * (1 << 20)})), 413, "too-large")
    assert await names(house.client) == []


def test_a_conversation_is_there_after_a_restart(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "state") as house:
            await ask(house.client, conversation="auth")
        async with opened(tmp_path / "state") as house:
            assert len(await said(house.client)) == 2

    asyncio.run(play())
