"""Callbacks over HTTP: what may be named, what is shown, and that a body holds what HTTP shows."""

import base64
import json
from typing import Any

import pytest

from tests.api.house import House, problem, story
from tests.building import eventually
from tests.receiver import SECRET, Receiver, receiving

THERE = "https://example.com/hooks/tasks"


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(size)).decode()


def body(callback: Any, task: str = "hold") -> dict[str, Any]:
    return {"skill": "planning", "task": task, "callback": callback}


@pytest.mark.parametrize(
    "callback",
    [
        {"url": THERE},
        {"url": "http://example.com"},
        {"url": "https://[2606:4700::1111]:8443/a?b=c"},
        {"url": THERE, "secret": None},
        {"url": THERE, "secret": secret_of(24)},
        {"url": THERE, "secret": secret_of(64)},
        {"url": THERE, "secret": secret_of(25).rstrip("=")},
        None,
    ],
)
@story()
async def test_good_ones_are_taken(house: House, callback: Any) -> None:
    answer = await house.client.post("/api/skill", json=body(callback), headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    nothing_yet = {"state": None, "attempts": 0, "last_status": None}
    assert answer.json()["callback"] == (callback and {"url": callback["url"], **nothing_yet})


@pytest.mark.parametrize(
    ("callback", "pointer"),
    [
        (THERE, "#/callback"),
        ({}, "#/callback/url"),
        ({"url": THERE, "more": 1}, "#/callback/more"),
        ({"url": 7}, "#/callback/url"),
        *(
            ({"url": url}, "#/callback/url")
            for url in (
                *("", "example.com", "/hooks", "ftp://example.com", "file:///etc/passwd", "https://", "https:///path"),
                *("https://ada:pass@example.com/", "https://ada@example.com/", "https://exa mple.com/", "https://example.com/\n"),
                *("https://example.com:99999/", "https://example.com:x/", "https://[::1", "https://bücher.example/"),
                *("https://example.com\\@127.0.0.1/", "https://example.com/" + "x" * 2000, "javascript:alert(1)//https://a"),
            )
        ),
        *(
            ({"url": THERE, "secret": secret}, "#/callback/secret")
            for secret in (
                *("", "whsec_", "secret", secret_of(23), secret_of(65), secret_of(32).removeprefix("whsec_"), 7),
                *("whsec_" + "!" * 40, "WHSEC_" + secret_of(32)[6:], secret_of(32) + " ", "whsec_" + "ü" * 40),
            )
        ),
    ],
)
@story()
async def test_bad_ones_are_refused_and_not_repeated(house: House, callback: Any, pointer: str) -> None:
    answer = await house.client.post("/api/skill", json=body(callback))
    assert problem(answer, 422, "invalid-request")["errors"][0]["pointer"] == pointer
    given = callback.get("secret") if isinstance(callback, dict) else None
    assert not (isinstance(given, str) and len(given) > 6 and given in answer.text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]"])
@story()
async def test_an_address_of_this_network_is_refused_at_once(house: House, host: str) -> None:
    answer = await house.client.post("/api/skill", json=body({"url": f"http://{host}:8080/"}))
    found = problem(answer, 422, "invalid-request")
    assert found["errors"][0]["pointer"] == "#/callback/url"
    assert "CALLBACK_PRIVATE_ADDRESSES" in found["detail"]


@story(callback_private_addresses=True)
async def test_the_outcome_is_shown_and_the_secret_is_not(house: House) -> None:
    receiver = Receiver(answers=[500])
    async with receiving(receiver) as url:
        sent = await house.client.post("/api/skill", json=body({"url": url, "secret": SECRET}, "work"))
        task_id = sent.json()["id"]

        async def is_told() -> bool:
            shown = (await house.client.get(f"/api/tasks/{task_id}")).json()["callback"]
            return bool(shown == {"url": url, "state": "waiting", "attempts": 1, "last_status": 500})

        await eventually(is_told)
        answers = [
            sent,
            await house.client.get(f"/api/tasks/{task_id}"),
            await house.client.get("/api/tasks"),
            await house.client.get(f"/api/tasks/{task_id}/events"),
        ]
        assert [SECRET in answer.text for answer in answers] == [False] * 4
        assert (await house.client.get("/api/tasks")).json()["items"][0]["callback"]["state"] == "waiting"
        assert SECRET not in repr(await house.parts.store.get(task_id))


@story(callback_private_addresses=True)
async def test_a_body_holds_the_task_as_http_lists_it(house: House) -> None:
    receiver = Receiver()
    async with receiving(receiver) as url:
        wanted = {"skill": "writing", "task": "write a.txt ü.txt", "metadata": {"mine": [1, None]}, "callback": {"url": url}}
        task_id = (await house.client.post("/api/skill", json=wanted)).json()["id"]
        told = (await receiver.next()).told
        shown = await house.ended(task_id)
        assert len(shown["result"]["artifacts"]) == 2
        assert told["data"] == {name: value for name, value in shown.items() if name not in ("callback", "output")}
        assert told["timestamp"] == shown["finished_at"]
        assert url not in json.dumps(told)


@story(callback_private_addresses=True)
async def test_the_same_key_with_another_callback_is_another_request(house: House) -> None:
    headers = {"Idempotency-Key": "k", "Prefer": "respond-async"}
    first = await house.client.post("/api/skill", json=body({"url": THERE}), headers=headers)
    assert first.status_code == 202
    again = await house.client.post("/api/skill", json=body({"url": f"{THERE}/2"}), headers=headers)
    problem(again, 422, "key-reused")
