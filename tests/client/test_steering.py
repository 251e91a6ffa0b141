"""The client pauses and resumes tasks, and says more to them."""

import json

from tests.client.driver import Client
from tests.client.stand_in import Fault, Plan, StandIn

TASK = "task0000000000000000000001"
PAUSES = Plan([("said", {"text": "More.", "by": "ada", "number": 1}), ("pause_requested", {}), ("paused", {})])


def test_pause_and_resume(client: Client, server: StandIn) -> None:
    server.submit({"skill": "planning", "task": "x"}, "key")
    paused = client("pause", TASK)
    assert (paused.code, paused.out, paused.err) == (0, "", f"Task {TASK} is paused.\n")
    assert "status    input_required, paused" in client("show", TASK).out
    resumed = client("resume", TASK, "--json")
    assert (resumed.code, resumed.json["paused"]) == (0, False)
    again = client("resume", TASK)
    assert (again.code, "The task is not paused" in again.err) == (1, True)


def test_say_is_sent_again_under_its_key_where_its_receipt_was_lost(client: Client, server: StandIn) -> None:
    server.submit({"skill": "planning", "task": "x"}, "key")
    server.fault("POST /api/tasks", Fault(cut=True, discard=True))
    assert client("say", TASK, "More.").code == 0
    assert client("say", TASK, "-", stdin="From stdin.").code == 0
    first, again, other = server.requests("POST", f"/api/tasks/{TASK}/messages")
    assert [json.loads(seen.body) for seen in (first, again, other)] == [{"text": "More."}] * 2 + [{"text": "From stdin."}]
    keys = [seen.headers["idempotency-key"] for seen in (first, again, other)]
    assert keys[0] == keys[1] != keys[2]


def test_nothing_is_not_said(client: Client, server: StandIn) -> None:
    assert client("say", TASK, " ").code == 2
    assert not server.requests("POST", "/api/tasks")


def test_a_task_that_is_paused_ends_the_waiting_and_says_how_it_goes_on(client: Client, server: StandIn) -> None:
    server.plan = PAUSES
    waiting = client("run", "planning", "x")
    assert (waiting.code, waiting.json["asks"]) == (3, [])
    assert "ada says: More.\nis being paused\nis paused\n" in waiting.err
    assert f"modal-invoke resume {TASK}" in waiting.err
    assert client("resume", TASK).code == 0
    done = client("watch", TASK)
    assert (done.code, done.out) == (0, "The result.\n")
