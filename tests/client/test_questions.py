"""The client when a task asks, and what it tells of tasks that nobody watched."""

import json
import os
import pty
import socket
import threading
from collections.abc import Callable

import pytest

from agents.src.api.question_views import QuestionInFull, QuestionView
from tests.client.driver import Client
from tests.client.stand_in import TOKEN, Fault, Plan, StandIn

WHICH = {"text": "Which database?", "choices": [{"label": "Postgres", "description": "A server."}, {"label": "SQLite"}]}
ASKS = Plan([("question_asked", WHICH)])
TASK = "task0000000000000000000001"
QUESTION = "question000000000000000001"


def asking(server: StandIn, **question: object) -> str:
    """A task that waits for an answer; the question's id."""
    task = server.submit({"skill": "planning", "task": "x"}, "key")
    task["status"] = "input_required"
    return str(server.ask(task, {**WHICH, **question})["id"])


def test_the_stand_ins_questions_have_the_members_of_the_servers(client: Client, server: StandIn) -> None:
    question = asking(server)
    assert set(server.questions[question]) == set(QuestionView.model_fields)
    assert set(client("questions", question, "--json").json) == set(QuestionInFull.model_fields)


def test_a_question_ends_the_waiting_and_is_given_as_json(client: Client, server: StandIn) -> None:
    server.plan = ASKS
    done = client("run", "planning", "x")
    assert done.code == 3
    assert (done.json["task"], done.json["status"]) == (TASK, "input_required")
    [asked] = done.json["asks"]
    assert (asked["id"], asked["text"], asked["choices"]) == (QUESTION, WHICH["text"], WHICH["choices"])
    assert f"modal-invoke answer {QUESTION}" in done.err
    whole = client("watch", TASK, "--json")
    assert (whole.code, whole.json["skill"], whole.json["asks"]) == (3, "planning", [asked])
    assert server.requests("POST", "/api/inbox/seen") == []


def test_once_it_is_answered_watch_goes_on(client: Client, server: StandIn) -> None:
    server.plan = ASKS
    assert client("run", "planning", "x").code == 3
    done = client("answer", QUESTION, "--choice", "Postgres")
    assert (done.code, f"modal-invoke watch {TASK}" in done.err) == (0, True)
    assert server.questions[QUESTION]["answer"] == {"action": "accept", "choices": ["Postgres"], "text": "", "by": "caller"}
    ended = client("watch", TASK)
    assert (ended.code, ended.out) == (0, "The result.\n")
    assert [json.loads(seen.body) for seen in server.requests("POST", "/api/inbox/seen")] == [{"ids": [TASK]}]


def test_answers(client: Client, server: StandIn) -> None:
    sent = [
        (["In my own words"], {"action": "accept", "text": "In my own words"}),
        (["-"], {"action": "accept", "text": "From stdin."}),
        (["--choice", "Postgres", "--choice", "SQLite"], {"action": "accept", "choices": ["Postgres", "SQLite"]}),
        (["--decline"], {"action": "decline"}),
        (["not now", "--dismiss"], {"action": "cancel", "text": "not now"}),
    ]
    for args, expected in sent:
        question = asking(server)
        assert client("answer", question, *args, stdin="From stdin.").code == 0
        assert json.loads(server.requests("POST", f"/api/questions/{question}/answer")[0].body) == expected


def test_an_answer_that_is_none_or_does_not_fit(client: Client, server: StandIn) -> None:
    question = asking(server)
    nothing = client("answer", question)
    assert (nothing.code, "--decline or --dismiss" in nothing.err) == (2, True)
    other = client("answer", question, "--choice", "Oracle")
    assert (other.code, "There is no such choice" in other.err) == (1, True)
    assert client("answer", question, "yes").code == 0
    late = client("answer", question, "no")
    assert (late.code, "answered already" in late.err) == (1, True)


def test_questions_are_listed_and_shown(client: Client, server: StandIn) -> None:
    assert "Nothing waits" in client("questions").err
    first, second = asking(server), asking(server, text="Where?", choices=[], default=["here"])
    client("answer", first, "--choice", "SQLite")
    assert client("questions").out == f"{second}  planning  pending  Where?\n"
    assert [asked["id"] for asked in client("questions", "--all", "--json").json] == [second, first]
    elsewhere = server.submit({"skill": "planning", "task": "y"}, "another")["id"]
    assert client("questions", "--task", TASK, "--json").json[0]["id"] == second
    assert client("questions", "--task", elsewhere, "--json").json == []
    shown = client("questions", first).out
    assert "Postgres: A server." in shown and "SQLite" in shown and "answered" in shown


def test_whoever_sits_at_a_terminal_is_asked_there(client: Client, server: StandIn) -> None:
    server.plan = ASKS
    master, terminal = pty.openpty()
    with client.started("run", "planning", "x", stdin=terminal, stderr=terminal) as process:
        os.close(terminal)
        seen = read_until(master, b"Ctrl-D: later")
        assert b"1. Postgres: A server." in seen and b"2. SQLite" in seen
        os.write(master, b"9\n")  # taken for words of one's own, which this question lets pass
        assert process.stdout
        assert process.stdout.read() == "The result.\n"
        assert process.wait() == 0
    os.close(master)
    assert server.questions[QUESTION]["answer"]["text"] == "9"


def test_an_answer_that_is_not_theirs_to_give_is_asked_for_again(client: Client, server: StandIn) -> None:
    server.plan = ASKS
    problem = {"title": "The token may not raise this budget.", "detail": "Only the root token may raise it."}
    server.fault(f"POST /api/questions/{QUESTION}/answer", Fault(403, problem))
    master, terminal = pty.openpty()
    with client.started("run", "planning", "x", stdin=terminal, stderr=terminal) as process:
        os.close(terminal)
        read_until(master, b"Ctrl-D: later")
        os.write(master, b"1\n")
        assert b"Only the root token may raise it." in read_until(master, b"Ctrl-D: later")
        os.write(master, b"2\n")
        assert process.stdout
        assert process.stdout.read() == "The result.\n"
        assert process.wait() == 0
    os.close(master)
    assert server.questions[QUESTION]["answer"]["choices"] == ["SQLite"]


def test_a_question_may_be_left_for_later(client: Client, server: StandIn) -> None:
    server.plan = ASKS
    master, terminal = pty.openpty()
    with client.started("run", "planning", "x", stdin=terminal, stderr=terminal) as process:
        os.close(terminal)
        read_until(master, b"Ctrl-D: later")
        os.write(master, b"\x04")
        assert process.stdout
        assert json.loads(process.stdout.read())["asks"][0]["id"] == QUESTION
        assert process.wait() == 3
    os.close(master)


def read_until(master: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        seen += os.read(master, 4096)
    return seen


# The inbox


def entry(server: StandIn) -> str:
    """A question and an end that wait to be told; the question's id."""
    question = asking(server)
    about = {"task": TASK, "skill": "planning", "at": "2026-01-31T09:30:00.000Z"}
    server.inbox = [
        {"kind": "question", "id": question, "status": "input_required", "summary": WHICH["text"], "question": WHICH, **about},
        {"kind": "ended", "id": TASK, "status": "completed", "summary": "Six\n steps.", "question": None, **about},
    ]
    return question


def test_the_inbox(client: Client, server: StandIn) -> None:
    assert "nothing new" in client("inbox").err
    question = entry(server)
    assert client("inbox", "--peek").out.splitlines() == [
        f"{question}  planning  asks: Which database?",
        f"{TASK}  planning  completed: Six steps.",
    ]
    assert server.told == []
    assert [told["kind"] for told in client("inbox", "--json").json] == ["question", "ended"]
    assert server.told == [question, TASK]
    assert client("inbox", "--seen", question, TASK).code == 0
    assert json.loads(server.requests("POST", "/api/inbox/seen")[0].body) == {"ids": [question, TASK]}


def test_a_session_begins_with_one_line_of_what_happened(client: Client, server: StandIn) -> None:
    quiet = client("inbox-hook")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    question = entry(server)
    [line] = client("inbox-hook").out.splitlines()
    assert f"modal-invoke answer {question} --choice" in line and "'Postgres', 'SQLite'" in line
    assert f"Task {TASK} (planning) has ended, completed: Six steps." in line
    server.url = ""
    assert Client(client.home)("inbox-hook").code == 0  # no server is known
    assert Client(client.home, "http://127.0.0.1:9", TOKEN)("inbox-hook").code == 0


def test_the_monitor_tells_each_thing_once_over_as_many_connections_as_it_takes(client: Client, server: StandIn) -> None:
    question = entry(server)
    later = server.inbox.pop()
    with client.started("monitor") as process:
        assert process.stdout
        assert question in process.stdout.readline()
        server.inbox.append(later)
        with server.changed:
            server.told.append("more")
            server.changed.notify_all()
        line: list[str] = []
        reader = threading.Thread(target=lambda: line.append(process.stdout.readline()))  # type: ignore[union-attr]
        reader.start()
        reader.join(30)
        assert f"Task {TASK} (planning) has ended" in line[0]


def socket_pair() -> tuple[int, int]:
    """As Claude Code reads what it starts."""
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.mark.parametrize("pair", [os.pipe, socket_pair])
def test_the_monitor_ends_when_nobody_reads_it_any_more(
    client: Client, server: StandIn, pair: Callable[[], tuple[int, int]]
) -> None:
    question = entry(server)
    ours, theirs = pair()
    with client.started("monitor", stdout=theirs) as process:
        os.close(theirs)
        assert question.encode() in read_until(ours, question.encode())
        os.close(ours)
        assert process.wait(30) == 0
