"""Submitting: what is waited for, what is kept apart by keys, and what is refused."""

import json

import pytest

from tests.api.house import House, problem, story, submit

BODY = {"skill": "planning", "task": "work"}


@story()
async def test_a_task_that_ends_in_time_comes_back_with_its_result(house: House) -> None:
    answer = await submit(house.client)
    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert "preference-applied" not in answer.headers
    task = answer.json()
    assert task["status"] == "completed"
    assert task["result"] == {"text": "done: work", "summary": "done: work", "data": None, "artifacts": [], "remembered": []}
    assert task["usage"] | {"compute_seconds": 0} == dict.fromkeys(task["usage"], 0)
    assert (task["skill"], task["task"], task["caller"], task["attempt"]) == ("planning", "work", "root", 1)
    assert task["created_at"] <= task["started_at"] <= task["finished_at"]
    assert (await house.client.get(f"/api/tasks/{task['id']}")).json() | {"warnings": []} == task | {"output": None}


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("respond-async", "respond-async"),
        ("wait=0", "wait=0"),
        ("respond-async, wait=0", "wait=0, respond-async"),
        ('WAIT = "0" ; x=1, Respond-Async', "wait=0, respond-async"),
        ("respond-async, unheard-of=1", "respond-async"),
        ("wait=0, wait=120", "wait=0"),
    ],
)
@story()
async def test_prefer_is_followed_and_said(house: House, prefer: str, applied: str) -> None:
    answer = await submit(house.client, "hold", Prefer=prefer)
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == applied
    assert answer.headers["location"] == f"/api/tasks/{answer.json()['id']}"
    assert (await house.client.get(answer.headers["location"])).status_code == 200


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=7", "wait=7"),
        ("wait=121", "wait=120"),
        (f"wait={'9' * 5000}", "wait=120"),
        (f"wait={'0' * 5000}7", "wait=7"),
        ("respond-async, wait=10", "wait=10, respond-async"),
        ("wait=soon", None),
        ("wait=-1", None),
        ("", None),
    ],
)
@story()
async def test_a_wait_is_clamped_and_a_malformed_one_passed_over(house: House, prefer: str, applied: str | None) -> None:
    answer = await submit(house.client, Prefer=prefer)
    assert answer.status_code == 200
    assert answer.headers.get("preference-applied") == applied


@story()
async def test_several_lines_of_prefer_are_one_list(house: House) -> None:
    headers = [("Prefer", "wait=0"), ("Prefer", "respond-async")]
    answer = await house.client.post("/api/skill", json=BODY, headers=headers)
    assert answer.headers["preference-applied"] == "wait=0, respond-async"


@story()
async def test_a_wait_that_runs_out_gives_the_task_as_it_stands(house: House) -> None:
    answer = await submit(house.client, "hold", Prefer="wait=1")
    assert answer.status_code == 202
    assert answer.json()["finished_at"] is None


@story(max_concurrent_tasks=2)
async def test_more_than_two_tasks_at_once_are_remarked_on_in_the_answer_and_the_events(house: House) -> None:
    answers = [(await submit(house.client, "hold", Prefer="respond-async", Idempotency_Key=str(n))).json() for n in range(3)]
    assert [answer["warnings"] for answer in answers[:2]] == [[], []]
    [warning] = answers[2]["warnings"]
    assert warning == {
        "code": "concurrency_warning",
        "message": "root has 3 tasks under way at once, with this one. "
        "No more than 2 tasks run at once here: it waits in the queue, as the next.",
    }
    again = (await submit(house.client, "hold", Prefer="respond-async", Idempotency_Key="2")).json()
    assert (again["id"], again["warnings"]) == (answers[2]["id"], [])
    assert (await submit(await house.guest(), "hold", Prefer="respond-async")).json()["warnings"] == []
    house.scene.go.set()
    await house.ended(answers[2]["id"])
    events = await house.parts.store.events(answers[2]["id"], 0, 9)
    assert [event.type.value for event in events][:3] == ["submitted", "warning", "started"]
    assert events[1].data == warning


@pytest.mark.parametrize("second", ['"a-key"', "a-key"])
@story()
async def test_the_same_key_and_body_give_the_same_task(house: House, second: str) -> None:
    first = await submit(house.client, Idempotency_Key="a-key")
    again = await submit(house.client, Idempotency_Key=second)
    assert again.status_code == 200
    assert again.json() == first.json()
    assert len((await house.client.get("/api/tasks")).json()["items"]) == 1


@story()
async def test_a_key_in_flight_waits_for_the_first_task(house: House) -> None:
    first = await submit(house.client, "hold", Idempotency_Key="k", Prefer="respond-async")
    again = await submit(house.client, "hold", Idempotency_Key="k", Prefer="respond-async")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    house.scene.go.set()
    last = await submit(house.client, "hold", Idempotency_Key="k", Prefer="wait=30")
    assert (last.status_code, last.json()["id"]) == (200, first.json()["id"])


@story()
async def test_a_key_with_another_body_is_refused(house: House) -> None:
    await submit(house.client, "one", Idempotency_Key="k")
    problem(await submit(house.client, "two", Idempotency_Key="k"), 422, "key-reused")


@story()
async def test_a_key_belongs_to_its_caller(house: House) -> None:
    mine = await submit(house.client, "one", Idempotency_Key="k")
    theirs = await submit(await house.guest(), "two", Idempotency_Key="k")
    assert theirs.status_code == 200
    assert theirs.json()["id"] != mine.json()["id"]


@story()
async def test_a_quoted_key_may_have_spaces(house: House) -> None:
    assert (await submit(house.client, Idempotency_Key='"two words"')).status_code == 200


@pytest.mark.parametrize("key", ["", '""', '"open', "two words", "a" * 256, "ü", 'a"b'])
@story()
async def test_a_malformed_key_is_refused(house: House, key: str) -> None:
    answer = await house.client.post("/api/skill", json=BODY, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    assert "Idempotency-Key" in problem(answer, 422, "invalid-request")["detail"]
    assert (await house.client.get("/api/tasks")).json()["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"task": None}, "#/task"),
        ({"task": "a\0b"}, "#/task"),
        ({"skill": ""}, "#/skill"),
        ({"skill": 5}, "#/skill"),
        ({"args": []}, "#/args"),
        ({"args": {"a": float("nan")}}, "#/args"),
        ({"metadata": {"a": float("inf")}}, "#/metadata"),
        ({"metadata": {"a": "x" * 20_000}}, "#/metadata"),
        ({"files": "abc"}, "#/files"),
        ({"files": ["../../etc/passwd"]}, "#/files/0"),
        ({"files": ["a\0b"]}, "#/files/0"),
        ({"files": ["01kagq8s5c2v8m3r7x9t4n6w0z"] * 101}, "#/files"),
        ({"timeout": 0}, "#/timeout"),
        ({"timeout": "5"}, "#/timeout"),
        ({"timeout": float("nan")}, "#/timeout"),
        ({"timeout": 86_401}, "#/timeout"),
        ({"priority": 1001}, "#/priority"),
        ({"priority": 10**400}, "#/priority"),
        ({"priority": True}, "#/priority"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
    ],
)
@story()
async def test_a_fault_is_named_with_its_pointer(house: House, change: dict[str, object], pointer: str) -> None:
    answer = await house.client.post("/api/skill", content=json.dumps(BODY | change))
    body = problem(answer, 422, "invalid-request")
    assert [fault["pointer"] for fault in body["errors"]] == [pointer]
    assert body["detail"].startswith(f"{pointer}: ")


@story()
async def test_many_faults_are_told_in_few_words(house: House) -> None:
    answer = await house.client.post("/api/skill", json=BODY | {f"key{number}": 1 for number in range(1000)})
    assert len(problem(answer, 422, "invalid-request")["errors"]) == 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"skill": "planning", "task": "\xff"}',
        b'{"skill": "planning", "task": "\\ud800"}',
        b"[" * 100_000,
        b'{"skill":"planning","task":"work","args":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b'{"skill":"planning","task":"work","args":{"a":' + b"9" * 5000 + b"}}",
        "{}".encode("utf-16"),
    ],
    ids=lambda body: repr(body[:40]),
)
@story()
async def test_what_is_no_request_is_refused(house: House, body: bytes) -> None:
    problem(await house.client.post("/api/skill", content=body), 422, "invalid-request")


@story()
async def test_of_double_keys_the_last_counts(house: House) -> None:
    answer = await house.client.post("/api/skill", content=b'{"skill": "nothing", "task": "work", "skill": "planning"}')
    assert answer.json()["skill"] == "planning"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400, 1e308, 5e-324])
@story()
async def test_large_numbers_come_back_as_they_were(house: House, number: float) -> None:
    answer = await house.client.post("/api/skill", json=BODY | {"metadata": {"number": number, "nul": "a\0b"}})
    assert answer.status_code == 200
    assert answer.json()["metadata"] == {"number": number, "nul": "a\0b"}


@story()
async def test_what_is_nested_as_deep_as_may_be_runs(house: House) -> None:
    """Nothing is accepted that a worker could not read again."""
    accepted = 0
    for depth in (100, 180, 190, 195, 196, 197, 198, 199, 200, 201):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        answer = await house.client.post("/api/skill", content=b'{"skill":"planning","task":"deep","metadata":' + deep + b"}")
        if answer.status_code == 422:
            break
        assert answer.json()["status"] == "completed", answer.text
        assert (await house.client.get("/api/tasks")).status_code == 200
        accepted = depth
    assert accepted >= 100


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
)
@story()
async def test_another_media_type_is_refused(house: House, media_type: str) -> None:
    answer = await house.client.post("/api/skill", content=json.dumps(BODY), headers={"Content-Type": media_type})
    problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"])
@story()
async def test_json_by_any_of_its_names_is_taken(house: House, media_type: str) -> None:
    answer = await house.client.post("/api/skill", content=json.dumps(BODY), headers={"Content-Type": media_type})
    assert answer.status_code == 200


@story(max_body_bytes=200)
async def test_a_body_over_the_limit_is_refused(house: House) -> None:
    problem(await submit(house.client, "x" * 200), 413, "too-large")
    assert (await submit(house.client, "x" * 100)).status_code == 200


@story()
async def test_an_unknown_skill_is_told_with_near_names(house: House) -> None:
    assert "planning" in problem(await submit(house.client, "work", "planing"), 404, "unknown-skill")["detail"]
    problem(await submit(house.client, "work", "../planning"), 404, "unknown-skill")


@story()
async def test_arguments_that_do_not_fit_are_named(house: House) -> None:
    body = {"skill": "thumbnails", "task": "work", "args": {"width": 0}}
    faults = problem(await house.client.post("/api/skill", json=body), 422, "invalid-arguments")["errors"]
    assert [fault["pointer"] for fault in faults] == ["#/args/width"]
    assert (await house.client.post("/api/skill", json=body | {"args": {"width": 5}})).json()["result"]["data"] == {"width": 5}
    problem(await house.client.post("/api/skill", json=BODY | {"args": {"width": 5}}), 422, "invalid-arguments")


@story()
async def test_more_time_than_the_skill_allows_is_refused(house: House) -> None:
    problem(await house.client.post("/api/skill", json=BODY | {"timeout": 601}), 422, "invalid-request")
    assert (await house.client.post("/api/skill", json=BODY | {"timeout": 600})).status_code == 200


@story()
async def test_a_failed_task_is_an_answer_not_a_problem(house: House) -> None:
    answer = await submit(house.client, "refuse")
    assert answer.status_code == 200
    task = answer.json()
    assert task["status"] == "failed"
    assert task["result"] is None
    assert task["error"]["type"] == "program-refused"
    assert task["error"]["detail"] == "It cannot read this."
