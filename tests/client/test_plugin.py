"""The plugin in the real Claude Code: valid, installed, and able to run without a human at hand."""

import asyncio
import json
import re
from pathlib import Path

import frontmatter
import pytest

from agents import __version__
from agents.src.services.rehearsal import Reply, ToolCall, heard
from tests.client.claude import COMMAND, TYPED, ClaudeCode, bash, converse, install_plugin
from tests.client.driver import ROOT, Client
from tests.client.stand_in import TOKEN, Plan, StandIn

PLUGIN = ROOT / "local_skills" / "modal-invoke"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> ClaudeCode:
    """Claude Code with the plugin."""
    claude = ClaudeCode(tmp_path_factory.mktemp("home"))
    install_plugin(claude)
    return claude


@pytest.mark.parametrize("folder", [PLUGIN, ROOT])
def test_plugin_and_marketplace_are_valid(folder: Path, tmp_path: Path) -> None:
    code, out = asyncio.run(ClaudeCode(tmp_path)("plugin", "validate", "--strict", str(folder)))
    assert code == 0, out
    assert "Validation passed" in out


def test_one_version_everywhere(tmp_path: Path) -> None:
    plugin = json.loads((PLUGIN / ".claude-plugin" / "plugin.json").read_text())
    [entry] = json.loads((ROOT / ".claude-plugin" / "marketplace.json").read_text())["plugins"]
    client = Client(tmp_path)("--version").out.removeprefix("modal-invoke ").strip()
    assert {plugin["version"], entry["version"], client} == {__version__}


def test_the_skill_follows_the_agent_skills_specification() -> None:
    skill = frontmatter.load(str(PLUGIN / "SKILL.md"))
    assert skill["name"] == PLUGIN.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(skill["name"]))
    assert 0 < len(str(skill["description"])) <= 1024
    assert "$ARGUMENTS" in skill.content
    # $0, $1, … would be replaced by the words of the request.
    assert not re.search(r"\$\d", skill.content)


@pytest.mark.parametrize("command", [COMMAND, "modal-invoke run planning - <<'TASK'\nCreate auth system plan\nTASK"])
def test_a_typed_command_runs_without_approval(installed: ClaudeCode, server: StandIn, command: str) -> None:
    server.plan = Plan(text="# The plan\n\n1. Tables", artifacts={"plan.md": b"# The plan"})
    said, rehearsal = converse(
        installed, server.url, TOKEN, [TYPED], bash(command), Reply(expect="# The plan\n\n1. Tables", text="Here is the plan.")
    )
    assert rehearsal.failure is None
    assert (said["result"], said["permission_denials"]) == ("Here is the plan.", [])
    [seen] = server.requests("POST", "/api/skill")
    assert json.loads(seen.body)["task"].strip() == "Create auth system plan"
    assert 'The request: planning "Create auth system plan"' in heard(rehearsal.requests[0])
    assert "saved modal-invoke-task0000000000000000000001/plan.md" in heard(rehearsal.requests[1])


def test_the_model_learns_why_it_failed(installed: ClaudeCode, server: StandIn) -> None:
    server.plan = Plan(status="failed", error={"title": "The budget of the skill is used up.", "detail": "Raise it."})
    said, rehearsal = converse(
        installed,
        server.url,
        TOKEN,
        [TYPED],
        bash(COMMAND),
        Reply(expect="budget of the skill is used up: Raise it.", text="No."),
    )
    assert rehearsal.failure is None
    assert "Exit code 1" in heard(rehearsal.requests[1])
    assert said["permission_denials"] == []


def test_a_long_task_is_watched_in_the_background(installed: ClaudeCode, server: StandIn) -> None:
    task = server.submit({"skill": "planning", "task": "x"}, "key")
    call = ToolCall(name="Bash", input={"command": f"modal-invoke watch {task['id']}", "run_in_background": True})
    said, rehearsal = converse(
        installed,
        server.url,
        TOKEN,
        [TYPED],
        Reply(tools=(call,)),
        Reply(text="It runs."),
        Reply(expect="<status>completed", text="Done."),
    )
    assert rehearsal.failure is None
    assert said["permission_denials"] == []


def test_the_permission_covers_nothing_else(installed: ClaudeCode, server: StandIn) -> None:
    said, _ = converse(installed, server.url, TOKEN, [TYPED], bash("touch elsewhere"), Reply(text="No."))
    assert [denied["tool_input"]["command"] for denied in said["permission_denials"]] == ["touch elsewhere"]


def test_the_rules_that_the_skill_names_suffice_when_the_model_calls_it(installed: ClaudeCode, server: StandIn) -> None:
    [rules] = re.findall(r'^    (\{"permissions".*)$', (PLUGIN / "SKILL.md").read_text(), re.MULTILINE)
    call = Reply(tools=(ToolCall(name="Skill", input={"skill": "modal-invoke"}),))
    refused, _ = converse(installed, server.url, TOKEN, ["Plan it"], call, Reply(text="No."))
    assert len(refused["permission_denials"]) == 1
    said, rehearsal = converse(
        installed,
        server.url,
        TOKEN,
        ["Plan it", "--settings", rules],
        call,
        bash(COMMAND),
        Reply(expect="The result.", text="Done."),
    )
    assert rehearsal.failure is None
    assert (said["result"], said["permission_denials"]) == ("Done.", [])
