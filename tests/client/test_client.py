"""The client against a server that behaves, and one that does not."""

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
from hashlib import sha256
from pathlib import Path

import pytest

from tests.client.driver import PROGRAM, ROOT, Client
from tests.client.stand_in import TOKEN, Fault, Plan, StandIn

UNAVAILABLE = Fault(503, {"title": "Unavailable"}, {"Retry-After": "0"})


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


# Files


def test_files_are_sent_and_named(client: Client, server: StandIn) -> None:
    content = os.urandom(600_000)
    (client.home / "in put.bin").write_bytes(content)
    assert client("run", "planning", "x", "--file", "in put.bin", "--file", str(client.home / "in put.bin")).code == 0
    assert list(server.files.values()) == [content, content]
    assert server.requests("POST", "/api/files")[0].query == {"name": ["in put.bin"]}
    assert json.loads(server.requests("POST", "/api/skill")[0].body)["files"] == ["file1", "file2"]


def test_an_upload_that_was_cut_is_sent_again(client: Client, server: StandIn) -> None:
    (client.home / "a.txt").write_text("hello")
    server.fault("POST /api/files", Fault(cut=True), UNAVAILABLE)
    assert client("run", "planning", "x", "--file", "a.txt").code == 0
    assert list(server.files.values()) == [b"hello"]


def test_an_upload_that_was_damaged_is_not_used(client: Client, server: StandIn) -> None:
    (client.home / "a.txt").write_text("hello")
    server.fault("POST /api/files", Fault(201, body=b'{"id": "file1", "sha256": "00"}'))
    done = client("run", "planning", "x", "--file", "a.txt")
    assert done.code == 1
    assert "damaged" in done.err
    assert not server.tasks


def test_a_refusal_in_the_middle_of_an_upload_is_heard(client: Client, server: StandIn) -> None:
    (client.home / "large").write_bytes(bytes(20_000_000))
    server.fault("POST /api/files", Fault(413, {"title": "Too large.", "detail": "At most 1 MB."}, early=True))
    done = client("run", "planning", "x", "--file", "large")
    assert (done.code, "Too large: At most 1 MB." in done.err) == (1, True), done.err


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("plan.md", "plan.md"),
        ("../../up.txt", "__.._up.txt"),
        (".bashrc", "_bashrc"),
        ("a\x1b[2Jb.txt", "a_[2Jb.txt"),
        ("…" * 90 + ".md", "…" * 65 + ".md"),
    ],
)
def test_artifacts_are_saved_under_safe_names(client: Client, server: StandIn, name: str, saved: str) -> None:
    server.plan.artifacts = {name: b"content"}
    done = client("run", "planning", "x", "--out", "here")
    assert done.code == 0, done.err
    assert [path.name for path in (client.home / "here").iterdir()] == [saved]
    assert (client.home / "here" / saved).read_bytes() == b"content"


def test_a_folder_is_made_for_artifacts_only(client: Client, server: StandIn) -> None:
    client("run", "planning", "x")
    assert not list(client.home.glob("modal-invoke-*"))
    server.plan.artifacts = {"a.txt": b"a", "empty": b""}
    client("run", "planning", "x")
    [folder] = client.home.glob("modal-invoke-*")
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "empty"]


def test_no_file_is_overwritten(client: Client, server: StandIn) -> None:
    (client.home / "plan.md").write_text("mine")
    server.plan.artifacts = {"plan.md": b"theirs"}
    for _ in range(2):  # the second time, the same file is there already
        assert "saved plan-2.md" in client("run", "planning", "x", "--out", ".").err
    assert (client.home / "plan.md").read_text() == "mine"
    assert sorted(client.home.glob("plan*")) == [client.home / "plan-2.md", client.home / "plan.md"]


def test_an_artifact_that_arrived_short_is_fetched_again(client: Client, server: StandIn) -> None:
    server.plan.artifacts = {"plan.md": b"whole"}
    server.fault("GET /api/tasks/task0000000000000000000001/artifacts", Fault(200, body=b"who", headers={"Content-Length": "5"}))
    server.fault("GET /api/tasks/task0000000000000000000001/artifacts", Fault(200, body=b"who"))
    assert client("run", "planning", "x", "--out", ".").code == 0
    assert (client.home / "plan.md").read_text() == "whole"


def test_an_artifact_of_another_digest_is_refused_and_the_result_still_shown(client: Client, server: StandIn) -> None:
    server.plan.artifacts = {"plan.md": b"whole"}
    server.digest = b64encode(sha256(b"other").digest()).decode()
    done = client("run", "planning", "x", "--out", ".")
    assert (done.code, done.out) == (1, "The result.\n")
    assert "damaged" in done.err
    assert not list(client.home.glob("*plan*"))


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


# The other commands


def test_async_prints_the_id_and_watch_fetches_the_result(client: Client, server: StandIn) -> None:
    server.plan.artifacts = {"plan.md": b"# Plan"}
    task_id = client("run", "planning", "x", "--async").out.strip()
    assert not server.requests("GET", f"/api/tasks/{task_id}")
    for _ in range(2):  # while it runs, and after it has ended
        done = client("watch", task_id, "--out", ".")
        assert (done.code, done.out) == (0, "The result.\n")
    assert [path.name for path in client.home.glob("plan*")] == ["plan.md"]


def test_async_json_is_the_task(client: Client) -> None:
    assert client("run", "planning", "x", "--async", "--json").json["status"] == "running"


def test_skills(client: Client) -> None:
    assert client("skills").out == "planning  Makes a plan.\n"
    assert client("skills", "--json").json == [{"name": "planning", "description": "Makes a plan."}]


def test_tasks_are_listed_over_pages(client: Client, server: StandIn) -> None:
    for number in range(70):
        server.submit({"skill": "planning", "task": f"task {number}"}, str(number))
    listed = client("tasks", "--limit", "60", "--json").json
    assert [task["task"] for task in listed] == [f"task {number}" for number in range(69, 9, -1)]
    assert len(server.requests("GET", "/api/tasks")) == 2
    assert client("tasks", "--status", "failed", "--json").json == []
    assert len(client("tasks").out.splitlines()) == 20


def test_show(client: Client, server: StandIn) -> None:
    server.plan.artifacts = {"plan.md": b"#" * 2500}
    client("run", "planning", "x")
    shown = client("show", "task0000000000000000000001").out
    assert "status    completed" in shown
    assert "plan.md (2.5 kB)" in shown
    assert shown.endswith("\nThe result.\n")
    assert client("show", "task0000000000000000000001", "--json").json["id"] == "task0000000000000000000001"
    assert client("show", "task0000000000000000000009").code == 1
    assert "not a whole id, which has 26 characters" in client("show", "task000").err


@pytest.mark.parametrize(
    ("usd", "shown"), [(0.0, "12.50 s"), (0.00123, "12.50 s, $0.001230"), (None, "12.50 s, at an unknown price")]
)
def test_show_tells_what_runs_held(client: Client, server: StandIn, usd: float | None, shown: str) -> None:
    client("run", "planning", "x")
    server.tasks["task0000000000000000000001"]["usage"] = {"compute_seconds": 12.5, "compute_usd": usd}
    assert f"compute   {shown}\n" in client("show", "task0000000000000000000001").out


def test_show_tells_the_last_of_what_was_said(client: Client, server: StandIn) -> None:
    server.plan.output = {"lines": [f"line {number}" for number in range(8)], "errors": ["\x1b[31mno file" + "x" * 300]}
    client("run", "planning", "x")
    shown = client("show", "task0000000000000000000001").out
    assert "error     no filexx" in shown
    assert max(map(len, shown.splitlines())) < 220
    assert "said      (3 earlier ones are not shown)\nsaid      line 3\n" in shown
    assert "line 2" not in shown
    assert shown.endswith("\nThe result.\n")


def test_what_was_learned_is_told_when_it_happens_and_when_the_task_is_shown(client: Client, server: StandIn) -> None:
    added = {"action": "add", "id": "a1", "text": "videos are 50 fps"}
    forgotten = {"action": "forget", "id": "b2", "text": "no sound"}
    server.plan = Plan([("recalled", {"entries": []}), ("remembered", added | {"held": True}), ("remembered", forgotten)])
    server.plan.learned = [added, forgotten]
    done = client("run", "planning", "x")
    assert "remembered: videos are 50 fps (waits for a review)\nforgot: no sound\n" in done.err
    shown = client("show", "task0000000000000000000001").out
    assert "learned   remembered: videos are 50 fps\nlearned   forgot: no sound\n" in shown


def test_estimate(client: Client, server: StandIn) -> None:
    none = client("estimate", "planning")
    assert (none.code, none.out) == (0, "")
    assert "No task of planning that you may see has completed yet" in none.err
    seconds, cost = {"lowest": 1, "median": 2.5, "highest": 1234.5}, {"lowest": 0.01, "median": 0.02, "highest": 0.03}
    server.estimate = {"tasks": 12, "seconds": seconds, "cost_usd": cost, "compute_usd": None}
    shown = client("estimate", "planning")
    assert [line.split() for line in shown.out.splitlines()] == [
        ["lowest", "median", "highest"],
        ["seconds", "1.00", "2.50", "1234.50"],
        ["model,", "USD", "0.0100", "0.0200", "0.0300"],
        ["compute,", "USD", "unknown"],
    ]
    assert shown.err == "The last 12 completed tasks of planning.\n"
    assert client("estimate", "planning", "--json").json["seconds"] == seconds
    assert client("estimate", "unheard-of").code == 1


def test_cancel(client: Client) -> None:
    task_id = client("run", "planning", "x", "--async").out.strip()
    assert client("cancel", task_id, "--json").json["status"] == "cancelled"
    done = client("cancel", task_id)
    assert done.code == 1
    assert "already ended" in done.err


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
