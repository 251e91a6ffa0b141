"""`agents invoke`: the same run as on a server, in the command's own process."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from agents.src.services.processes import runs_alive
from agents.src.skills import SkillRequest
from agents.src.tasks import ROOT, Caller
from tests.building import Nowhere, parts
from tests.cli.conftest import Agents
from tests.cli.processes import closing, ended, start


def test_the_result_goes_to_stdout_and_artifacts_to_the_folder(agents: Agents, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("a note")
    shown = agents("invoke", "echo", "hello", "--arg", "times=2", "--file", "note.txt", "--out", "made")
    assert (shown.exit_code, shown.stdout) == (0, "hello hello\n")
    assert {path.name: path.read_text() for path in (tmp_path / "made").iterdir()} == {"note.txt": "a note", "said.txt": "hello"}
    assert "100% has it" in shown.stderr
    assert "saved made/said.txt (5 bytes)" in shown.stderr


def test_no_file_is_overwritten(agents: Agents, tmp_path: Path) -> None:
    for said in ("one", "two"):
        agents("invoke", "echo", said, "--out", "made")
    assert {path.name: path.read_text() for path in (tmp_path / "made").iterdir()} == {"said.txt": "one", "said-2.txt": "two"}


def test_json_is_the_task_and_nothing_else(agents: Agents) -> None:
    shown = agents("invoke", "echo", "hello", "--json")
    task = json.loads(shown.stdout)
    assert (task["status"], task["result"]["text"], task["caller"]) == ("completed", "hello", "root")
    assert Path(task["result"]["artifacts"][0]["path"]).read_text() == "hello"
    assert shown.stderr == ""


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_more_than_two_tasks_at_once_are_remarked_on(agents: Agents, tmp_path: Path, words: tuple[str, ...]) -> None:
    async def submit_two() -> None:
        here = parts(tmp_path / "state", runner=Nowhere())
        for _ in range(2):
            await here.dispatcher.dispatch(SkillRequest(skill="noop", task="Please."), Caller(ROOT), here.clock.new_id())
        await here.close()

    asyncio.run(submit_two())
    shown = agents("invoke", "echo", "hello", "--out", "made", *words)
    assert shown.exit_code == 0
    assert shown.stderr.count("warning: root has 3 tasks under way at once, with this one.") == 1


def test_a_failed_task_is_exit_code_1(agents: Agents) -> None:
    shown = agents("invoke", "echo", "fail")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "it could not be done" in shown.stderr


def test_a_time_limit(agents: Agents, hold: Path) -> None:
    hold.touch()
    shown = agents("invoke", "echo", "hello", "--timeout", "0.2")
    assert shown.exit_code == 1
    assert "It ran for 0.2 seconds" in shown.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ecco", "hello"], 1, "did you mean echo?"),
        (["echo", "hello", "--arg", "times"], 2, "--arg: 'times' is not of the form K=V."),
        (["echo", "hello", "--arg", "times=many"], 2, "#/args/times"),
        (["echo", "hello", "--file", "gone.txt"], 2, "--file: there is no file gone.txt."),
        (["echo", "hello", "--timeout", "1e9"], 2, "timeout: "),
        (["echo", "hello", "--workdir", "gone"], 2, "--workdir: there is no folder gone."),
        (["echo", "hello", "--workdir", "skills/echo/info.md"], 2, "--workdir: there is no folder skills/echo/info.md."),
        (["echo", "hello", "--budget", "0"], 2, "budget_usd: "),
        (["echo", "hello", "--budget", "1"], 2, "budget_usd: the skill echo is a program"),
        (["echo"], 2, "Missing argument"),
    ],
)
def test_refusals(agents: Agents, words: list[str], code: int, message: str) -> None:
    shown = agents("invoke", *words)
    assert shown.exit_code == code
    assert message in shown.stderr
    assert json.loads(agents("tasks", "list", "--json").stdout) == []


WHERE = """import json, os, pathlib
pathlib.Path("left.txt").write_text("stays")
pathlib.Path(os.environ["MODAL_INVOKE_OUTPUT"], "made.txt").write_text("goes")
print(json.dumps({"type": "result", "text": os.getcwd()}))
"""


def test_a_folder_of_ones_own_needs_no_setting(agents: Agents, tmp_path: Path, skills_dir: Path) -> None:
    (skills_dir / "echo" / "echo.py").write_text(WHERE)
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "link").symlink_to(project)
    shown = agents("invoke", "echo", "hello", "--workdir", "link", "--out", "made", "--json")
    task = json.loads(shown.stdout)
    assert (shown.exit_code, task["result"]["text"], task["workdir"]) == (0, str(project), str(project))
    assert [path.name for path in project.iterdir()] == ["left.txt"]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["made.txt"]
    assert f"workdir   {project}\n" in agents("tasks", "show", task["id"]).stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_task_and_ends_its_processes(agents: Agents, hold: Path, number: signal.Signals) -> None:
    hold.touch()
    with closing(start("invoke", "echo", "hello")) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(2)]
        assert "begins" in said[-1]
        code, out, err = ended(process, number)
    [task] = json.loads(agents("tasks", "list", "--json").stdout)
    assert (code, out, task["status"]) == (130, "", "cancelled")
    assert "Traceback" not in err
    assert not [run for run in runs_alive() if run.startswith(task["id"])]
