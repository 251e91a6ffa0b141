"""The deployed app, from outside: each story over HTTP against real containers, with what can go wrong on Modal."""

import io
import json
import os
import signal
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import modal
import psycopg

from agents.src.services.processes import processes_of
from tests.live.deployed.conftest import deploy

Json = dict[str, Any]
Database = psycopg.Connection[tuple[object, ...]]
ENDED = {"completed", "failed", "cancelled"}
LONG = "100"
"""Seconds that no test waits for."""
PATIENCE = 40
"""Seconds after which a test that waits gives up."""


def submit(web: httpx.Client, skill: str, task: str, prefer: str = "respond-async", **more: Any) -> Json:
    answer = web.post("/api/skill", json={"skill": skill, "task": task, **more}, headers={"Prefer": prefer})
    assert answer.status_code in {200, 202}, answer.text
    found: Json = answer.json()
    return found


def events(web: httpx.Client, task: Json, after: int = 0) -> Iterator[Json]:
    """The task's events as they come, to the last."""
    end = time.monotonic() + PATIENCE
    with web.stream("GET", f"/api/tasks/{task['id']}/events", params={"after": after}) as stream:
        for line in stream.iter_lines():
            assert time.monotonic() < end, "the task does not end"
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def container_of(web: httpx.Client, task: Json) -> int:
    """The process id of the container that runs the task, once its program has begun."""
    text = next(event["data"]["text"] for event in events(web, task) if event["type"] == "text")
    return int(text.removeprefix("container "))


def ended(web: httpx.Client, task: Json) -> Json:
    numbers = [event["seq"] for event in events(web, task)]
    assert numbers == list(range(1, len(numbers) + 1))
    found: Json = web.get(f"/api/tasks/{task['id']}").json()
    assert found["status"] in ENDED
    return found


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def a_second_of_silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    return file.getvalue()


def reap() -> None:
    """What the schedule does every minute."""
    modal.Function.from_name("modal-invoke", "reaper").remote()


def reap_until_started(web: httpx.Client, task: Json) -> None:
    """A task is back in the queue a little before its call is over."""

    def started() -> bool:
        reap()
        return bool(web.get(f"/api/tasks/{task['id']}").json()["status"] != "queued")

    eventually(started)


def call_of(database: Database, task: Json) -> modal.FunctionCall[None]:
    rows = database.execute("select call_id from task where id = %s", [task["id"]]).fetchall()
    return modal.FunctionCall.from_id(str(rows[0][0]))


def long_ago(database: Database, task: Json) -> None:
    """Makes the task one that has been due for a minute."""
    database.execute("update task set run_at = run_at - 60 where id = %s", [task["id"]])


def test_health_is_open_and_the_rest_is_not(web: httpx.Client) -> None:
    assert web.get("/api/health", headers={"Authorization": ""}).status_code == 200
    assert web.get("/api/tasks", headers={"Authorization": ""}).status_code == 401
    assert {skill["name"] for skill in web.get("/api/skills").json()["items"]} >= {"planning", "slow"}


def test_a_script_skill_runs_while_the_caller_waits(web: httpx.Client) -> None:
    task = submit(web, "slow", "0", prefer="wait=60")
    assert (task["status"], task["result"]["text"]) == ("completed", "attempt 1")


def test_a_program_gets_the_secrets_of_its_skill_and_none_of_the_containers(web: httpx.Client) -> None:
    task = submit(web, "slow", "0", prefer="wait=60")
    assert task["result"]["data"] == {"PICTURE_STORE_KEY": True, "DATABASE_URL": False}


def test_files_go_in_and_artifacts_come_out(web: httpx.Client) -> None:
    file = web.post("/api/files", params={"name": "tone.wav"}, content=a_second_of_silence()).json()
    task = submit(web, "media-processing", "convert tone.wav to FLAC", prefer="wait=60", files=[file["id"]])
    assert task["status"] == "completed", task["error"]
    [artifact] = task["result"]["artifacts"]
    assert web.get(artifact["url"]).content.startswith(b"fLaC")


def test_planning_runs_in_the_real_claude_code(web: httpx.Client) -> None:
    task = ended(web, submit(web, "planning", "Create auth system plan"))
    assert task["status"] == "completed", task["error"]
    [artifact] = task["result"]["artifacts"]
    assert artifact["name"] == "plan.md"
    assert web.get(artifact["url"]).text.startswith("# Plan")
    assert "rehears" in json.dumps([*events(web, task), task["result"]]).lower()


def test_events_arrive_while_the_task_runs(web: httpx.Client) -> None:
    task = submit(web, "slow", "1")
    seen = [(event["type"], web.get(f"/api/tasks/{task['id']}").json()["status"]) for event in events(web, task)]
    assert [kind for kind, _ in seen] == ["submitted", "started", "text", "completed"]
    assert ("text", "running") in seen
    assert [event["seq"] for event in events(web, task, after=2)] == [3, 4]


def test_cancel_reaches_the_container_and_its_children(web: httpx.Client) -> None:
    task = submit(web, "slow", LONG)
    container_of(web, task)
    assert processes_of(f"{task['id']}:1")
    assert web.post(f"/api/tasks/{task['id']}/cancel").status_code == 202
    assert ended(web, task)["status"] == "cancelled"
    assert not processes_of(f"{task['id']}:1")


def test_our_own_time_limit_comes_first(web: httpx.Client) -> None:
    task = ended(web, submit(web, "slow", LONG, timeout=1))
    assert (task["status"], task["error"]["type"].rpartition("/")[2]) == ("failed", "timed-out")
    assert not processes_of(f"{task['id']}:1")


def kill_container(web: httpx.Client, task: Json) -> None:
    """As a machine that is lost: everything in the container, at once."""
    for pid in {container_of(web, task), *processes_of(f"{task['id']}:1")}:
        os.kill(pid, signal.SIGKILL)


def test_a_call_that_is_restarted_after_its_container_died_takes_its_task_up_again(web: httpx.Client) -> None:
    task = submit(web, "slow", LONG)
    kill_container(web, task)
    found = ended(web, task)
    assert (found["status"], found["result"]["text"], found["attempt"]) == ("completed", "attempt 2", 2)


def test_a_task_that_must_not_run_twice_says_that_it_was_interrupted(web: httpx.Client) -> None:
    task = submit(web, "once", LONG)
    kill_container(web, task)
    found = ended(web, task)
    assert (found["status"], found["error"]["type"].rpartition("/")[2]) == ("failed", "interrupted")


def test_a_container_that_is_told_to_stop_gives_its_task_back(web: httpx.Client, database: Database) -> None:
    """As before a preemption. Modal restarts such a call, the stand-in ends it: then the reaper makes another."""
    task = submit(web, "slow", LONG)
    os.kill(container_of(web, task), signal.SIGINT)
    eventually(lambda: web.get(f"/api/tasks/{task['id']}").json()["status"] != "running")
    assert not processes_of(f"{task['id']}:1")
    long_ago(database, task)
    reap_until_started(web, task)
    assert ended(web, task)["result"]["text"] == "attempt 2"


def test_the_reaper_starts_a_task_again_whose_call_is_over(web: httpx.Client, database: Database) -> None:
    task = submit(web, "slow", LONG)
    container_of(web, task)
    orphans = processes_of(f"{task['id']}:1")
    call_of(database, task).cancel(terminate_containers=True)
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    reap()
    assert ended(web, task)["result"]["text"] == "attempt 2"


def test_a_call_that_is_cancelled_from_outside_gives_its_task_back(web: httpx.Client, database: Database) -> None:
    task = submit(web, "slow", LONG)
    container_of(web, task)
    call_of(database, task).cancel()
    eventually(lambda: web.get(f"/api/tasks/{task['id']}").json()["status"] == "queued")
    assert not processes_of(f"{task['id']}:1")
    long_ago(database, task)
    reap_until_started(web, task)
    assert ended(web, task)["result"]["text"] == "attempt 2"


def test_the_reaper_ends_a_container_that_no_longer_answers(web: httpx.Client, database: Database) -> None:
    task = submit(web, "slow", LONG)
    container = container_of(web, task)
    orphans = processes_of(f"{task['id']}:1")
    os.kill(container, signal.SIGSTOP)
    database.execute("update task set lease_until = 0 where id = %s", [task["id"]])
    reap()
    assert ended(web, task)["result"]["text"] == "attempt 2"
    eventually(lambda: not Path(f"/proc/{container}").exists())
    for pid in orphans & processes_of(f"{task['id']}:1"):
        os.kill(pid, signal.SIGKILL)


def test_the_reaper_starts_what_was_accepted_but_never_spawned(web: httpx.Client, database: Database) -> None:
    first = submit(web, "slow", "0", prefer="wait=60")
    columns = "skill, prompt, caller, created_at, status, args, metadata, priority, attempt, brief, next_seq, run_at"
    values = "skill, '0', caller, created_at, 'queued', args, metadata, priority, 0, brief, 2, created_at - 60"
    lost = {"id": f"{first['id'][:-4]}zzzz"}
    database.execute(
        f"insert into task (id, {columns}) select %s, {values} from task where id = %s".encode(), [lost["id"], first["id"]]
    )
    database.execute(
        "insert into event select %s, 1, type, at, data from event where task_id = %s and seq = 1", [lost["id"], first["id"]]
    )
    reap()
    assert ended(web, lost)["status"] == "completed"


def test_a_deploy_in_the_midst_disturbs_no_task(web: httpx.Client, skills: Path) -> None:
    task = submit(web, "slow", "4")
    container_of(web, task)
    assert deploy(skills, "agents/main.py").returncode == 0
    found = ended(web, task)
    assert (found["status"], found["attempt"]) == ("completed", 1)
    assert submit(web, "slow", "0", prefer="wait=60")["status"] == "completed"


def test_a_deploy_without_a_secret_says_what_to_do(web: httpx.Client, tmp_path: Path) -> None:
    skill = tmp_path / "skills" / "keen"
    skill.mkdir(parents=True)
    (skill / "info.md").write_text("---\nname: keen\ndescription: Wants more.\nsecrets: [absent]\n---\nDo it.\n")
    refused = deploy(skill.parent)
    assert refused.returncode == 1
    assert "Modal has no secret absent. Make it: modal secret create absent" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
