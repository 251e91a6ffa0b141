"""The command line in a test: a state directory and skills of its own.

agents(*words, **env)   runs the command in this process; `.exit_code`, `.stdout`, `.stderr`
surroundings            the environment of it, and of processes that are started
skills_dir              one skill, `echo`: says its task back, waits first where a file `hold` lies in the state directory
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agents.src.cli.main import app

INFO = """---
name: echo
description: Says the task back.
engine: script
run: echo.py
on-crash: requeue
arguments: {type: object, properties: {times: {type: integer, minimum: 1}}}
---
Say it.
"""
PROGRAM = """import json, pathlib, sys, time
given = json.load(sys.stdin)
def say(**message): print(json.dumps(message), flush=True)
hold = pathlib.Path(HOLD)
say(type="progress", fraction=0.0, message="begins")
while hold.exists():
    time.sleep(0.05)
if given["task"] == "fail":
    sys.exit("it could not be done")
say(type="progress", fraction=1.0, message="has it")
for file in pathlib.Path("input").iterdir():
    (pathlib.Path("output") / file.name).write_bytes(file.read_bytes())
(pathlib.Path("output") / "said.txt").write_text(given["task"])
say(type="result", text=" ".join([given["task"]] * given.get("args", {}).get("times", 1)))
"""
UNSET = (
    "DATABASE_URL",
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "MODAL_TOKEN_ID",
    "LOG_LEVEL",
    "LOG_JSON",
    "QDRANT_URL",
    "QDRANT_API_KEY",
    "QDRANT_COLLECTION",
    "MEMORY_EMBEDDING",
)

Agents = Callable[..., Result]


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    return tmp_path / "hold"


@pytest.fixture
def skills_dir(tmp_path: Path, hold: Path) -> Path:
    folder = tmp_path / "skills"
    (folder / "echo").mkdir(parents=True)
    (folder / "echo" / "info.md").write_text(INFO)
    (folder / "echo" / "echo.py").write_text(PROGRAM.replace("HOLD", repr(str(hold))))
    return folder


@pytest.fixture
def surroundings(tmp_path: Path, skills_dir: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [*UNSET, *(name for name in os.environ if name.startswith("MODAL_INVOKE_"))]:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    mine = {
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "MODAL_CONFIG_PATH": str(home / ".modal.toml"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "MODAL_INVOKE_STATE_DIR": str(tmp_path / "state"),
        "MODAL_INVOKE_SKILLS_DIR": str(skills_dir),
    }
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return mine


@pytest.fixture
def agents(surroundings: dict[str, str]) -> Agents:
    def run(*words: str, **env: str | None) -> Result:
        return CliRunner().invoke(app, words, env=env, prog_name="agents")

    return run
