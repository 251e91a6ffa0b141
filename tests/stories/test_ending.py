"""Tasks that are ended, by their caller, by a limit, by their own program or by an accident: the same in every place."""

import time

from tests.stories.house import LONG, ROOT, House

PROMISED = 2.0
"""Seconds within which a cancelled task has ended."""
ON_THE_WAY = 3.0
"""Seconds that requests and a busy machine may add to what is promised."""


def test_cancelling_ends_every_process_of_the_run(house: House) -> None:
    task = house.submit("slow", LONG)
    house.worker(task)
    assert len(house.processes(task)) == 2
    began = time.monotonic()
    assert house.web.post(f"/api/tasks/{task['id']}/cancel").status_code == 202
    found = house.ended(task)
    assert time.monotonic() - began < PROMISED + ON_THE_WAY
    assert (found["status"], found["error"]) == ("cancelled", None)
    assert found["result"]["text"].startswith("worker ")  # what it had said stays
    assert not house.processes(task)
    again = house.web.post(f"/api/tasks/{task['id']}/cancel")
    assert (again.status_code, again.json()["type"], again.json()["task_status"]) == (409, "/problems/already-ended", "cancelled")


def test_our_own_time_limit_ends_a_run(house: House) -> None:
    task = house.ended(house.submit("slow", LONG, timeout=1))
    assert task["status"] == "failed"
    assert task["error"] == {
        "type": "timed-out",
        "title": "The task ran into its time limit.",
        "detail": "It ran for 1 seconds, all that it was given. Give it more, or less to do.",
    }
    assert not house.processes(task)


def test_a_program_that_breaks_tells_why_and_nothing_of_the_machine(house: House) -> None:
    task = house.ended(house.submit("slow", "soon"))
    assert (task["status"], task["error"]["type"]) == ("failed", "program-failed")
    assert "could not convert string to float: 'soon'" in task["error"]["detail"]
    assert not [place for place in (str(ROOT), "/root/", "/tmp/") if place in task["error"]["detail"]]


def test_a_program_that_refuses_says_what_it_would_do(house: House) -> None:
    file = house.web.post("/api/files", params={"name": "song.wav"}, content=b"RIFF").json()
    task = house.submit("media-processing", "make me a sandwich", prefer="wait=60", files=[file["id"]])
    assert (task["status"], task["error"]["type"], task["attempt"]) == ("failed", "program-refused", 1)
    assert "convert clip.mov to MP4" in task["error"]["detail"]


def test_a_task_whose_worker_is_killed_runs_again(house: House) -> None:
    task = house.submit("slow", LONG)
    house.lose(task)
    found = house.ended(task)
    assert (found["status"], found["result"]["text"], found["attempt"]) == ("completed", "attempt 2", 2)
    assert not house.processes(task)
    kinds = [event["type"] for event in house.events(task)]
    assert kinds == ["submitted", "started", "text", "requeued", "started", "text", "completed"]


def test_a_task_that_must_not_run_twice_says_that_it_was_interrupted(house: House) -> None:
    task = house.submit("once", LONG)
    house.lose(task)
    found = house.ended(task)
    assert (found["status"], found["error"]["type"], found["attempt"]) == ("failed", "interrupted", 1)
    assert "check what it did, then submit it again" in found["error"]["detail"]
    assert not house.processes(task)
