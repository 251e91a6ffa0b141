"""The main job from end to end: a command typed in Claude Code, our client, our server, and Claude Code again that plans."""

from pathlib import Path

from agents.src.services.rehearsal import Reply, heard
from tests.client.claude import COMMAND, TYPED, ClaudeCode, bash, converse, install_plugin
from tests.stories.house import House

SUMMARY = "The plan builds password login with sessions kept in the database, in six steps"
"""How the planning skill's rehearsal sums its plan up."""


def test_a_typed_command_brings_back_a_plan(house: House, tmp_path: Path) -> None:
    claude = ClaudeCode(tmp_path)
    install_plugin(claude)
    answer = Reply(expect=SUMMARY, text="Here is the plan.")
    said, caller = converse(claude, house.place.url, house.place.token, [TYPED], bash(COMMAND), answer)
    assert (caller.failure, caller.unheard) == (None, None)
    assert (said["result"], said["is_error"], said["permission_denials"]) == ("Here is the plan.", False, [])

    [task] = [task for task in house.web.get("/api/tasks").json()["items"] if f"task {task['id']}" in heard(caller.requests[1])]
    assert (task["status"], task["task"], task["attempt"]) == ("completed", "Create auth system plan", 1)
    assert task["usage"]["input_tokens"] > 0
    assert task["usage"]["cost_usd"] > 0

    given = heard(caller.requests[1])
    assert f"saved modal-invoke-{task['id']}/plan.md" in given
    assert "completed; " in given
    assert "Exit code" not in given  # is there when a command fails
    plan = tmp_path / f"modal-invoke-{task['id']}" / "plan.md"
    assert plan.read_text().startswith("# Plan: an authentication system")
