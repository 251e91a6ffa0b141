"""The client `modal-invoke` with the real server: the same in every place."""

import io
import re
import signal
import subprocess
import wave
from pathlib import Path

import pytest

from tests.client.driver import Client
from tests.stories.house import LONG, House
from tests.stories.local import LocalServer
from tests.stories.sound import a_second_of_silence


@pytest.fixture
def client(house: House, tmp_path: Path) -> Client:
    return Client(tmp_path, house.place.url, house.place.token)


def test_a_file_and_arguments_go_in_and_a_file_comes_out(client: Client) -> None:
    (client.home / "tone.wav").write_bytes(a_second_of_silence())
    words = ("--file", "tone.wav", "--arg", "operation=trim", "--arg", "duration=0.5", "--arg", "output=half.wav")
    done = client("run", "media-processing", "", *words, "--out", "made")
    assert done.code == 0, done.err
    assert done.out.startswith("Wrote half.wav (0.5 s")
    assert re.search(r"^saved made/half\.wav \(8\.\d kB\)$", done.err, re.MULTILINE)
    with wave.open(io.BytesIO((client.home / "made" / "half.wav").read_bytes())) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (8000, 4000)


def test_json_is_the_task_as_the_server_shows_it(client: Client, house: House) -> None:
    done = client("run", "slow", "0", "--json")
    assert done.code == 0, done.err
    assert done.json == house.show(done.json["id"])


def test_a_task_is_started_now_and_watched_later(client: Client) -> None:
    task_id = client("run", "slow", "0.3", "--async").out.strip()
    watched = client("watch", task_id)
    assert (watched.code, watched.out) == (0, "attempt 1\n")
    assert client("show", task_id, "--json").json["status"] == "completed"
    assert task_id in client("tasks", "--skill", "slow", "--limit", "200").out


def test_one_who_does_not_want_to_wait_any_longer_can_still_cancel(client: Client, house: House) -> None:
    waited = client("run", "slow", LONG, "--wait", "0.5", "--json")
    assert (waited.code, waited.json["result"]) == (124, None)
    task = waited.json
    house.worker(task)
    with client.started("watch", task["id"]) as watching:
        assert client("cancel", task["id"]).code == 0
        _, err = watching.communicate(timeout=30)
    assert watching.returncode == 1
    assert f"Task {task['id']} was cancelled." in err
    assert client("cancel", task["id"]).code == 1


def test_a_task_that_asks_is_answered_from_a_script_which_has_no_terminal(client: Client, house: House) -> None:
    asks = client("run", "patient", "Which colour!\nFrom where?")
    assert asks.code == 3, asks.err
    task_id = asks.json["task"]
    assert asks.json["status"] == "input_required"
    house.first({"id": task_id}, "parked")
    waiting = client("watch", task_id)
    questions = {question["text"]: question["id"] for question in waiting.json["asks"]}
    assert (waiting.code, sorted(questions)) == (3, ["From where?", "Which colour!"])
    assert questions["From where?"] in client("questions").out
    misfit = client("answer", questions["Which colour!"], "green")
    assert (misfit.code, "does not fit" in misfit.err) == (1, True), misfit.err
    answered = client("answer", questions["Which colour!"], "--choice", "blue")
    assert (answered.code, f"modal-invoke watch {task_id}" in answered.err) == (0, True), answered.err
    assert client("watch", task_id).code == 3
    assert client("answer", questions["From where?"], "-", stdin="home").code == 0
    ended = client("watch", task_id)
    assert (ended.code, ended.out) == (0, "blue; home\n"), ended.err
    assert client("show", task_id, "--json").json["status"] == "completed"
    late = client("answer", questions["Which colour!"], "--choice", "red")
    assert (late.code, "blue" in late.err) == (1, True), late.err
    assert "answered" in client("questions", questions["Which colour!"]).out


def test_a_token_opens_what_it_allows(client: Client, house: House, tmp_path: Path) -> None:
    grace = Client(tmp_path, client.url, house.place.agents("token", "create", "grace", "--skills", "slow").strip())
    assert grace("run", "slow", "0").out == "attempt 1\n"
    failed = grace("run", "slow", "soon")
    assert failed.code == 1
    assert "could not convert string to float: 'soon'" in failed.err
    refused = grace("run", "planning", "x")
    assert (refused.code, refused.out) == (4, "")
    assert "The token does not allow this skill" in refused.err
    assert Client(tmp_path, client.url, "wrong")("skills").code == 4


def test_a_worker_that_is_killed_costs_the_caller_nothing(client: Client, house: House) -> None:
    with client.started("run", "slow", LONG) as running:
        house.lose({"id": task_of(running)})
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (0, "attempt 2\n"), err
    assert re.search(r"^will be tried again: .+\nstarted, attempt 2$", err, re.MULTILINE), err


def test_a_server_that_is_restarted_costs_the_caller_nothing(local: LocalServer, tmp_path: Path) -> None:
    with Client(tmp_path, local.url, local.token).started("run", "slow", LONG) as running:
        task_of(running, begun=True)
        local.end(signal.SIGTERM)
        local.start()
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (0, "attempt 2\n"), err
    assert "will be tried again: The worker was stopped." in err


def task_of(running: subprocess.Popen[str], begun: bool = False) -> str:
    """The id that the client tells; once its task has `begun` too."""
    assert running.stderr is not None
    first = running.stderr.readline()
    if begun:
        assert running.stderr.readline() == "started\n"
    return first.split()[1]
