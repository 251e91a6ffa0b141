"""`agents rehearse` with the real Claude Code."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from agents.src.cli.rehearse import rehearse
from agents.src.errors import InvalidArguments

SKILL = """\
---
name: copying
description: Copies a note.
allowed-tools: Read Write(output/**) Bash
arguments: {type: object, properties: {times: {type: integer}}}
---
Copy the note.
"""
SCRIPT = """\
replies:
  - expect: input/note.txt
    tools:
      - {name: Read, input: {file_path: input/note.txt}}
  - expect: remember the milk
    tools:
      - {name: Write, input: {file_path: output/copy.txt, content: remember the milk}}
  - text: Copied.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "skills" / "copying").mkdir(parents=True)
    (tmp_path / "skills" / "copying" / "info.md").write_text(SKILL)
    (tmp_path / "copy.yaml").write_text(SCRIPT)
    (tmp_path / "note.txt").write_text("remember the milk")
    return tmp_path


def run(folder: Path, *options: str) -> Result:
    app = typer.Typer()
    app.command()(rehearse)
    environment = {"MODAL_INVOKE_SKILLS_DIR": str(folder / "skills"), "LOG_LEVEL": None}
    return CliRunner().invoke(app, ["copying", str(folder / "copy.yaml"), *options], env=environment)


def test_it_shows_what_happened_and_keeps_what_the_skill_left(folder: Path) -> None:
    outcome = run(folder, "--file", str(folder / "note.txt"), "--keep", str(folder / "kept"))
    assert outcome.exit_code == 0
    assert "tool_call" in outcome.output
    assert "artifact     copy.txt" in outcome.output
    assert outcome.output.endswith("This was a rehearsal: no model was asked, every reply came from copy.yaml.\n\nCopied.\n")
    assert (folder / "kept" / "copy.txt").read_text() == "remember the milk"


def test_a_skill_that_does_not_do_as_the_script_expects_fails_the_command(folder: Path) -> None:
    outcome = run(folder, "--json")
    assert outcome.exit_code == 1
    said = json.loads(outcome.output)
    assert (said["rehearsal"], said["status"], said["artifacts"]) == (True, "failed", [])
    assert said["error"]["detail"].startswith("copy.yaml: reply 1 expected 'input/note.txt'")


def runs(folder: Path, command: str) -> None:
    """Makes it a script that runs one command."""
    replies = [{"tools": [{"name": "Bash", "input": {"command": command}}]}, {"text": "Done."}]
    (folder / "copy.yaml").write_text(json.dumps({"replies": replies}))


def test_what_is_kept_is_what_a_task_would_keep(folder: Path) -> None:
    runs(folder, "ln -s /etc/passwd output/linked; ln -s /nowhere output/dangling; mkdir output/a; echo hi > output/a/b.txt")
    outcome = run(folder, "--keep", str(folder / "kept"), "--json")
    assert outcome.exit_code == 0
    assert json.loads(outcome.stdout)["artifacts"] == ["a-b.txt"]
    assert [path.name for path in (folder / "kept").iterdir()] == ["a-b.txt"]


def test_the_log_does_not_get_into_the_answer(folder: Path) -> None:
    runs(folder, "kill -9 $CLAUDE_PID")
    outcome = run(folder, "--json")
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout)["error"]["type"] == "engine-failed"
    assert "claude_broke" in outcome.stderr


ASKING = """\
replies:
  - tools:
      - {name: mcp__caller__ask_caller, input: {text: "How often?", choices: [{label: once}, {label: twice}]}}
      - {name: mcp__caller__ask_caller, input: {text: "May I?", default: ["yes"]}}
  - {expect: twice, text: Copied.}
"""


def test_a_script_answers_what_the_skill_asks_and_without_its_answer_the_task_fails(folder: Path) -> None:
    (folder / "copy.yaml").write_text(ASKING + "answers:\n  How often?: twice\n")
    outcome = run(folder, "--json")
    assert outcome.exit_code == 0
    events = json.loads(outcome.stdout)["events"]
    assert sorted(event["data"]["text"] for event in events if event["type"] == "tool_result") == ["twice", "yes"]
    (folder / "copy.yaml").write_text(ASKING)
    outcome = run(folder, "--json")
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout)["error"]["type"] == "question-expired"


def test_arguments_reach_the_skill_and_must_fit_its_schema(folder: Path) -> None:
    (folder / "copy.yaml").write_text('replies: [{expect: "\\"times\\": 2", text: Done.}]')
    assert run(folder, "--arg", "times=2").exit_code == 0
    assert isinstance(run(folder, "--arg", "times=two").exception, InvalidArguments)
