"""`agents skills list | show | check`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agents.src.cli.skills import app
from agents.src.errors import UnknownSkill

INFO = """---
name: planning
description: Plans [carefully].
allowed-tools: Read Write(output/**)
cpu: 2
---

Plan [bold]it[/bold].
"""


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "skills"
    (folder / "planning").mkdir(parents=True)
    (folder / "planning" / "info.md").write_text(INFO)
    monkeypatch.setenv("MODAL_INVOKE_SKILLS_DIR", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_list() -> None:
    shown = run("list")
    assert shown.exit_code == 0
    assert "planning" in shown.output
    assert "Plans [carefully]." in shown.output
    assert [skill["name"] for skill in json.loads(run("list", "--json").stdout)] == ["planning"]


def test_show() -> None:
    shown = run("show", "planning")
    assert "Plan [bold]it[/bold]." in shown.output
    assert "resources.cpu" in shown.output
    skill = json.loads(run("show", "planning", "--json").stdout)
    assert skill["claude"]["allowed_tools"] == ["Read", "Write(output/**)"]
    assert skill["instruction"] == "Plan [bold]it[/bold]."


def test_show_of_an_unknown_skill_raises_for_the_root_to_tell() -> None:
    assert isinstance(run("show", "planing").exception, UnknownSkill)


def test_check_of_a_good_catalogue(catalogue: Path) -> None:
    for words in ([], [str(catalogue)], [str(catalogue / "planning")], [str(catalogue / "planning" / "info.md")]):
        shown = run("check", *words)
        assert (shown.exit_code, shown.stdout) == (0, "OK: 1 skill\n")


def test_check_prints_each_fault_on_a_line_however_long(catalogue: Path) -> None:
    (catalogue / "planning" / "info.md").write_text(INFO.replace("cpu: 2", 'cpu: "2"\ngpu: X'))
    shown = run("check")
    assert shown.exit_code == 1
    first, second = shown.stdout.splitlines()
    assert first == 'skills/planning/info.md:5: cpu: "2" is text; write a number of cores, 0.125 to 64'
    assert second.startswith('skills/planning/info.md:6: gpu: "X" is no GPU that Modal has; ')


def test_check_in_json(catalogue: Path) -> None:
    (catalogue / "planning" / "info.md").write_text(INFO.replace("cpu: 2", "cpu: 0"))
    shown = run("check", "--json")
    assert shown.exit_code == 1
    assert json.loads(shown.stdout) == {
        "ok": False,
        "skills": [],
        "faults": [
            {
                "file": "skills/planning/info.md",
                "line": 5,
                "key": "cpu",
                "message": "0 is not allowed; write a number of cores, 0.125 to 64",
            }
        ],
    }


def test_check_of_nothing_is_a_fault(tmp_path: Path) -> None:
    shown = run("check", str(tmp_path / "gone"))
    assert shown.exit_code == 1
    assert shown.stdout.startswith("gone:1: there is no such folder; ")
