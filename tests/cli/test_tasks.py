"""`agents tasks`: the same database, with and without a server."""

import asyncio
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agents.src.cli.follow import describe
from agents.src.cli.output import computed, last_ones
from agents.src.services.database import open_database
from agents.src.tasks import Claim, Event, EventType, Question, QuestionRules, Usage, parked
from tests.building import a_brief, a_task
from tests.cli.conftest import Agents
from tests.cli.processes import COMMAND, ROOT, closing, ended, start
from tests.contracts.test_task_store import a_house

Popen = subprocess.Popen[str]


def tasks(agents: Agents, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(agents("tasks", "list", "--json", *words).stdout)
    return found


@pytest.fixture
def two_done(agents: Agents) -> list[str]:
    """The ids of a completed and a failed task, the newer first."""
    agents("invoke", "echo", "first one", "--out", "made")
    agents("invoke", "echo", "fail", "--out", "made")
    return [task["id"] for task in tasks(agents)]


def test_list_has_the_newest_first_and_filters(agents: Agents, two_done: list[str]) -> None:
    failed, completed = two_done
    assert [task["id"] for task in tasks(agents, "--status", "completed")] == [completed]
    assert [task["id"] for task in tasks(agents, "--limit", "1")] == [failed]
    assert tasks(agents, "--skill", "other") == []
    header, first, second = agents("tasks", "list").stdout.splitlines()
    assert header.split() == ["id", "status", "skill", "caller", "created", "task"]
    assert first.split()[:3] == [failed, "failed", "echo"]
    assert second.endswith("first one")


def test_on_a_narrow_terminal_ids_stay_whole(two_done: list[str]) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "PYTHONPATH": str(ROOT)}
    subprocess.run([*COMMAND, "tasks", "list"], env=environment, stdin=subprocess.DEVNULL, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    for task_id in two_done:
        assert task_id in shown


def test_an_empty_list_says_so(agents: Agents) -> None:
    shown = agents("tasks", "list")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "There are no such tasks.\n")


def test_show(agents: Agents, two_done: list[str]) -> None:
    failed, completed = two_done
    lines = agents("tasks", "show", completed).stdout.splitlines()
    assert "status    completed" in lines
    assert [line for line in lines if re.fullmatch(r"compute   0\.\d\d s", line)]
    assert "artifact  said.txt (9 bytes)" in lines
    assert lines[-1] == "first one"
    assert not [line for line in lines if line.startswith(("error ", "said "))]
    lines = agents("tasks", "show", failed).stdout.splitlines()
    assert {"error     it could not be done", "said      it could not be done"} <= set(lines)
    document = json.loads(agents("tasks", "show", failed, "--json").stdout)
    assert document["error"]["type"] == "program-failed"
    assert document["output"] == {"lines": ["it could not be done"], "errors": ["it could not be done"]}


@pytest.mark.parametrize(
    ("seconds", "usd", "shown"),
    [(0.0, 0.0, ""), (0.5, 0.0, "0.50 s"), (3600.0, 0.5, "3,600.00 s, $0.500000"), (1.0, None, "1.00 s, at an unknown price")],
)
def test_what_runs_held_is_told_in_seconds_and_money(seconds: float, usd: float | None, shown: str) -> None:
    assert computed(Usage(compute_seconds=seconds, compute_usd=usd)) == shown


def test_of_many_lines_only_the_last_few_are_shown() -> None:
    assert last_ones("said", ["a", "b"]) == [("said", "a"), ("said", "b")]
    shown = last_ones("said", [*map(str, range(9)), "x" * 500])
    assert shown[:2] == [("said", "(5 earlier ones are not shown)"), ("said", "5")]
    assert shown[-1] == ("said", "x" * 200)


def test_a_part_of_an_id_will_do_if_it_is_only_one_s(agents: Agents, two_done: list[str]) -> None:
    assert two_done[0] in agents("tasks", "show", two_done[0][-8:]).stdout
    both = agents("tasks", "show", two_done[0][:3])
    assert both.exit_code == 1
    assert "2 of the 200 newest tasks have an id" in both.stderr
    assert "None of the 200 newest tasks has an id" in agents("tasks", "show", "uuuu").stderr
    assert agents("tasks", "show", "0" * 26).exit_code == 1


def test_watch_tells_an_end_that_has_come_already(agents: Agents, two_done: list[str]) -> None:
    failed, completed = two_done
    shown = agents("tasks", "watch", completed)
    assert (shown.exit_code, shown.stdout) == (0, "first one\n")
    assert "started" in shown.stderr
    assert agents("tasks", "watch", failed).exit_code == 1


def test_watch_and_cancel_reach_a_task_of_another_process(agents: Agents, hold: Path) -> None:
    hold.touch()
    with closing(start("invoke", "echo", "hello")) as running:
        begun(running)
        [task] = tasks(agents)
        with closing(start("tasks", "watch", task["id"])) as watching:
            begun(watching)
            assert agents("tasks", "cancel", task["id"]).stdout == f"Task {task['id']} is being cancelled.\n"
            code, _, err = ended(watching)
        assert (code, err.splitlines()[-1]) == (1, "cancelled")
        assert ended(running)[0] == 1
    again = agents("tasks", "cancel", task["id"])
    assert again.exit_code == 1
    assert "error: " in again.stderr


def begun(process: Popen) -> None:
    """Waits for the first word of the skill's program."""
    assert process.stderr is not None
    assert "begins" in [process.stderr.readline() for _ in range(2)][-1]


@pytest.fixture
def parked_task(surroundings: dict[str, str], tmp_path: Path) -> str:  # the state's place
    """The id of a task of the claude engine that waits for an answer."""

    async def work() -> str:
        house = a_house(open_database(None, tmp_path / "state"))
        try:
            run = (await house.store.add(a_task(), a_brief(engine="claude"), claim=Claim("w", 4e9))).run
            assert run
            await house.questions.ask(run, "k", Question(text="Which?"), QuestionRules())
            return (await house.store.settle(run, parked())).id
        finally:
            await house.db.close()

    return asyncio.run(work())


def test_pause_say_and_resume(agents: Agents, parked_task: str) -> None:
    paused = agents("tasks", "pause", parked_task[-9:])
    assert (paused.exit_code, paused.stdout) == (0, f"Task {parked_task} is paused.\n")
    assert "status    input_required, paused" in agents("tasks", "show", parked_task).stdout
    assert agents("tasks", "say", parked_task, "Leave it.").stdout == f"Said to task {parked_task}.\n"
    resumed = agents("tasks", "resume", parked_task)
    assert resumed.stdout == f"Task {parked_task} is resumed.\n"
    assert "It waits for 1 answer" in resumed.stderr
    again = agents("tasks", "resume", parked_task)
    assert (again.exit_code, "nobody has paused it" in again.stderr) == (1, True)
    assert agents("tasks", "say", parked_task, " ").exit_code == 2
    document = json.loads(agents("tasks", "pause", parked_task, "--json").stdout)
    assert (document["paused"], document["status"]) == (True, "input_required")


def test_a_budget_that_was_raised_is_told_in_words() -> None:
    raised = {"whose": "token", "by_usd": 1.5, "to_usd": 6.5}
    told = describe(Event("t", 7, EventType.BUDGET_RAISED, 0.0, raised))
    assert told == "the token's budget is raised to $6.50"


def test_a_task_is_shown_with_its_budget(agents: Agents, skills_dir: Path, tmp_path: Path) -> None:
    (skills_dir / "thinking").mkdir()
    (skills_dir / "thinking" / "info.md").write_text("---\nname: thinking\ndescription: Thinks.\n---\nThink.\n")
    (tmp_path / "thought.yaml").write_text("replies:\n  - text: Thought.\n")
    done = agents("invoke", "thinking", "hello", "--budget", "2.5", MODAL_INVOKE_REHEARSAL=str(tmp_path / "thought.yaml"))
    assert done.exit_code == 0, done.stderr
    [task] = tasks(agents)
    assert task["budget_usd"] == 2.5
    assert "budget    $2.50" in agents("tasks", "show", task["id"]).stdout
