"""A person in Claude Code and the real server: its question reaches them in their session, and so does what they missed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.src.services.rehearsal import Rehearsal, Reply, Script, ToolCall
from tests.client.claude import ClaudeCode, bash, converse, install_plugin
from tests.client.driver import Client
from tests.client.terminal import session, settle_in
from tests.stories.house import DATABASE_SCRIPT, LONG, House, entering
from tests.stories.local import served

TYPED = '/modal-invoke advisor "Choose a database"'
OPTIONS = [{"label": "Postgres", "description": "A server."}, {"label": "SQLite", "description": "A file."}]
ASKS = ToolCall(
    name="AskUserQuestion",
    input={"questions": [{"question": "Which database?", "header": "Database", "multiSelect": False, "options": OPTIONS}]},
)
TURNS = ["submitted", "started", "question_asked", "parked", "question_answered", "started", "completed"]
MISSED = "modal-invoke, while nobody was here:"


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[House]:
    """As `advising`, with room for one task at a time."""
    settings = {"MODAL_INVOKE_REHEARSAL": str(DATABASE_SCRIPT), "MAX_CONCURRENT_TASKS": "1"}
    with served(tmp_path / "server", settings=settings) as server, entering(server) as house:
        yield house


@pytest.fixture
def claude(tmp_path: Path) -> ClaudeCode:
    """With the plugin; and all that docs/client.md says is allowed."""
    home = tmp_path / "home"
    home.mkdir()
    claude = ClaudeCode(home)
    install_plugin(claude)
    settle_in(claude, home)
    return claude


def said_in_session(task: str = "", question: str = "") -> Script:
    """What the model says there. Its ids are known once there are such."""
    replies = (
        bash('modal-invoke run advisor "Choose a database" --async'),
        Reply(text="It runs in the cloud."),
        Reply(expect="(advisor) asks the user: Which database?", tools=(ASKS,)),
        Reply(expect='"Which database?"="SQLite"', tools=bash(f"modal-invoke answer {question} --choice SQLite").tools),
        Reply(expect="Answered.", text="The task goes on."),
        Reply(expect=f"Task {task} (advisor) has ended, completed:", tools=bash(f"modal-invoke watch {task}").tools),
        Reply(expect="One file is enough.", text="That was all."),
    )
    return Script(replies=replies)


def test_a_parked_tasks_question_is_answered_in_the_session_and_its_end_is_told_there(claude: ClaudeCode, narrow: House) -> None:
    async def story() -> None:
        async with Rehearsal(said_in_session()) as model:
            place = {"MODAL_INVOKE_URL": narrow.place.url, "MODAL_INVOKE_TOKEN": narrow.place.token}
            async with session(claude, claude.home, place | {"ANTHROPIC_BASE_URL": model.url}) as terminal:
                await terminal.until("accept edits on")
                terminal.press(TYPED)
                await terminal.until(TYPED)
                terminal.press("\r")
                await terminal.until("It runs in the cloud.")
                await terminal.until("Enter to select")
                [question] = narrow.web.get("/api/questions").json()["items"]
                task = narrow.show(question["task_id"])
                await asyncio.to_thread(narrow.first, task, "parked")
                assert not narrow.processes(task)
                model.script = said_in_session(task["id"], question["id"])
                # The only place is taken: so the session has gone to rest again before the task goes on, and ends.
                other = narrow.submit("slow", LONG)
                await terminal.until(lambda: narrow.show(other["id"])["status"] == "running")
                terminal.press("\x1b[B")  # down, to the second choice
                await terminal.until("❯SQLite")  # only what changes is written anew
                terminal.press("\r")
                await terminal.until("The task goes on.")
                assert narrow.show(task["id"])["status"] == "queued"
                narrow.web.post(f"/api/tasks/{other['id']}/cancel")
                await terminal.until("That was all.")
                await terminal.until(lambda: not narrow.web.get("/api/inbox").json()["items"])
            assert (model.failure, model.unheard) == (None, None)
        found = narrow.ended(task)
        assert (found["status"], found["attempt"]) == ("completed", 2), found["error"]
        events = [event for event in narrow.events(task) if event["type"] in TURNS]
        assert [event["type"] for event in events] == TURNS
        happened = {event["type"]: event["data"] for event in events}
        answer = happened["question_answered"]
        assert (answer["choices"], answer["by"], answer["name"]) == (["SQLite"], "caller", "root")
        assert happened["started"] == {"attempt": 2, "goes_on": True}

    asyncio.run(story())


def test_what_ended_while_nobody_was_there_is_told_when_a_session_begins_until_it_is_seen(
    claude: ClaudeCode, house: House
) -> None:
    place = (house.place.url, house.place.token)
    task_id = Client(claude.home, *place)("run", "slow", "0", "--async").out.strip()
    house.ended({"id": task_id})
    told = f"Task {task_id} (slow) has ended, completed: attempt 1"
    watch = bash(f"modal-invoke watch {task_id}")
    _, first = converse(claude, *place, ["What is new?"], watch, Reply(expect="attempt 1", text="It is done."))
    assert first.failure is None
    assert str(first.requests[0]).count(MISSED) == 1
    assert str(first.requests[0]).count(told) == 1
    _, second = converse(claude, *place, ["What is new?"], Reply(text="Nothing."))
    assert task_id not in str(second.requests[0])
