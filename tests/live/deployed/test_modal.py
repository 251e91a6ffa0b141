"""What only the deployed app has: containers, calls, the reaper. `tests/stories/` runs against it too."""

import json
import os
import signal
from pathlib import Path

import modal
import psycopg

from agents.src.memory import entry_id
from tests.building import new_id
from tests.live.deployed.deployment import AS_FILE, AS_MODULE, SHIPPED, Deployment, deploy
from tests.stories.house import LONG, PATIENCE, House, Json, eventually

Database = psycopg.Connection[tuple[object, ...]]


def reap() -> None:
    """What the schedule does every minute."""
    modal.Function.from_name("modal-invoke", "reaper").remote()


def reap_until_started(house: House, task: Json) -> None:
    """A task is back in the queue a little before its call is over."""

    def started() -> bool:
        reap()
        return bool(house.show(task["id"])["status"] != "queued")

    eventually(started)


def call_of(database: Database, task: Json) -> modal.FunctionCall[None]:
    rows = database.execute("select call_id from task where id = %s", [task["id"]]).fetchall()
    return modal.FunctionCall.from_id(str(rows[0][0]))


def long_ago(database: Database, task: Json) -> None:
    """Makes the task one that has been due for a minute."""
    database.execute("update task set run_at = run_at - 60 where id = %s", [task["id"]])


def test_a_program_gets_the_secrets_of_its_skill(house: House) -> None:
    assert "PICTURE_STORE_KEY" in house.submit("slow", "0", prefer="wait=60")["result"]["data"]


def test_a_container_that_is_told_to_stop_gives_its_task_back(house: House, database: Database) -> None:
    """As before a preemption. Modal restarts such a call, the stand-in ends it: then the reaper makes another."""
    task = house.submit("slow", LONG)
    os.kill(house.worker(task), signal.SIGINT)
    eventually(lambda: house.show(task["id"])["status"] != "running")
    assert not house.processes(task)
    long_ago(database, task)
    reap_until_started(house, task)
    assert house.ended(task)["result"]["text"] == "attempt 2"


def test_the_reaper_starts_a_task_again_whose_call_is_over(house: House, database: Database) -> None:
    task = house.submit("slow", LONG)
    house.worker(task)
    orphans = house.processes(task)
    call_of(database, task).cancel(terminate_containers=True)
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    reap()
    assert house.ended(task)["result"]["text"] == "attempt 2"


def test_a_call_that_is_cancelled_from_outside_gives_its_task_back(house: House, database: Database) -> None:
    task = house.submit("slow", LONG)
    house.worker(task)
    call_of(database, task).cancel()
    eventually(lambda: house.show(task["id"])["status"] == "queued")
    assert not house.processes(task)
    long_ago(database, task)
    reap_until_started(house, task)
    assert house.ended(task)["result"]["text"] == "attempt 2"


def test_the_reaper_ends_a_container_that_no_longer_answers(house: House, database: Database) -> None:
    task = house.submit("slow", LONG)
    container = house.worker(task)
    orphans = house.processes(task)
    os.kill(container, signal.SIGSTOP)
    database.execute("update task set lease_until = 0 where id = %s", [task["id"]])
    reap()
    assert house.ended(task)["result"]["text"] == "attempt 2"
    eventually(lambda: not Path(f"/proc/{container}").exists())
    for pid in orphans & house.processes(task):
        os.kill(pid, signal.SIGKILL)


def test_the_reaper_starts_what_was_accepted_but_never_spawned(house: House, database: Database) -> None:
    first = house.submit("slow", "0", prefer="wait=60")
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
    assert house.ended(lost)["status"] == "completed"


def test_the_responder_is_called_and_has_the_next_in_turn_asked(house: House) -> None:
    """What is deployed here rehearses: the call has no model to ask. It ends long before the responder's time is over."""
    task = house.submit("asker", "Which colour!", questions={"ask": ["responder"]})
    assert house.ended(task)["error"]["type"] == "question-expired"
    told = [(event["type"], event["data"].get("to")) for event in house.events(task)]
    assert ("question_passed_on", "responder") in told


def keep() -> modal.FunctionCall[None]:
    """What the schedule does every ten minutes."""
    call: modal.FunctionCall[None] = modal.Function.from_name("modal-invoke", "memory").spawn()
    return call


def known(house: House, skill: str) -> list[str]:
    answer = house.web.get("/api/memory", params={"skill": skill, "limit": 200})
    return [entry["text"] for entry in answer.json()["items"]]


def test_a_memory_that_ships_with_a_skill_is_the_first_of_its_kind(house: House) -> None:
    keep().get(timeout=PATIENCE)
    assert SHIPPED in known(house, "novice")
    assert SHIPPED in house.web.get("/api/memory/search", params={"q": "Which fact came with the skill?"}).text


def test_what_waits_is_taken_by_the_schedule_and_rounds_at_once_do_no_harm(house: House, database: Database) -> None:
    house.submit("apprentice", "nothing", prefer="wait=60")
    fact = f"Nobody was told of this ({new_id()})."
    lesson = json.dumps({"action": "add", "id": entry_id("apprentice", fact), "text": fact})
    database.execute(
        "with counted as (update lesson_count set last = last + 1 returning last) "
        "insert into lesson select last, 'gone', 'apprentice', 'root', %s, 'new', 0 from counted",
        [lesson],
    )
    for call in [keep() for _ in range(3)]:
        call.get(timeout=PATIENCE)
    assert known(house, "apprentice").count(fact) == 1
    assert database.execute("select count(*) from lesson where state = 'new'").fetchall() == [(0,)]
    assert database.execute("select count(*) from lease").fetchall() == [(0,)]


def test_a_deploy_in_the_midst_disturbs_no_task(house: House, deployment: Deployment) -> None:
    task = house.submit("slow", "4")
    house.worker(task)
    assert deploy(deployment.skills, *AS_FILE).returncode == 0
    found = house.ended(task)
    assert (found["status"], found["attempt"]) == ("completed", 1)
    assert house.submit("slow", "0", prefer="wait=60")["status"] == "completed"


def test_a_deploy_without_a_secret_says_what_to_do(house: House, tmp_path: Path) -> None:
    skill = tmp_path / "skills" / "keen"
    skill.mkdir(parents=True)
    (skill / "info.md").write_text("---\nname: keen\ndescription: Wants more.\nsecrets: [absent]\n---\nDo it.\n")
    refused = deploy(skill.parent, *AS_MODULE)
    assert refused.returncode == 1
    assert "Modal has no secret absent. Make it: modal secret create absent" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
