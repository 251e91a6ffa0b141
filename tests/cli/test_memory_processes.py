"""The memory's commands as processes: the script, `sync --watch`, and against a server."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest

from tests.cli.conftest import Agents
from tests.cli.memories import facts, ids, memory, replace, skill_folder
from tests.cli.processes import PATIENCE, ROOT, TOKEN, closing, ended, server, start
from tests.client.driver import Client
from tests.qdrant_double import Double, Fault, served

SCRIPT = ROOT / "scripts" / "sync_memory.py"
MODULES = """
import sys
from agents.src.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
UNWANTED = {"qdrant_client", "numpy", "fastapi", "claude_agent_sdk", "modal", "detect_secrets", "watchfiles"}

pytestmark = pytest.mark.usefixtures("surroundings")


def script(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run as from a checkout where nothing is installed."""
    environment = {**os.environ, **env}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, SCRIPT, *words], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_the_script_has_the_four_commands_with_their_options() -> None:
    shown = script("--help")
    commands = shown.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands if line[2:3].strip()][:4] == ["push", "pull", "sync", "status"]
    assert {"--skill", "--dir", "--dry-run", "--json", "--force"} <= set(script("sync", "--help").stdout.split())


def test_the_script_does_what_the_command_does(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", "One.", "Two.", "Three.", "Four.")
    assert script("status", "--dir", str(folder)).returncode == 1
    pushed = script("push", "--dir", str(folder))
    assert (pushed.returncode, pushed.stdout.splitlines()[0]) == (0, f"planning  + {ids(folder)[0]}  One.")
    assert len(json.loads(agents("memory", "list", "--json").stdout)) == 4
    assert script("sync", "--dir", str(folder / "gone")).returncode == 2
    (folder / "memory.md").write_text("")
    refused = script("sync", "--dir", str(folder))
    assert (refused.returncode, "StorageEmptied: " in refused.stderr) == (3, True)
    (folder / "memory.md").write_text("- Five.\n")
    assert script("sync", "--dir", str(folder), QDRANT_URL="http://127.0.0.1:9").returncode == 5


def test_a_pull_from_a_server_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    async def play() -> None:
        one, two = skill_folder(tmp_path / "one", "One."), skill_folder(tmp_path / "two")
        async with served(Double(key="secret")) as url:
            for command, folder in (("push", one), ("pull", two)):
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", MODULES, "memory", command, "--dir", folder),
                    env={**os.environ, "PYTHONPATH": str(ROOT), "QDRANT_URL": url, "QDRANT_API_KEY": "secret"},
                    stderr=asyncio.subprocess.PIPE,
                )
                _, told = await process.communicate()
                assert process.returncode == 0, told.decode()
        imported = set(told.decode().split())
        assert "httpx" in imported
        assert not imported & UNWANTED
        assert facts(two) == ["One."]

    asyncio.run(play())


def test_a_watch_sends_what_an_editor_saves_and_ends_with_ctrl_c(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", "One.")
    with closing(start("memory", "sync", "--watch", "--dir", str(tmp_path / "one"))) as watching:
        assert watching.stdout
        assert watching.stderr
        assert watching.stderr.readline() == f"Watching {tmp_path / 'one'}; Ctrl-C ends it.\n"
        assert watching.stdout.readline().endswith("  One.\n")
        replace(folder, "One.", "One and a half.")
        assert watching.stdout.readline() == f"planning  ~ {ids(folder)[0]}  One and a half.\n"
        other = skill_folder(tmp_path / "one", "Of another skill.", name="other")
        assert watching.stdout.readline().startswith("other  + ")
        assert len(ids(other)) == 1
        assert ended(watching, signal.SIGINT) == (0, "", "")
    assert len(json.loads(agents("memory", "list", "--json").stdout)) == 2


def test_a_watch_waits_for_a_server_that_is_away_and_says_so_once(tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", "One.")

    async def play() -> None:
        double = Double(faults_of_reads=deque([Fault.BUSY] * 2))
        async with served(double) as url:
            watching = await asyncio.to_thread(start, "memory", "sync", "--watch", "--dir", str(folder), QDRANT_URL=url)
            with closing(watching):
                assert watching.stderr
                assert watching.stdout
                first, second = [await asyncio.to_thread(watching.stderr.readline) for _ in range(2)]
                assert first.startswith("Watching ")
                assert second.endswith("Going on when it is back.\n")
                before = memory(folder)
                replace(folder, "One.", "Two.")
                assert (await asyncio.to_thread(watching.stdout.readline)).endswith("  Two.\n")
                assert await asyncio.to_thread(watching.stderr.readline) == "It is back.\n"
                assert "<!-- m:" not in before
                assert (await asyncio.to_thread(ended, watching, signal.SIGTERM)) == (0, "", "")

    asyncio.run(play())


def test_the_client_and_the_command_line_share_a_server_s_memory(agents: Agents, tmp_path: Path) -> None:
    with server() as (_, url):
        client = Client(tmp_path, url, TOKEN)
        added = client("memory", "add", "echo", "Say it twice.", "--section", "Manners")
        assert added.code == 0, added.err
        assert client("memory", "add", "echo", "Say it twice.").err == "echo knew it already.\n"
        [entry] = json.loads(agents("memory", "list", "--json").stdout)
        assert (entry["id"], entry["text"], entry["author"]) == (added.out.strip(), "Say it twice.", "root")
        assert agents("memory", "add", "echo", "Say it in German.").exit_code == 0
        assert client("memory", "search", "german", "--skill", "echo").out.endswith("  Say it in German.\n")
        assert client("memory", "add", "echo", "AKIAIOSFODNN7EXAMPLB").code == 1
        wrong = client("memory", "search", "x", "--skill", "ecko")
        assert (wrong.code, "did you mean echo?" in wrong.err) == (1, True)


@pytest.mark.parametrize("words", [("--dry-run",), ("--force",)])
def test_a_watch_is_neither_dry_nor_forced(agents: Agents, words: tuple[str, ...]) -> None:
    refused = agents("memory", "sync", "--watch", *words)
    assert (refused.exit_code, "--watch goes with neither" in refused.stderr) == (2, True)
