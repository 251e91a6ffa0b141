"""`modal-invoke run` against a server that behaves, and one that does not."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.client.driver import PROGRAM, ROOT, Client
from tests.client.stand_in import TOKEN, UNAVAILABLE, Fault, Plan, StandIn


def test_run_shows_the_result_on_stdout_and_progress_on_stderr(client: Client) -> None:
    done = client("run", "planning", "Create auth system plan")
    assert (done.code, done.out) == (0, "The result.\n")
    assert "50% half-way" in done.err
    assert "1,200 tokens in, 34 out, $0.0123" in done.err


def test_run_submits_what_it_was_told(client: Client, server: StandIn) -> None:
    args = ["--arg", "width=640", "--arg", "name=a b", "--arg", 'tags=["x"]', "--timeout", "9", "--priority", "-1"]
    args += ["--workdir", "/srv/project"]
    args += ["--budget", "2.50", "--conversation", "auth", "--callback", "https://example.com/told"]
    assert client("run", "planning", "-", *args, stdin="From\nstdin.").code == 0
    [seen] = server.requests("POST", "/api/skill")
    assert json.loads(seen.body) == {
        "skill": "planning",
        "task": "From\nstdin.",
        "inbox": True,
        "args": {"width": 640, "name": "a b", "tags": ["x"]},
        "timeout": 9.0,
        "budget_usd": 2.5,
        "conversation": "auth",
        "callback": {"url": "https://example.com/told"},
        "priority": -1,
        "workdir": "/srv/project",
    }
    assert seen.headers["prefer"] == "respond-async"


def test_a_folder_of_this_machine_is_sent_as_it_is_without_links(client: Client, server: StandIn) -> None:
    (client.home / "project").mkdir()
    (client.home / "link").symlink_to("project")
    for words in ("link/../link", str(client.home / "link")):
        assert client("run", "planning", "x", "--workdir", words).code == 0
    sent = [json.loads(seen.body)["workdir"] for seen in server.requests("POST", "/api/skill")]
    assert sent == [str((client.home / "project").resolve()), str(client.home / "link")]


def test_every_run_has_a_key_of_its_own_unless_one_is_given(client: Client, server: StandIn) -> None:
    for args in ([], [], ["--key", "mine"]):
        client("run", "planning", "x", *args)
    keys = [seen.headers["idempotency-key"] for seen in server.requests("POST", "/api/skill")]
    assert len(set(keys)) == 3
    assert keys[2] == '"mine"'


def test_a_submission_whose_answer_was_lost_runs_once(client: Client, server: StandIn) -> None:
    server.fault("POST /api/skill", Fault(cut=True, discard=True))
    assert client("run", "planning", "x").code == 0
    assert len(server.requests("POST", "/api/skill")) == 2
    assert len(server.tasks) == 1


def test_json_is_the_task(client: Client, server: StandIn) -> None:
    server.plan.artifacts = {"plan.md": b"# Plan"}
    task = client("run", "planning", "x", "--json").json
    assert task["status"] == "completed"
    assert (client.home / task["result"]["artifacts"][0]["path"]).read_bytes() == b"# Plan"


def test_quiet_says_nothing_on_stderr(client: Client) -> None:
    assert client("run", "planning", "x", "-q").err == ""


def test_a_result_without_text_shows_its_data(client: Client, server: StandIn) -> None:
    server.plan = Plan(text="", data={"seconds": 3})
    assert client("run", "planning", "x").json == {"seconds": 3}


def test_text_that_the_terminal_cannot_show_is_no_accident(client: Client, server: StandIn) -> None:
    server.plan.text = "Größe \ud800."
    assert client("run", "planning", "x").out == "Größe ?.\n"
    assert replace(client, env={"PYTHONIOENCODING": "ascii"})("run", "planning", "x").out == "Gr??e ?.\n"


def test_a_warning_of_the_answer_is_shown_once(client: Client, server: StandIn) -> None:
    warning = {"code": "concurrency_warning", "message": "root has 3 tasks under way at once, with this one."}
    server.plan = Plan([("warning", warning)])
    server.plan.warnings = [warning]
    line = f"warning: {warning['message']}"
    assert client("run", "planning", "x").err.splitlines().count(line) == 1
    detached = client("run", "planning", "x", "--async", "--quiet")
    assert (detached.err, len(detached.out.split())) == (f"{line}\n", 1)


# The event stream


def test_a_stream_that_breaks_is_taken_up_where_it_broke(client: Client, server: StandIn) -> None:
    server.plan = Plan([("warning", {"message": f"event {number}"}) for number in range(5)], per_connection=3)
    done = client("run", "planning", "x")
    assert done.code == 0
    assert [line for line in done.err.splitlines() if "event" in line] == [f"warning: event {number}" for number in range(5)]
    resumed = [
        seen.headers.get("last-event-id") for seen in server.requests("GET", "/api/tasks/task0000000000000000000001/events")
    ]
    assert resumed == [None, "3", "6"]


def test_a_server_that_restarts_is_waited_for(client: Client, server: StandIn) -> None:
    server.fault("GET /api/tasks/task0000000000000000000001/events", Fault(cut=True), Fault(503), Fault(cut=True))
    assert client("run", "planning", "x").code == 0


def test_a_stream_that_never_gets_further_is_given_up(client: Client, server: StandIn) -> None:
    server.plan.per_connection = 0
    done = replace(client, env={"MODAL_INVOKE_PATIENCE": "0.5"})("run", "planning", "x")
    assert done.code == 5
    assert "ends the event stream before the task has ended" in done.err


def test_a_server_that_stays_away_is_given_up(client: Client, server: StandIn) -> None:
    server.fault("GET /api/tasks/task0000000000000000000001/events", *[Fault(cut=True)] * 50)
    done = replace(client, env={"MODAL_INVOKE_PATIENCE": "0.5"})("run", "planning", "x")
    assert done.code == 5
    assert "modal-invoke watch task0000000000000000000001" in done.err


def test_wait_ends_before_the_task(client: Client, server: StandIn) -> None:
    server.plan.ends = False
    done = client("run", "planning", "x", "--wait", "0.5", "--json")
    assert done.code == 124
    assert done.json["status"] == "running"
    assert "modal-invoke watch task0000000000000000000001" in done.err


# How it ends


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (
            Plan(status="failed", error={"type": "t", "title": "The model is busy.", "detail": "Wait."}),
            "The model is busy: Wait.",
        ),
        (Plan(status="cancelled"), "was cancelled."),
    ],
)
def test_a_task_that_did_not_complete(client: Client, server: StandIn, plan: Plan, sentence: str) -> None:
    server.plan = plan
    done = client("run", "planning", "x")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(f"{sentence}\n")


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        (Fault(401, {"title": "No.", "detail": "Expired."}), 4, "No: Expired. Run `modal-invoke login`"),
        (Fault(403, {"title": "Not this skill.", "detail": "Ask."}), 4, "Not this skill: Ask."),
        (
            Fault(404, {"title": "Unknown skill.", "detail": "Did you mean planning?"}),
            1,
            "Unknown skill: Did you mean planning?\n",
        ),
        (Fault(422, {"title": "Key used\x1b[2J before."}), 1, "Key used before.\n"),
        (Fault(413, body=b"<html>too large</html>"), 1, "413 Request Entity Too Large"),
        (Fault(200, body=b"<html>Welcome</html>"), 5, "does not answer as a modal-invoke server"),
        (Fault(429, {"title": "Too many."}, {"Retry-After": "3600"}), 1, "Too many."),
    ],
)
def test_a_refusal_is_told_at_once(client: Client, server: StandIn, fault: Fault, code: int, sentence: str) -> None:
    server.fault("POST /api/skill", fault)
    done = client("run", "planning", "x")
    assert done.code == code
    assert sentence in done.err
    assert len(server.requests("POST", "/api/skill")) == 1


def test_a_wait_that_the_server_asks_for_is_kept(client: Client, server: StandIn) -> None:
    server.fault("POST /api/skill", Fault(429, {"title": "Too many."}, {"Retry-After": "1"}))
    done = client("run", "planning", "x")
    assert done.code == 0
    assert "Too many. Trying again in 1 s." in done.err


def test_a_server_that_stays_unavailable(client: Client, server: StandIn) -> None:
    server.fault("GET /api/skills", *[UNAVAILABLE] * 4)
    assert client("skills").code == 5


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    done = Client(tmp_path, "http://127.0.0.1:9", TOKEN)("skills")
    assert done.code == 5
    assert "Cannot reach http://127.0.0.1:9 (Connection refused)." in done.err


def test_a_redirect_is_followed_with_get(client: Client, server: StandIn) -> None:
    server.fault(
        "POST /api/skill", Fault(303, discard=True, headers={"Location": "/api/tasks/task0000000000000000000001?again=1"})
    )
    assert client("run", "planning", "x").out == "The result.\n"
    assert len(server.requests("POST", "/api/skill")) == 1


def test_a_redirect_elsewhere_gets_no_token(client: Client, server: StandIn) -> None:
    server.fault("GET /api/skills", Fault(302, headers={"Location": "http://localhost:9/api/skills"}))
    done = client("skills")
    assert done.code == 5
    assert "which gets no token" in done.err


def test_https_goes_through_the_proxy_of_the_machine(server: StandIn, tmp_path: Path) -> None:
    proxy = server.url.replace("http://", "http://user:p%40ss@")
    done = Client(tmp_path, "https://modal-invoke.invalid", TOKEN, env={"HTTPS_PROXY": proxy})("skills")
    assert done.code == 5
    assert server.seen[0].path == "modal-invoke.invalid:443"
    assert server.seen[0].headers["proxy-authorization"] == f"Basic {b64encode(b'user:p@ss').decode()}"
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["run", "planning"],
        ["run", "planning", "x", "--file", "missing"],
        ["run", "planning", "x", "--arg", "novalue"],
        ["run", "planning", "x", "--async", "--wait", "1"],
        ["run", "planning", "x", "--wait", "soon"],
        ["show", "../status"],
        ["show", "task000"],
        ["tasks", "--limit", "0"],
    ],
)
def test_a_wrong_command_line_reaches_no_server(client: Client, server: StandIn, args: list[str]) -> None:
    done = client(*args)
    assert (done.code, done.out) == (2, "")
    assert not server.seen


# Ctrl-C


def test_ctrl_c_without_a_terminal_leaves_the_task(client: Client, server: StandIn) -> None:
    server.plan.ends = False
    with client.started("run", "planning", "x") as process:
        assert server.followed.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "modal-invoke cancel task0000000000000000000001" in err
    assert not server.requests("POST", "/api/tasks")


@pytest.mark.parametrize(("answer", "code", "cancelled"), [(b"y\n", 1, True), (signal.SIGINT, 130, False)])
def test_ctrl_c_on_a_terminal_offers_to_cancel(
    client: Client, server: StandIn, answer: bytes | signal.Signals, code: int, cancelled: bool
) -> None:
    server.plan.ends = False
    ours, theirs = pty.openpty()
    try:
        with client.started("run", "planning", "x", stdin=theirs, stderr=theirs) as process:
            assert server.followed.wait(30)
            process.send_signal(signal.SIGINT)
            shown = b""
            while b"[n] " not in shown:
                shown += os.read(ours, 4096)
            if isinstance(answer, bytes):
                os.write(ours, answer)
            until = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < until:
                if not isinstance(answer, bytes):  # one that comes just before Python begins to read waits for the next
                    process.send_signal(answer)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == code
    assert bool(server.requests("POST", "/api/tasks")) is cancelled


# Where the client is


def test_it_runs_through_a_symlink_from_anywhere(client: Client) -> None:
    link = client.home / "elsewhere" / "modal-invoke"
    link.parent.mkdir()
    link.symlink_to(PROGRAM)
    assert replace(client, program=link)("skills").code == 0


def test_it_needs_no_more_than_python_3_9(client: Client, server: StandIn) -> None:
    python = shutil.which("python3.9")
    if python is None or os.system(f"{python} --version >/dev/null 2>&1") != 0:
        pytest.skip("no python3.9 on the PATH")
    server.plan = Plan(artifacts={"plan.md": b"# Plan"}, per_connection=2)
    (client.home / "a.txt").write_text("hello")
    old = replace(client, python=python, env={"PATH": os.environ["PATH"]})
    done = old("run", "planning", "x", "--file", "a.txt", "--out", ".")
    assert (done.code, done.out) == (0, "The result.\n"), done.err


def test_a_reader_that_has_gone_is_no_accident(client: Client) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with client.started("skills", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=30)
    assert err == ""


def test_the_documentation_knows_every_command_option_and_exit_code(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    main = Client(tmp_path)("--help").out
    commands = re.findall(r"^    (\w+) ", main, re.MULTILINE)
    assert {"run", "watch", "login"} <= set(commands)
    helps = [Client(tmp_path)(name, "--help").out for name in commands]
    options = {option for text in helps for option in re.findall(r"--[a-z-]+", text)} - {"--help"}
    codes = re.findall(r"^  (\d+) ", main, re.MULTILINE)
    assert "--async" in options
    assert "124" in codes
    known = [*(f"`modal-invoke {name}" for name in commands), *options, *(f"| {code} |" for code in codes)]
    assert [missing for missing in known if missing not in page] == []
