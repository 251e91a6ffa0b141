"""The root command: errors in one line, exit codes, a quick start."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agents import __version__
from tests.cli.conftest import Agents
from tests.cli.processes import COMMAND, ROOT

COMMANDS = ["serve", "invoke", "skills", "tasks", "token", "rehearse", "doctor", "migrate"]
HEAVY = {"fastapi", "uvicorn", "claude_agent_sdk", "mcp", "modal", "psycopg", "jsonschema", "imageio_ffmpeg", "httpx"}


def test_help_lists_every_command(agents: Agents) -> None:
    shown = agents("--help")
    assert shown.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(agents: Agents, command: str) -> None:
    shown = agents(command, "--help")
    assert shown.exit_code == 0
    assert f"Usage: agents {command}" in shown.stdout


def test_version(agents: Agents) -> None:
    assert agents("--version").stdout == f"agents {__version__}\n"


def test_an_unknown_command_is_wrong_usage_and_gets_a_hint(agents: Agents) -> None:
    shown = agents("tasl")
    assert shown.exit_code == 2
    assert "tasks" in shown.stderr


def test_a_problem_is_one_line_on_stderr(agents: Agents) -> None:
    shown = agents("skills", "show", "ecco")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr == 'error: There is no skill "ecco"; did you mean echo?\n'


def test_a_wrong_setting_is_told_without_its_value(agents: Agents) -> None:
    shown = agents("tasks", "list", MODAL_INVOKE_TOKEN="hunter2")
    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: MODAL_INVOKE_TOKEN: must be at least 32 characters long")
    assert "hunter2" not in shown.output


def test_a_wrong_log_level_is_refused(agents: Agents) -> None:
    shown = agents("migrate", LOG_LEVEL="loud")
    assert (shown.exit_code, shown.stderr) == (
        2,
        "error: LOG_LEVEL: 'loud' is no level; use debug, info, warning, error, critical.\n",
    )


def test_a_state_directory_that_cannot_be_used_is_told(agents: Agents, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    shown = agents("migrate", MODAL_INVOKE_STATE_DIR=str(tmp_path / "file"))
    assert shown.exit_code == 2
    assert "Set MODAL_INVOKE_STATE_DIR to a folder that you may write to." in shown.stderr


def test_migrate(agents: Agents) -> None:
    assert agents("migrate").stdout.startswith("The database is up to date: 0001_tasks")
    assert '"0001_tasks"' in agents("migrate", "--json").stdout


def test_ctrl_c_is_quiet() -> None:
    program = "import signal\nfrom agents.src.cli import main\n"
    program += "main.app.command('wait')(lambda: signal.raise_signal(signal.SIGINT))\nmain.main()"
    done = subprocess.run([sys.executable, "-c", program, "wait"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "")


def test_start_leaves_out_what_only_some_commands_need() -> None:
    program = "import sys, agents.src.cli.main\nprint(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([COMMAND[0], "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
