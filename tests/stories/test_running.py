"""Tasks that end well: the same in every place."""

from itertools import pairwise

from tests.stories.house import House, Json
from tests.stories.sound import a_second_of_silence


def test_a_caller_who_waits_gets_the_result(house: House) -> None:
    request = {"skill": "slow", "task": "0"}
    answer = house.web.post("/api/skill", json=request, headers={"Prefer": "wait=60"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=60")
    task = answer.json()
    assert (task["status"], task["result"]["text"], task["error"]) == ("completed", "attempt 1", None)
    moments = [task[f"{moment}_at"] for moment in ("created", "started", "finished")]
    assert all(earlier <= later for earlier, later in pairwise(moments))


def test_one_who_does_not_wait_is_told_where_to_look(house: House) -> None:
    answer = house.web.post("/api/skill", json={"skill": "slow", "task": "0"}, headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    task = answer.json()
    assert answer.headers["Location"] == f"/api/tasks/{task['id']}"
    assert house.ended(task)["status"] == "completed"


def test_a_program_sees_nothing_of_the_servers_environment(house: House) -> None:
    names = set(house.submit("slow", "0", prefer="wait=60")["result"]["data"])
    assert {"HOME", "MODAL_INVOKE_RUN"} <= names
    servers = {"DATABASE_URL", "MODAL_INVOKE_TOKEN", "MODAL_INVOKE_STATE_DIR", "MODAL_INVOKE_REHEARSAL"}
    assert not (servers | {"QDRANT_URL", "QDRANT_API_KEY"}) & names


def test_a_file_goes_in_and_an_artifact_comes_out(house: House) -> None:
    file = house.web.post("/api/files", params={"name": "tone.wav"}, content=a_second_of_silence()).json()
    task = house.submit("media-processing", "convert tone.wav to FLAC", prefer="wait=60", files=[file["id"]])
    assert task["status"] == "completed", task["error"]
    [artifact] = task["result"]["artifacts"]
    assert (artifact["name"], artifact["media_type"]) == ("tone.flac", "audio/flac")
    assert task["result"]["data"]["duration"] == 1.0
    content = house.web.get(artifact["url"]).content
    assert (content[:4], len(content)) == (b"fLaC", artifact["size"])
    part = house.web.get(artifact["url"], headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"fLaC")


def test_claude_code_plans(house: House) -> None:
    """A rehearsal: the real Claude Code, with scripted replies."""
    task = house.ended(house.submit("planning", "Create auth system plan"))
    assert task["status"] == "completed", task["error"]
    assert task["result"]["text"].startswith("This was a rehearsal")
    [artifact] = task["result"]["artifacts"]
    assert artifact["name"] == "plan.md"
    assert house.web.get(artifact["url"]).text.startswith("# Plan: an authentication system")
    happened = list(house.events(task))
    used = [event["data"]["name"] for event in happened if event["type"] == "tool_call"]
    assert used == ["Glob", "Write"]
    assert "rehearsal" in [event["data"]["code"] for event in happened if event["type"] == "warning"]
    assert task["usage"] | {"cost_usd": 0, "compute_seconds": 0, "compute_usd": 0} == {
        "input_tokens": 5880, "output_tokens": 2875, "cache_read_tokens": 21700, "cache_creation_tokens": 4100, "cost_usd": 0,
        "compute_seconds": 0, "compute_usd": 0,
    }  # fmt: skip
    assert task["usage"]["cost_usd"] > 0
    assert task["usage"]["compute_seconds"] > 0
    assert not house.processes(task)


def test_events_arrive_while_the_task_runs(house: House) -> None:
    task = house.submit("slow", "0.5")
    seen = [(event["type"], house.show(task["id"])["status"]) for event in house.events(task)]
    assert [kind for kind, _ in seen] == ["submitted", "started", "text", "completed"]
    assert ("text", "running") in seen


def test_a_stream_that_broke_off_goes_on_where_it_was(house: House) -> None:
    task = house.submit("slow", "0.5")
    begun = next(event for event in house.events(task) if event["type"] == "text")
    rest = list(house.events(task, last_event_id=begun["seq"]))
    assert [(event["seq"], event["type"]) for event in rest] == [(4, "completed")]
    assert [event["seq"] for event in house.events(task, after=2)] == [3, 4]
    assert [*house.events(task)][-1] == rest[-1]


def test_a_submission_that_is_repeated_is_the_same_task(house: House) -> None:
    def submit(request: Json) -> tuple[int, Json]:
        headers = {"Idempotency-Key": "once-only", "Prefer": "wait=60"}
        answer = house.web.post("/api/skill", json=request, headers=headers)
        return answer.status_code, answer.json()

    first, second = (submit({"skill": "slow", "task": "0"}) for _ in range(2))
    assert first[1]["status"] == "completed"
    assert second == first
    status, problem = submit({"skill": "slow", "task": "1"})
    assert (status, problem["type"]) == (422, "/problems/key-reused")


def test_what_was_done_is_listed_and_counted(house: House) -> None:
    task = house.submit("slow", "0", prefer="wait=60", metadata={"for": "the list"})
    listed = house.web.get("/api/tasks", params={"skill": "slow", "status": "completed", "limit": 200}).json()
    assert {name: value for name, value in task.items() if name != "warnings"} in listed["items"]
    status = house.web.get("/api/status").json()
    assert status["by_status"]["completed"] >= 1
    assert status["caller"] == "root"
