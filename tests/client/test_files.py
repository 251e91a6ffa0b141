"""Files that go to the server with a task, and what comes back."""

import json
import os
from base64 import b64encode
from hashlib import sha256

import pytest

from tests.client.driver import Client
from tests.client.stand_in import UNAVAILABLE, Fault, StandIn


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
