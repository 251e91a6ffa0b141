"""What a task learned, as the commands show it."""

import json
from pathlib import Path

from agents.src.memory import entry_id
from tests.cli.conftest import Agents
from tests.cli.test_tasks import tasks

PROGRAM = """import json
def say(**message): print(json.dumps(message), flush=True)
say(type="remember", text="videos are 50 fps")
say(type="remember", action="correct", id=ID, text="videos are 60 fps")
say(type="remember", action="forget", id=ID)
say(type="remember", text="password=" + "swordfish")
say(type="result", text="Done.")
"""


def test_invoke_watch_and_show_say_what_was_learned(agents: Agents, skills_dir: Path) -> None:
    which = entry_id("echo", "videos are 50 fps")
    (skills_dir / "echo" / "echo.py").write_text(PROGRAM.replace("ID", repr(which)))
    invoked = agents("invoke", "echo", "x")
    assert (invoked.exit_code, invoked.stdout) == (0, "Done.\n")
    for shown in (invoked.stderr, agents("tasks", "watch", tasks(agents)[0]["id"]).stderr):
        lines = [line for line in shown.splitlines() if "fps" in line or "warning" in line]
        assert lines[:3] == ["remembered: videos are 50 fps", "corrected: videos are 60 fps", "forgot: videos are 60 fps"]
        assert lines[3].startswith("warning: Not remembered. It looks like a secret")
        assert "swordfish" not in shown
    task_id = tasks(agents)[0]["id"]
    assert "learned   remembered: videos are 50 fps" in agents("tasks", "show", task_id).stdout.splitlines()
    learned = json.loads(agents("tasks", "show", task_id, "--json").stdout)["result"]["remembered"]
    assert [(lesson["action"], lesson["id"]) for lesson in learned] == [("add", which), ("correct", which), ("forget", which)]


def test_what_could_not_be_taken_when_the_task_ended_comes_with_the_next_sync(agents: Agents, skills_dir: Path) -> None:
    (skills_dir / "echo" / "echo.py").write_text(PROGRAM.split('\nsay(type="remember", action')[0])
    away = {"QDRANT_URL": "http://127.0.0.1:9"}
    assert agents("invoke", "echo", "x", **away).exit_code == 0
    memory = skills_dir / "echo" / "memory.md"
    assert agents("memory", "sync", **away).exit_code == 5
    assert agents("memory", "sync", "--dry-run").stdout == ""
    assert not memory.exists()
    synced = agents("memory", "sync")
    assert (synced.exit_code, synced.stdout) == (0, f"echo  + {entry_id('echo', 'videos are 50 fps')}  videos are 50 fps\n")
    assert "- videos are 50 fps <!-- m:" in memory.read_text()
    again = agents("memory", "sync")
    assert (again.exit_code, again.stdout) == (0, "")
    [entry] = json.loads(agents("memory", "list", "--json").stdout)
    assert entry["source"].startswith("task:")


def test_what_is_held_says_so(agents: Agents, skills_dir: Path) -> None:
    info = skills_dir / "echo" / "info.md"
    info.write_text(info.read_text().replace("run: echo.py", "run: echo.py\nreview: true"))
    (skills_dir / "echo" / "echo.py").write_text(PROGRAM.replace("ID", "'0'"))
    assert "remembered: videos are 50 fps (waits for a review)" in agents("invoke", "echo", "x").stderr.splitlines()
