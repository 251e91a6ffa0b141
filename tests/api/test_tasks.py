"""Looking at tasks, cancelling them, counting them."""

import pytest

from tests.api.house import House, problem, story, submit
from tests.building import eventually

NOBODY = "0" * 26


@story()
async def test_pages_have_no_doubles_while_tasks_arrive(house: House) -> None:
    made = [(await submit(house.client)).json()["id"] for _ in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page = (await house.client.get("/api/tasks", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [task["id"] for task in page["items"]]
        await submit(house.client)
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(made, reverse=True)


@story()
async def test_a_full_last_page_has_no_successor(house: House) -> None:
    for _ in range(2):
        await submit(house.client)
    page = (await house.client.get("/api/tasks?limit=2")).json()
    assert (len(page["items"]), page["next"]) == (2, None)


@story()
async def test_filters_narrow_the_list(house: House) -> None:
    done, refused = (await submit(house.client)).json()["id"], (await submit(house.client, "refuse", "writing")).json()["id"]
    held = await house.held()

    async def found(query: str) -> list[str]:
        return [task["id"] for task in (await house.client.get(f"/api/tasks?{query}")).json()["items"]]

    assert await found("status=completed") == [done]
    assert await found("status=failed&skill=writing") == [refused]
    assert await found("skill=writing&status=completed") == []
    assert sorted(await found("skill=planning")) == sorted([done, held])
    assert await found("skill=nothing") == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "?limit"),
        ("limit=201", "?limit"),
        ("limit=x", "?limit"),
        ("status=done", "?status"),
        ("cursor=x", "?cursor"),
        ("cursor=", "?cursor"),
        ("skill=A%00", "?skill"),
    ],
)
@story()
async def test_a_wrong_filter_is_named(house: House, query: str, pointer: str) -> None:
    body = problem(await house.client.get(f"/api/tasks?{query}"), 422, "invalid-request")
    assert body["errors"][0]["pointer"] == pointer


@story()
async def test_a_running_task_is_cancelled_and_an_ended_one_is_not(house: House) -> None:
    task_id = await house.held()
    answer = await house.client.post(f"/api/tasks/{task_id}/cancel")
    assert answer.status_code == 202
    assert answer.json()["id"] == task_id
    assert (await house.ended(task_id))["status"] == "cancelled"
    again = await house.client.post(f"/api/tasks/{task_id}/cancel")
    assert problem(again, 409, "already-ended")["task_status"] == "cancelled"


@story(max_concurrent_tasks=1)
async def test_a_queued_task_is_cancelled_at_once(house: House) -> None:
    await house.held()
    waiting = await house.held()
    answer = await house.client.post(f"/api/tasks/{waiting}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    assert answer.json()["started_at"] is None


@story()
async def test_a_single_task_has_what_it_said_and_a_list_does_not(house: House) -> None:
    talker, silent = [(await submit(house.client, prompt)).json()["id"] for prompt in ("say 2", "work")]
    assert (await house.client.get(f"/api/tasks/{talker}")).json()["output"] == {"lines": ["text 0", "text 1"], "errors": []}
    assert (await house.client.get(f"/api/tasks/{silent}")).json()["output"] is None
    assert all("output" not in task for task in (await house.client.get("/api/tasks")).json()["items"])


@story()
async def test_an_estimate_rests_on_the_callers_own_tasks(house: House) -> None:
    guest = await house.guest(skills={"planning"})
    nothing = {"skill": "planning", "tasks": 0, "seconds": None, "cost_usd": None, "compute_usd": None}
    assert (await guest.get("/api/skills/planning/estimate")).json() == nothing
    for client, prompt in ((guest, "spend"), (house.client, "spend"), (house.client, "work")):
        assert (await submit(client, prompt)).json()["status"] == "completed"
    own = (await guest.get("/api/skills/planning/estimate")).json()
    assert (own["tasks"], own["cost_usd"]) == (1, {"lowest": 0.25, "median": 0.25, "highest": 0.25})
    assert own["seconds"]["lowest"] == own["seconds"]["highest"] > 0
    everybodys = (await house.client.get("/api/skills/planning/estimate")).json()
    assert (everybodys["tasks"], everybodys["cost_usd"]) == (3, {"lowest": 0.0, "median": 0.25, "highest": 0.25})
    assert "planning" in problem(await house.client.get("/api/skills/plannin/estimate"), 404, "unknown-skill")["detail"]
    problem(await guest.get("/api/skills/writing/estimate"), 404, "unknown-skill")


@pytest.mark.parametrize("path", ["", "/events", "/artifacts/a.txt"])
@story()
async def test_an_unknown_task_is_not_found(house: House, path: str) -> None:
    problem(await house.client.get(f"/api/tasks/{NOBODY}{path}"), 404, "unknown-task")
    problem(await house.client.get(f"/api/tasks/{NOBODY.upper()}x{path}"), 422, "invalid-request")


@story(max_concurrent_tasks=1)
async def test_the_status_counts_tasks_and_sums_usage(house: House) -> None:
    for prompt in ("spend", "spend", "refuse"):
        await submit(house.client, prompt)
    await house.held()
    await house.held()
    await house.scene.holding.wait()
    status = (await house.client.get("/api/status")).json()
    expected = {"queued": 1, "running": 1, "input_required": 0, "completed": 2, "failed": 1, "cancelled": 0}
    assert status["by_status"] == expected
    assert (status["running"], status["queued"], status["caller"]) == (1, 1, "root")
    assert status["usage"]["input_tokens"] == 10
    assert status["usage"]["cost_usd"] == 0.5
    assert (status["usage"]["compute_seconds"] >= 0, status["usage"]["compute_usd"]) == (True, 0)
    assert status["version"]


@story()
async def test_health_is_open(house: House) -> None:
    answer = await (await house.visitor(None)).get("/api/health")
    assert answer.json() == {"status": "ok", "version": house.app.version}


@story()
async def test_the_catalogue_shows_what_a_caller_needs(house: House) -> None:
    listed = (await house.client.get("/api/skills")).json()
    assert [skill["name"] for skill in listed["items"]] == ["planning", "thumbnails", "writing"]
    assert listed["next"] is None
    one = (await house.client.get("/api/skills/thumbnails")).json()
    assert one == listed["items"][1]
    assert one["arguments"]["required"] == ["width"]
    assert (listed["items"][0]["timeout"], one["timeout"]) == (600, 3600)
    assert "planning" in problem(await house.client.get("/api/skills/plannin"), 404, "unknown-skill")["detail"]


# Steering


@story(max_concurrent_tasks=1)
async def test_a_queued_task_is_paused_told_more_and_resumed(house: House) -> None:
    await house.held()
    path = f"/api/tasks/{await house.held()}"
    for _ in range(2):
        answer = await house.client.post(f"{path}/pause")
        assert (answer.status_code, answer.json()["status"], answer.json()["paused"]) == (202, "input_required", True)
    said = await house.client.post(f"{path}/messages", json={"text": "Use passkeys."})
    assert said.status_code == 202
    resumed = await house.client.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json()["status"], resumed.json()["paused"]) == (202, "queued", False)
    problem(await house.client.post(f"{path}/resume"), 409, "not-paused")


@story()
async def test_a_message_that_is_sent_again_under_its_key_is_taken_once(house: House) -> None:
    task_id = await house.held()
    for key in ('"a"', '"a"', '"b"'):
        sent = {"Idempotency-Key": key}
        answer = await house.client.post(f"/api/tasks/{task_id}/messages", json={"text": "More."}, headers=sent)
        assert answer.status_code == 202
    house.scene.go.set()
    await house.ended(task_id)
    events = (await house.client.get(f"/api/tasks/{task_id}/events")).text
    assert events.count("event: said") == 2


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x" * 16_001}, {"text": "x", "more": 1}])
@story()
async def test_a_message_of_another_form_is_refused(house: House, body: dict[str, object]) -> None:
    task_id = await house.held()
    problem(await house.client.post(f"/api/tasks/{task_id}/messages", json=body), 422, "invalid-request")


@story()
async def test_an_empty_message_is_refused(house: House) -> None:
    task_id = await house.held()
    problem(await house.client.post(f"/api/tasks/{task_id}/messages", json={"text": " \n"}), 422, "invalid-request")


@story()
async def test_a_program_that_runs_is_neither_paused_nor_spoken_to(house: House) -> None:
    task_id = (await submit(house.client, "hold", "writing", Prefer="respond-async")).json()["id"]
    await eventually(lambda: runs(house, task_id))
    problem(await house.client.post(f"/api/tasks/{task_id}/pause"), 409, "cannot-pause")
    problem(await house.client.post(f"/api/tasks/{task_id}/messages", json={"text": "More."}), 409, "cannot-say")


@pytest.mark.parametrize("verb", ["pause", "resume", "messages"])
@story()
async def test_nobody_steers_what_has_ended_or_is_somebody_elses(house: House, verb: str) -> None:
    body = {"text": "More."}  # what only has a verb passes it over
    done = (await submit(house.client)).json()["id"]
    ended = await house.client.post(f"/api/tasks/{done}/{verb}", json=body)
    assert problem(ended, 409, "already-ended")["task_status"] == "completed"
    mine, guest = await house.held(), await house.guest()
    problem(await guest.post(f"/api/tasks/{mine}/{verb}", json=body), 404, "unknown-task")
    problem(await house.client.post(f"/api/tasks/{NOBODY}/{verb}", json=body), 404, "unknown-task")


async def runs(house: House, task_id: str) -> bool:
    return bool((await house.client.get(f"/api/tasks/{task_id}")).json()["status"] == "running")
