"""Budgets over HTTP: asking for one, what is spent and left, who may raise it."""

from typing import Any

import pytest
from httpx import AsyncClient

from agents.src.tasks import Action, Answer
from tests.api.house import House, problem, story, submit
from tests.building import eventually

RAISE = {"action": "accept", "text": "1"}


async def budget_question(house: House, client: AsyncClient, task_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = (await client.get("/api/questions", params={"task": task_id, "status": "pending"})).json()["items"]
        return bool(found)

    await eventually(there)
    return found[0]


async def is_parked(house: House, task_id: str) -> bool:
    return (await house.parts.store.events(task_id, 0, 100))[-1].type == "parked"


async def reached(house: House, client: AsyncClient) -> tuple[str, dict[str, Any]]:
    """The id of a task that has spent all it may, and wants to spend as much again; its question."""
    house.scene.goes_on = True
    task_id = (await submit(client, "spend", Prefer="respond-async")).json()["id"]
    return task_id, await budget_question(house, client, task_id)


@story()
async def test_a_request_says_what_its_task_may_spend(house: House) -> None:
    body = {"skill": "planning", "task": "work", "budget_usd": 0.5}
    given = (await house.client.post("/api/skill", json=body)).json()
    assert given["budget_usd"] == 0.5
    assert (await house.client.get(f"/api/tasks/{given['id']}")).json()["budget_usd"] == 0.5
    assert (await submit(house.client)).json()["budget_usd"] is None


@pytest.mark.parametrize("budget", [0, -1, "1", True, 1e400])
@story()
async def test_what_is_no_budget_is_refused(house: House, budget: Any) -> None:
    body = {"skill": "planning", "task": "work", "budget_usd": budget}
    if budget == 1e400:
        text = '{"skill": "planning", "task": "work", "budget_usd": 1e400}'
        answer = await house.client.post("/api/skill", content=text, headers={"Content-Type": "application/json"})
    else:
        answer = await house.client.post("/api/skill", json=body)
    assert "#/budget_usd" in problem(answer, 422, "invalid-request")["detail"]


@story()
async def test_a_token_may_stop_at_its_own_limit_but_not_raise_it(house: House) -> None:
    guest = await house.guest(budget=0.2)
    task_id, asked = await reached(house, guest)
    assert asked["budget"] == {"whose": "token", "limit_usd": 0.2, "spent_usd": 0.25, "day": asked["asked_at"][:10]}
    assert (await guest.get(f"/api/tasks/{task_id}")).json()["status"] == "input_required"
    for body in (RAISE, {"action": "accept", "choices": ["Raise by $0.20"]}):
        refused = await guest.post(f"/api/questions/{asked['id']}/answer", json=body)
        assert "Only the root token may raise the token's budget" in problem(refused, 403, "raise-not-allowed")["detail"]
        refused = await guest.post("/api/questions/answers", json={"answers": [{"id": asked["id"], **body}]})
        assert problem(refused, 403, "raise-not-allowed")["id"] == asked["id"]
    assert (await guest.get(f"/api/questions/{asked['id']}")).json()["state"] == "pending"
    stopped = await guest.post(f"/api/questions/{asked['id']}/answer", json={"action": "accept", "choices": ["Stop"]})
    assert stopped.status_code == 200
    failed = await house.ended(task_id)
    assert (failed["status"], failed["error"]["type"]) == ("failed", "budget-exhausted")


@pytest.mark.parametrize("action", ["decline", "cancel"])
@story()
async def test_a_token_may_say_no_at_its_limit(house: House, action: str) -> None:
    guest = await house.guest(budget=0.2)
    task_id, asked = await reached(house, guest)
    assert (await guest.post(f"/api/questions/{asked['id']}/answer", json={"action": action})).status_code == 200
    assert (await house.ended(task_id))["error"]["type"] == "budget-exhausted"


@story()
async def test_the_root_token_raises_a_tokens_limit(house: House) -> None:
    guest = await house.guest(budget=0.2)
    task_id, asked = await reached(house, guest)
    assert (await house.client.post(f"/api/questions/{asked['id']}/answer", json=RAISE)).status_code == 200
    assert (await house.ended(task_id))["status"] == "completed"
    assert (await guest.get("/api/status")).json()["today"]["limit_usd"] == 1.25
    assert [event.type for event in await house.parts.store.events(task_id, 0, 100)].count("budget_raised") == 1  # type: ignore[arg-type]


@story(daily_budget_usd=0.2)
async def test_a_token_may_not_raise_the_servers_limit(house: House) -> None:
    guest = await house.guest()
    task_id, asked = await reached(house, guest)
    refused = await guest.post(f"/api/questions/{asked['id']}/answer", json=RAISE)
    assert "Only the root token may raise the server's budget" in problem(refused, 403, "raise-not-allowed")["detail"]
    assert (await house.client.post(f"/api/questions/{asked['id']}/answer", json=RAISE)).status_code == 200
    assert (await house.ended(task_id))["status"] == "completed"


@story(question_hold_seconds=0)
async def test_on_the_next_day_a_token_may_let_its_task_go_on(house: House) -> None:
    guest = await house.guest(budget=0.3)
    first = await submit(guest, "spend")
    task_id, asked = await reached(house, guest)
    assert first.json()["status"] == "completed"
    await eventually(lambda: is_parked(house, task_id))
    house.clock.ahead += 86400 - house.clock.now() % 86400
    assert (await guest.post(f"/api/questions/{asked['id']}/answer", json=RAISE)).status_code == 200
    assert (await house.ended(task_id))["status"] == "completed"
    today = (await guest.get("/api/status")).json()["today"]
    assert (today["spent_usd"], today["limit_usd"], today["day"] > asked["budget"]["day"]) == (0.25, 0.3, True)


@story()
async def test_a_token_raises_the_limit_that_its_task_was_given(house: House) -> None:
    house.scene.goes_on = True
    guest = await house.guest()
    body = {"skill": "planning", "task": "spend", "budget_usd": 0.2}
    task_id = (await guest.post("/api/skill", json=body, headers={"Prefer": "respond-async"})).json()["id"]
    asked = await budget_question(house, guest, task_id)
    wrong = await guest.post(f"/api/questions/{asked['id']}/answer", json={"action": "accept", "text": "a lot"})
    assert "say one such as 2.50" in problem(wrong, 422, "invalid-answer")["detail"]
    await guest.post(f"/api/questions/{asked['id']}/answer", json={"action": "accept", "text": "$0.25"})
    done = await house.ended(task_id)
    assert (done["status"], done["budget_usd"], done["usage"]["cost_usd"]) == ("completed", 0.5, 0.5)


@story()
async def test_the_operator_may_answer_at_the_server(house: House) -> None:
    guest = await house.guest(budget=0.2)
    task_id, asked = await reached(house, guest)
    found = await house.parts.questions.get(asked["id"])
    await house.parts.answering.answer(found, Answer(action=Action.ACCEPT, text="1"))
    assert (await house.ended(task_id))["status"] == "completed"


@story(daily_budget_usd=10)
async def test_the_status_says_what_is_spent_and_may_be(house: House) -> None:
    guest, other = await house.guest(budget=3), await house.guest("other")
    for client in (guest, guest, other, house.client):
        await submit(client, "spend")
    today = [(await client.get("/api/status")).json()["today"] for client in (guest, other, house.client)]
    assert [(of["spent_usd"], of["limit_usd"]) for of in today] == [(0.5, 3), (0.25, None), (1.0, 10)]
    assert len({of["day"] for of in today}) == 1
