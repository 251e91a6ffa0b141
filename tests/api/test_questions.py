"""What tasks ask: looking, answering, who may."""

from typing import Any

import pytest
from httpx import AsyncClient, Response

from agents.src.tasks import Action, Answer, Turn
from tests.api.house import House, problem, story, submit
from tests.building import eventually

NOBODY = "0" * 26
RED = {"action": "accept", "choices": ["red"]}


async def answer(client: AsyncClient, question_id: str, body: dict[str, Any]) -> Response:
    return await client.post(f"/api/questions/{question_id}/answer", json=body)


async def said(house: House, task_id: str) -> str:
    """What a task that has asked made of the answers."""
    await house.ended(task_id)
    [text] = [event.data["text"] for event in await house.parts.store.events(task_id, 0, 100) if event.type == "text"]
    return str(text)


@story()
async def test_a_question_is_shown_with_all_that_it_takes_to_answer_it(house: House) -> None:
    task_id, ids = await house.asked("colour?")
    shown = (await house.client.get(f"/api/questions/{ids['colour?']}")).json()
    assert shown["task"] == {"id": task_id, "skill": "planning", "task": "ask colour?", "status": "input_required"}
    assert [event["type"] for event in shown["events"]] == ["submitted", "started", "question_asked"]
    assert (shown["text"], shown["header"], shown["several"], shown["free_text"]) == ("colour?", "", False, False)
    assert shown["choices"] == [{"label": "red", "description": ""}, {"label": "blue", "description": ""}]
    assert (shown["state"], shown["to"], shown["answer"], shown["closed_at"]) == ("pending", "caller", None, None)
    assert shown["asked_at"][:10] < shown["due_at"][:10]
    assert (await house.client.get(f"/api/tasks/{task_id}")).json()["questions"] == 1


@story()
async def test_only_the_last_events_are_shown(house: House) -> None:
    _, ids = await house.asked("colour?", *(f"where-{number}?" for number in range(30)))
    shown = (await house.client.get(f"/api/questions/{ids['colour?']}")).json()
    assert [event["seq"] for event in shown["events"]] == list(range(14, 34))


@story()
async def test_an_answer_lets_the_task_go_on(house: House) -> None:
    task_id, ids = await house.asked("colours?")
    answered = await answer(house.client, ids["colours?"], {"action": "accept", "choices": ["red", "blue"], "text": "or green"})
    assert answered.status_code == 200
    body = answered.json()
    assert (body["state"], body["due_at"], body["task_id"]) == ("answered", None, task_id)
    expected = {"action": "accept", "choices": ["red", "blue"], "text": "or green", "by": "caller", "name": "root"}
    assert body["answer"] == expected
    assert await said(house, task_id) == "red, blue\nor green"
    assert (await house.client.get(f"/api/tasks/{task_id}")).json()["questions"] == 0


@pytest.mark.parametrize("action", ["decline", "cancel"])
@story()
async def test_a_refusal_is_an_answer_too(house: House, action: str) -> None:
    task_id, ids = await house.asked("where?")
    assert (await answer(house.client, ids["where?"], {"action": action})).json()["answer"]["action"] == action
    assert await said(house, task_id) == action


@story()
async def test_somebody_else_s_question_is_not_there(house: House) -> None:
    ada, eve = await house.guest("ada"), await house.guest("eve")
    _, ids = await house.asked("colour?", client=ada)
    question_id = ids["colour?"]
    for path in (question_id, NOBODY):
        problem(await eve.get(f"/api/questions/{path}"), 404, "unknown-question")
        problem(await answer(eve, path, RED), 404, "unknown-question")
    several = await eve.post("/api/questions/answers", json={"answers": [{"id": question_id, **RED}]})
    assert problem(several, 404, "unknown-question")["id"] == question_id
    assert (await eve.get("/api/questions")).json()["items"] == []
    assert [one["id"] for one in (await ada.get("/api/questions")).json()["items"]] == [question_id]
    assert (await ada.get(f"/api/questions/{question_id}")).json()["state"] == "pending"


@story()
async def test_who_did_not_submit_the_task_answers_as_a_human(house: House) -> None:
    ada = await house.guest("ada")
    _, ids = await house.asked("colour?", "where?", client=ada)
    theirs = (await answer(house.client, ids["colour?"], RED)).json()["answer"]
    assert (theirs["by"], theirs["name"]) == ("human", "root")
    own = (await answer(ada, ids["where?"], {"action": "accept", "text": "here"})).json()["answer"]
    assert (own["by"], own["name"]) == ("caller", "ada")


@story()
async def test_the_same_answer_again_is_the_same_and_another_one_is_refused(house: House) -> None:
    ada = await house.guest("ada")
    _, ids = await house.asked("colour?", client=ada)
    first = await answer(ada, ids["colour?"], RED)
    again = await answer(ada, ids["colour?"], {"choices": ["red"], "action": "accept", "text": ""})
    assert (again.status_code, again.json()) == (200, first.json())
    other = problem(await answer(ada, ids["colour?"], {"action": "accept", "choices": ["blue"]}), 409, "already-answered")
    assert (other["state"], other["answer"]) == ("answered", first.json()["answer"])
    assert other["detail"].endswith("by caller: red")
    assert problem(await answer(house.client, ids["colour?"], RED), 409, "already-answered")["answer"]["name"] == "ada"


@story()
async def test_a_question_of_a_task_that_ended_is_withdrawn(house: House) -> None:
    task_id, ids = await house.asked("where?")
    await house.client.post(f"/api/tasks/{task_id}/cancel")
    await house.ended(task_id)
    refusal = problem(await answer(house.client, ids["where?"], {"action": "decline"}), 409, "already-answered")
    assert refusal["state"] == "withdrawn"
    assert "answer" not in refusal
    shown = (await house.client.get(f"/api/questions/{ids['where?']}")).json()
    assert (shown["state"], shown["task"]["status"]) == ("withdrawn", "cancelled")


@pytest.mark.parametrize(
    ("body", "kind", "fault"),
    [
        ({"action": "accept", "choices": ["green"]}, "invalid-answer", "does not offer 'green'; it offers 'red', 'blue'"),
        ({"action": "accept", "choices": ["red", "blue"]}, "invalid-answer", "takes one choice only"),
        ({"action": "accept", "text": "green"}, "invalid-answer", "takes its choices only"),
        ({"action": "accept"}, "invalid-answer", "Give a text or choices"),
        ({"action": "decline", "choices": ["red"]}, "invalid-answer", "leave them out"),
        ({"action": "maybe"}, "invalid-request", "#/action"),
        ({"choices": ["red"]}, "invalid-request", "#/action"),
        ({"action": "accept", "choices": "red"}, "invalid-request", "#/choices"),
        ({"action": "accept", "text": 5}, "invalid-request", "#/text"),
        ({"action": "accept", "text": "a\0b"}, "invalid-request", "#/text"),
        ({"action": "accept", "text": "x" * 16_001}, "invalid-request", "#/text"),
        ({"action": "accept", "choices": ["red"] * 51}, "invalid-request", "#/choices"),
        ({"action": "accept", "by": "human"}, "invalid-request", "#/by"),
    ],
)
@story()
async def test_an_answer_that_does_not_fit_is_refused(house: House, body: dict[str, Any], kind: str, fault: str) -> None:
    _, ids = await house.asked("colour?")
    assert fault in problem(await answer(house.client, ids["colour?"], body), 422, kind)["detail"]
    assert (await house.client.get(f"/api/questions/{ids['colour?']}")).json()["state"] == "pending"


@story()
async def test_the_list_is_the_newest_first_in_pages_and_filtered(house: House) -> None:
    first, one = await house.asked("colour?", "where?")
    second, two = await house.asked("when?")
    await answer(house.client, one["where?"], {"action": "cancel"})

    async def found(**query: str) -> list[str]:
        return [question["text"] for question in (await house.client.get("/api/questions", params=query)).json()["items"]]

    assert await found() == ["when?", *sorted(one, key=lambda word: one[word], reverse=True)]
    assert await found(status="pending") == ["when?", "colour?"]
    assert await found(status="answered", task=first) == ["where?"]
    assert await found(status="answered", task=second) == []
    page = (await house.client.get("/api/questions", params={"limit": 1, "status": "pending"})).json()
    assert page["next"] == two["when?"]
    assert await found(status="pending", cursor=page["next"]) == ["colour?"]


@pytest.mark.parametrize(
    ("query", "pointer"), [("status=open", "?status"), ("task=x", "?task"), ("cursor=x", "?cursor"), ("limit=0", "?limit")]
)
@story()
async def test_a_wrong_filter_is_named(house: House, query: str, pointer: str) -> None:
    body = problem(await house.client.get(f"/api/questions?{query}"), 422, "invalid-request")
    assert body["errors"][0]["pointer"] == pointer


@story()
async def test_what_is_no_question_s_id_is_no_path(house: House) -> None:
    problem(await house.client.get("/api/questions/x"), 404, "unknown-route")
    assert problem(await house.client.get("/api/questions/answers"), 405, "method-not-allowed")["allow"] == "POST"


# Several at once


@story()
async def test_several_answers_at_once(house: House) -> None:
    task_id, ids = await house.asked("colour?", "where?")
    await answer(house.client, ids["colour?"], {"action": "accept", "choices": ["blue"]})
    answers = [{"id": ids["where?"], "action": "accept", "text": "here"}, {"id": ids["colour?"], **RED}]
    outcomes = (await house.client.post("/api/questions/answers", json={"answers": answers})).json()["items"]
    assert [one["id"] for one in outcomes] == [ids["where?"], ids["colour?"]]
    assert (outcomes[0]["question"]["state"], outcomes[0]["problem"]) == ("answered", None)
    refused = outcomes[1]["problem"]
    assert (outcomes[1]["question"], refused["type"], refused["status"]) == (None, "/problems/already-answered", 409)
    assert refused["answer"]["choices"] == ["blue"]
    assert await said(house, task_id) == "blue, here"


@story()
async def test_one_that_does_not_fit_and_none_is_taken(house: House) -> None:
    _, ids = await house.asked("colour?", "where?")
    good = {"id": ids["where?"], "action": "decline"}
    for bad, status, kind in (
        ({"id": ids["colour?"], "action": "accept", "choices": ["green"]}, 422, "invalid-answer"),
        ({"id": NOBODY, **RED}, 404, "unknown-question"),
        (good, 422, "invalid-request"),
        ({"id": "x", **RED}, 422, "invalid-request"),
    ):
        problem(await house.client.post("/api/questions/answers", json={"answers": [good, bad]}), status, kind)
    problem(await house.client.post("/api/questions/answers", json={"answers": []}), 422, "invalid-request")
    pending = (await house.client.get("/api/questions?status=pending")).json()["items"]
    assert sorted(question["id"] for question in pending) == sorted(ids.values())


# How a task may ask


@story()
async def test_a_request_says_who_is_asked_and_for_how_long(house: House) -> None:
    body = {"skill": "planning", "task": "ask where?", "questions": {"ask": ["caller"], "deadline": None}}
    await house.client.post("/api/skill", json=body, headers={"Prefer": "respond-async"})
    found: list[dict[str, Any]] = []

    async def asked() -> bool:
        found[:] = (await house.client.get("/api/questions")).json()["items"]
        return bool(found)

    await eventually(asked)
    assert (found[0]["to"], found[0]["due_at"]) == ("caller", None)


@pytest.mark.parametrize("questions", [{"ask": []}, {"ask": ["root"]}, {"deadline": 59}, {"deadline": 604801}, {"wait": 1}])
@story()
async def test_a_request_that_says_it_wrongly_is_refused(house: House, questions: dict[str, Any]) -> None:
    answered = await house.client.post("/api/skill", json={"skill": "planning", "task": "x", "questions": questions})
    assert problem(answered, 422, "invalid-request")["errors"][0]["pointer"].startswith("#/questions")


@story()
async def test_a_default_says_that_nobody_gave_it(house: House) -> None:
    _, ids = await house.asked("colour?")
    asked = await house.parts.questions.get(ids["colour?"])
    await house.parts.answering.answer(asked, Answer(action=Action.ACCEPT, choices=("red",), by=Turn.DEFAULT))
    shown = (await house.client.get(f"/api/questions/{ids['colour?']}")).json()
    assert (shown["answer"]["by"], shown["answer"]["name"]) == ("default", "")


@story(question_hold_seconds=0)
async def test_a_parked_task_goes_on_once_it_is_answered(house: House) -> None:
    task_id, ids = await house.asked("where?")
    await answer(house.client, ids["where?"], {"action": "accept", "text": "here"})
    assert (await house.ended(task_id))["status"] == "completed"
    assert await said(house, task_id) == "here"


@story()
async def test_a_token_is_needed(house: House) -> None:
    stranger = await house.visitor(None)
    problem(await stranger.get("/api/questions"), 401, "not-authenticated")
    problem(await stranger.post("/api/questions/answers", json={}), 401, "not-authenticated")
    problem(await answer(stranger, NOBODY, RED), 401, "not-authenticated")
    assert (await submit(house.client)).json()["questions"] == 0
