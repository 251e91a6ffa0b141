"""`agents serve`, as a process: its token, its start and its end."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agents.src.cli.serve import is_loopback, kept_token
from agents.src.errors import Misconfigured
from agents.src.services.processes import runs_alive
from tests.cli.conftest import Agents
from tests.cli.processes import COMMAND, PATIENCE, ROOT, call, closing, ended, fetch, server, start

LONGEST_STOP = 5.0
pytestmark = pytest.mark.usefixtures("surroundings")


def test_it_serves_and_stops() -> None:
    with server() as (process, url):
        assert fetch(url, "/api/health")["status"] == "ok"
        done = fetch(url, "/api/skill", {"skill": "echo", "task": "hello"}, Prefer="wait=30")
        assert done["result"]["text"] == "hello"
        code, out, err = ended(process, signal.SIGTERM)
    assert (code, out) == (-signal.SIGTERM, "")
    # A run that takes a tenth of a second on a busy machine is told of; nothing else is.
    assert [line for line in err.splitlines() if "run_ended" not in line] == []


def test_open_streams_and_waiting_requests_do_not_keep_it_from_stopping(hold: Path) -> None:
    hold.touch()
    with server() as (process, url):
        task = fetch(url, "/api/skill", {"skill": "echo", "task": "hello"}, Prefer="respond-async")
        stream = call(url, f"/api/tasks/{task['id']}/events")
        until(stream, b"event: progress")
        waited: list[dict[str, Any]] = []
        asking = {"skill": "echo", "task": "waits"}
        waiting = threading.Thread(target=lambda: waited.append(fetch(url, "/api/skill", asking, Prefer="wait=100")))
        waiting.start()
        eventually_running(url, 2)
        began = time.monotonic()
        code, _, err = ended(process, signal.SIGTERM)
        assert time.monotonic() - began < LONGEST_STOP
        assert stream.read().endswith(b"\n\n")
        stream.close()
        waiting.join(PATIENCE)
    assert code == -signal.SIGTERM
    assert waited[0]["status"] == "running"
    assert "Traceback" not in err
    assert not [run for run in runs_alive() if run.startswith((task["id"], waited[0]["id"]))]


def test_what_was_running_goes_on_at_the_next_start(agents: Agents, hold: Path) -> None:
    hold.touch()
    with server() as (process, url):
        task = fetch(url, "/api/skill", {"skill": "echo", "task": "hello"}, Prefer="respond-async")
        ended(process, signal.SIGTERM)
    assert json.loads(agents("tasks", "show", task["id"], "--json").stdout)["status"] == "queued"
    hold.unlink()
    with server() as (_, url), call(url, f"/api/tasks/{task['id']}/events") as stream:
        assert b"event: completed" in stream.read()


def test_two_servers_share_one_state_directory(hold: Path) -> None:
    hold.touch()
    with server(MAX_CONCURRENT_TASKS="1") as (_, one), server(MAX_CONCURRENT_TASKS="1") as (_, two):
        ids = [fetch(one, "/api/skill", {"skill": "echo", "task": str(n)}, Prefer="respond-async")["id"] for n in range(2)]
        eventually_running(two, 2)  # one each
        hold.unlink()
        for task_id in ids:
            with call(two, f"/api/tasks/{task_id}/events") as stream:
                assert b"event: completed" in stream.read()


def test_ctrl_c_stops_it_quietly() -> None:
    with server() as (process, _):
        assert ended(process, signal.SIGINT) == (130, "", "")


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("invoke", "echo", "hello")])
def test_with_an_address_of_qdrant_that_is_none_nothing_starts(agents: Agents, command: tuple[str, ...]) -> None:
    shown = agents(*command, MODAL_INVOKE_TOKEN="t" * 32, QDRANT_URL="qdrant.example.org")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith("error: QDRANT_URL")
    assert "Traceback" not in shown.stderr


def test_without_a_token_it_says_what_to_do(agents: Agents) -> None:
    shown = agents("serve")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith("error: MODAL_INVOKE_TOKEN is not set")
    assert "agents token generate" in shown.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_where_others_can_connect_it_makes_no_token(agents: Agents, host: str) -> None:
    shown = agents("serve", "--host", host, "--make-token")
    assert shown.exit_code == 2
    assert "One is made only where nobody else can connect" in shown.stderr


def test_a_short_token_is_refused(agents: Agents) -> None:
    shown = agents("serve", MODAL_INVOKE_TOKEN="short")
    assert shown.exit_code == 2
    assert "at least 32 characters" in shown.stderr


def test_make_token_keeps_one_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "token"
    seen = []
    for _ in range(2):
        with closing(start("serve", "--port", "0", "--make-token")) as process:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("Listening on ").strip()
            seen.append(path.read_text().strip())
            assert fetch(url, "/api/status", token=seen[-1])["caller"] == "root"
            _, out, err = ended(process, signal.SIGTERM)
        assert seen[-1] not in out + err
        assert str(path) in err.replace("\n", "")
    assert seen[0] == seen[1]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    _, path = kept_token(tmp_path)
    path.chmod(0o644)
    with pytest.raises(Misconfigured, match="Others may read"):
        kept_token(tmp_path)
    path.unlink()
    path.touch(0o600)
    with pytest.raises(Misconfigured, match="holds no token"):
        kept_token(tmp_path)


def test_on_a_terminal_it_offers_to_make_one() -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "MODAL_INVOKE_TOKEN"} | {"COLUMNS": "200"}
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"],
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
    )
    with closing(process):
        os.close(theirs)
        assert "Make one?" in read_until(ours, "(y)")
        os.write(ours, b"y\n")
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("Listening on ").strip()
        token = read_until(ours, "MODAL_INVOKE_TOKEN=mi_", 43).rpartition("MODAL_INVOKE_TOKEN=")[2][:46]
        assert fetch(url, "/api/status", token=token)["caller"] == "root"
        assert ended(process, signal.SIGTERM)[0] == -signal.SIGTERM
    os.close(ours)


def test_a_port_that_is_taken_is_told(agents: Agents) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shown = agents("serve", "--port", str(taken.getsockname()[1]), MODAL_INVOKE_TOKEN="x" * 32)
    assert shown.exit_code == 2
    assert "Choose others with --host and --port." in shown.stderr


def test_loopback() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org", ""))


def until(stream: Any, wanted: bytes) -> None:
    """Reads lines until one has begun so."""
    while not stream.readline().startswith(wanted):
        pass


def eventually_running(url: str, number: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while fetch(url, "/api/status")["running"] < number:
        assert time.monotonic() < deadline, "the tasks do not start"
        time.sleep(0.02)


def read_until(terminal: int, wanted: str, more: int = 0) -> str:
    """What the terminal shows up to these words and so many characters."""
    shown = ""
    while wanted not in shown or len(shown.rpartition(wanted)[2]) < more:
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        assert ready, f"the terminal only shows {shown!r}"
        shown += os.read(terminal, 4096).decode(errors="replace")
    return shown
