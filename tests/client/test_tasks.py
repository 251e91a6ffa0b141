"""The commands beside `run`: what a server has, and what became of a task."""

import pytest

from tests.client.driver import Client
from tests.client.stand_in import Plan, StandIn


def test_async_prints_the_id_and_watch_fetches_the_result(client: Client, server: StandIn) -> None:
    server.plan.artifacts = {"plan.md": b"# Plan"}
    task_id = client("run", "planning", "x", "--async").out.strip()
    assert not server.requests("GET", f"/api/tasks/{task_id}")
    for _ in range(2):  # while it runs, and after it has ended
        done = client("watch", task_id, "--out", ".")
        assert (done.code, done.out) == (0, "The result.\n")
    assert [path.name for path in client.home.glob("plan*")] == ["plan.md"]


def test_async_json_is_the_task(client: Client) -> None:
    assert client("run", "planning", "x", "--async", "--json").json["status"] == "running"


def test_skills(client: Client) -> None:
    assert client("skills").out == "planning  Makes a plan.\n"
    assert client("skills", "--json").json == [{"name": "planning", "description": "Makes a plan."}]


def test_tasks_are_listed_over_pages(client: Client, server: StandIn) -> None:
    for number in range(70):
        server.submit({"skill": "planning", "task": f"task {number}"}, str(number))
    listed = client("tasks", "--limit", "60", "--json").json
    assert [task["task"] for task in listed] == [f"task {number}" for number in range(69, 9, -1)]
    assert len(server.requests("GET", "/api/tasks")) == 2
    assert client("tasks", "--status", "failed", "--json").json == []
    assert len(client("tasks").out.splitlines()) == 20


def test_show(client: Client, server: StandIn) -> None:
    server.plan.artifacts = {"plan.md": b"#" * 2500}
    client("run", "planning", "x")
    shown = client("show", "task0000000000000000000001").out
    assert "status    completed" in shown
    assert "plan.md (2.5 kB)" in shown
    assert shown.endswith("\nThe result.\n")
    assert client("show", "task0000000000000000000001", "--json").json["id"] == "task0000000000000000000001"
    assert client("show", "task0000000000000000000009").code == 1
    assert "not a whole id, which has 26 characters" in client("show", "task000").err


@pytest.mark.parametrize(
    ("usd", "shown"), [(0.0, "12.50 s"), (0.00123, "12.50 s, $0.001230"), (None, "12.50 s, at an unknown price")]
)
def test_show_tells_what_runs_held(client: Client, server: StandIn, usd: float | None, shown: str) -> None:
    client("run", "planning", "x")
    server.tasks["task0000000000000000000001"]["usage"] = {"compute_seconds": 12.5, "compute_usd": usd}
    assert f"compute   {shown}\n" in client("show", "task0000000000000000000001").out


def test_show_tells_the_last_of_what_was_said(client: Client, server: StandIn) -> None:
    server.plan.output = {"lines": [f"line {number}" for number in range(8)], "errors": ["\x1b[31mno file" + "x" * 300]}
    client("run", "planning", "x")
    shown = client("show", "task0000000000000000000001").out
    assert "error     no filexx" in shown
    assert max(map(len, shown.splitlines())) < 220
    assert "said      (3 earlier ones are not shown)\nsaid      line 3\n" in shown
    assert "line 2" not in shown
    assert shown.endswith("\nThe result.\n")


def test_what_was_learned_is_told_when_it_happens_and_when_the_task_is_shown(client: Client, server: StandIn) -> None:
    added = {"action": "add", "id": "a1", "text": "videos are 50 fps"}
    forgotten = {"action": "forget", "id": "b2", "text": "no sound"}
    server.plan = Plan([("recalled", {"entries": []}), ("remembered", added | {"held": True}), ("remembered", forgotten)])
    server.plan.learned = [added, forgotten]
    done = client("run", "planning", "x")
    assert "remembered: videos are 50 fps (waits for a review)\nforgot: no sound\n" in done.err
    shown = client("show", "task0000000000000000000001").out
    assert "learned   remembered: videos are 50 fps\nlearned   forgot: no sound\n" in shown


def test_estimate(client: Client, server: StandIn) -> None:
    none = client("estimate", "planning")
    assert (none.code, none.out) == (0, "")
    assert "No task of planning that you may see has completed yet" in none.err
    seconds, cost = {"lowest": 1, "median": 2.5, "highest": 1234.5}, {"lowest": 0.01, "median": 0.02, "highest": 0.03}
    server.estimate = {"tasks": 12, "seconds": seconds, "cost_usd": cost, "compute_usd": None}
    shown = client("estimate", "planning")
    assert [line.split() for line in shown.out.splitlines()] == [
        ["lowest", "median", "highest"],
        ["seconds", "1.00", "2.50", "1234.50"],
        ["model,", "USD", "0.0100", "0.0200", "0.0300"],
        ["compute,", "USD", "unknown"],
    ]
    assert shown.err == "The last 12 completed tasks of planning.\n"
    assert client("estimate", "planning", "--json").json["seconds"] == seconds
    assert client("estimate", "unheard-of").code == 1


def test_cancel(client: Client) -> None:
    task_id = client("run", "planning", "x", "--async").out.strip()
    assert client("cancel", task_id, "--json").json["status"] == "cancelled"
    done = client("cancel", task_id)
    assert done.code == 1
    assert "already ended" in done.err
