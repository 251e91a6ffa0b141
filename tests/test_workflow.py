"""The workflow that deploys: it names nothing that is not there, and passes over what is not set."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from agents.src.cli.main import app

ROOT = Path(__file__).parents[1]
WORKFLOW: dict[str, Any] = yaml.load(
    (ROOT / ".github/workflows/deploy.yml").read_text(), Loader=yaml.BaseLoader
)  # `on` is no boolean
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["deploy"]["steps"]
PROGRAM = '#!/bin/sh\necho "$(basename $0) $*"\nexit {code}\n'


def step(name: str) -> dict[str, Any]:
    [found] = [step for step in STEPS if step.get("name") == name]
    return found


def commands() -> Iterator[list[str]]:
    """The words of each line that a step runs."""
    for line in "\n".join(step.get("run", "") for step in STEPS).splitlines():
        yield line.split()


def run(name: str, tmp_path: Path, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """A step as the runner runs it, with stand-ins for the programs of the venv."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for program in ("agents", "modal", "python"):
        (folder / program).write_text(PROGRAM.format(code=code))
        (folder / program).chmod(0o755)
    given = dict.fromkeys(step(name).get("env", {}), "") | {"PATH": os.environ["PATH"]} | env
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step(name)["run"]],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_on_a_push_to_main_one_at_a_time_and_may_only_read() -> None:
    assert WORKFLOW["on"]["push"] == {"branches": ["main"]}
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert WORKFLOW["concurrency"]["cancel-in-progress"] == "false"


def test_actions_are_githubs_own_with_a_major_version() -> None:
    for step in STEPS:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/none@v1"))


def test_the_python_is_the_oldest_that_the_project_runs_on() -> None:
    [version] = [step["with"]["python-version"] for step in STEPS if "setup-python" in step.get("uses", "")]
    assert f'requires-python = ">={version}"' in (ROOT / "pyproject.toml").read_text()


def test_every_target_of_make_is_there() -> None:
    targets = [words[1] for words in commands() if words[:1] == ["make"]]
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_command_and_option_of_agents_is_there() -> None:
    found = [words[1:] for words in commands() if words[:1] == [".venv/bin/agents"]]
    assert [words[:2] for words in found] == [["skills", "build"], ["skills", "check"]]
    for group, name, *_ in found:
        assert name in typer.main.get_command(app).commands[group].commands  # type: ignore[attr-defined]


def test_every_file_and_module_is_there() -> None:
    named = re.findall(r"scripts/\S+\.py|agents/\w+(?= )|-m (?:\w+\.\w+)", "\n".join(" ".join(words) for words in commands()))
    assert len(named) == 3
    for name in named:
        path = f"{name.removeprefix('-m ').replace('.', '/')}.py" if name.startswith("-m ") else name
        assert (ROOT / path).exists(), path


def test_local_skills_may_be_several_folders(tmp_path: Path) -> None:
    done = run("Build local skills", tmp_path, LOCAL_SKILLS="one two/three")
    assert (done.returncode, done.stdout) == (0, "agents skills build one two/three\n")
    assert run("Build local skills", tmp_path / "again", code=1, LOCAL_SKILLS="one").returncode == 1


@pytest.mark.parametrize(
    ("name", "said"), [("Deploy", "Not deployed: "), ("Sync the shared memory", "The memory was not synced: ")]
)
def test_without_secrets_a_step_says_so_and_passes(name: str, said: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(f"::notice::{said}")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(("code", "passes"), [(0, True), (1, True), (2, False), (3, False), (5, False)])
def test_conflicts_in_the_memory_do_not_fail_the_deploy_and_all_else_does(code: int, passes: bool, tmp_path: Path) -> None:
    done = run("Sync the shared memory", tmp_path, code=code, QDRANT_URL="http://127.0.0.1:9")
    assert (done.stdout, done.returncode == 0) == ("python scripts/sync_memory.py sync --dir agents/skills\n", passes)


def test_a_deploy_that_fails_fails(tmp_path: Path) -> None:
    done = run("Deploy", tmp_path, code=1, MODAL_TOKEN_ID="id", MODAL_TOKEN_SECRET="secret")
    assert (done.stdout, done.returncode) == ("modal deploy -m agents.main\n", 1)
