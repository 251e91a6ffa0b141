"""`agents conversations`: the same database, with and without a server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agents.src.conversations import Role
from tests.building import ended, parts, running, submit
from tests.cli.conftest import Agents


@pytest.fixture(autouse=True)
def talked(surroundings: dict[str, str]) -> None:
    """What a server has left: `auth` of ada with a task and a remark, `auth` and `trees` of bob."""

    async def talk() -> None:
        async with running(parts(Path(surroundings["MODAL_INVOKE_STATE_DIR"]), alone=True)) as here:
            for caller, name, text in (("bob", "auth", "Bob's."), ("bob", "trees", "Äpfel\nfallen.")):
                await here.conversations.add(caller, name, Role.USER, caller, text)
            task = await submit(here, prompt="Plan it.", conversation="auth")
            await ended(here, task)
            await here.conversations.add("ada", "auth", Role.USER, "ada", "Thanks.")

    asyncio.run(talk())


def conversations(agents: Agents, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(agents("conversations", "list", "--json", *words).stdout)
    return found


def test_list_has_everybodys_the_one_that_changed_last_first(agents: Agents) -> None:
    assert [(one["caller"], one["name"], one["message_count"]) for one in conversations(agents)] == [
        ("ada", "auth", 3),
        ("bob", "trees", 1),
        ("bob", "auth", 1),
    ]
    assert [one["name"] for one in conversations(agents, "--caller", "bob", "--limit", "1")] == ["trees"]
    header, first, *_ = agents("conversations", "list").stdout.splitlines()
    assert header.split() == ["name", "caller", "messages", "changed"]
    assert first.split()[:3] == ["auth", "ada", "3"]
    nothing = agents("conversations", "list", "--caller", "eve")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "There are no conversations.\n")


def test_show_has_the_last_messages_oldest_first(agents: Agents) -> None:
    shown = agents("conversations", "show", "auth", "--caller", "ada")
    lines = shown.stdout.splitlines()
    assert lines[0].endswith("  ada (user)")
    assert lines[1] == "Plan it."
    assert lines[3].endswith("  noop (assistant)")
    assert lines[-1] == "Thanks."
    assert shown.stderr == ""
    last = agents("conversations", "show", "auth", "--caller", "ada", "--limit", "1")
    assert "Plan it." not in last.stdout
    assert last.stdout.endswith("Thanks.\n")
    assert last.stderr == "2 earlier messages are not shown; --limit shows more.\n"
    document = json.loads(agents("conversations", "show", "trees", "--json").stdout)
    assert (document["caller"], [message["text"] for message in document["messages"]]) == ("bob", ["Äpfel\nfallen."])


def test_where_several_have_one_of_the_name_it_must_be_said_whose(agents: Agents) -> None:
    for words in (("show", "auth"), ("delete", "auth"), ("rename", "auth", "b"), ("export", "auth")):
        shown = agents("conversations", *words)
        assert (shown.exit_code, shown.stdout) == (1, "")
        assert "2 callers have a conversation 'auth'; say which with `--caller ada` or `--caller bob`." in shown.stderr
    gone = agents("conversations", "show", "nothing")
    assert (gone.exit_code, "`agents conversations list` shows them" in gone.stderr) == (1, True)
    assert agents("conversations", "show", "trees", "--caller", "ada").exit_code == 1
    assert len(conversations(agents)) == 3


def test_search_finds_messages_with_all_words(agents: Agents) -> None:
    header, row = agents("conversations", "search", "FALLEN äpfel").stdout.splitlines()
    assert header.split() == ["conversation", "id", "caller", "at", "author", "text"]
    assert row.split()[:3] == ["trees", "1", "bob"]
    assert row.endswith("bob     Äpfel fallen.")
    [found] = json.loads(agents("conversations", "search", "plan", "--json").stdout)
    assert (found["conversation"], found["caller"], found["text"]) == ("auth", "ada", "Plan it.")
    nothing = agents("conversations", "search", "äpfel", "--caller", "ada")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "Nothing has all of these words.\n")
    assert agents("conversations", "search", " ").exit_code == 2


def test_rename_and_delete(agents: Agents) -> None:
    renamed = agents("conversations", "rename", "auth", "login", "--caller", "ada")
    assert (renamed.exit_code, renamed.stdout) == (0, "The conversation 'auth' of ada is now 'login'.\n")
    taken = agents("conversations", "rename", "trees", "auth")
    assert (taken.exit_code, "choose another name" in taken.stderr) == (1, True)
    assert agents("conversations", "rename", "trees", "a b").exit_code == 2
    [task] = json.loads(agents("tasks", "list", "--json").stdout)
    assert task["conversation"] == "login"
    gone = agents("conversations", "delete", "login")
    assert (gone.exit_code, gone.stdout) == (0, "The conversation 'login' of ada is deleted, with 3 messages.\n")
    assert [one["caller"] for one in conversations(agents)] == ["bob", "bob"]
    assert len(json.loads(agents("tasks", "list", "--json").stdout)) == 1


def test_export(agents: Agents) -> None:
    text = agents("conversations", "export", "auth", "--caller", "ada").stdout
    assert text.startswith("# auth\n\n## ada (user), ")
    assert text.endswith("\n\n> Thanks.\n")
    for words in (("--json",), ("--format", "json")):
        document = json.loads(agents("conversations", "export", "auth", "--caller", "ada", *words).stdout)
        assert [message["id"] for message in document["messages"]] == [1, 2, 3]
    assert agents("conversations", "export", "auth", "--format", "pdf").exit_code == 2
