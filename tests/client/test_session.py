"""A person works in Claude Code: what a task asks comes into the session that they are in, and their answer goes back."""

import asyncio
from pathlib import Path
from typing import Any

from agents.src.services.rehearsal import Rehearsal, Reply, Script, ToolCall
from tests.client.claude import TYPED, ClaudeCode, bash, install_plugin
from tests.client.stand_in import TOKEN, Plan, StandIn
from tests.client.terminal import session, settle_in

OPTIONS = [{"label": "Postgres", "description": "A server."}, {"label": "SQLite", "description": "A file."}]
QUESTION = "question000000000000000001"
ASKS = ToolCall(
    name="AskUserQuestion",
    input={"questions": [{"question": "Which database?", "header": "Database", "multiSelect": False, "options": OPTIONS}]},
)


def announce(server: StandIn, entry: dict[str, Any]) -> None:
    """To who follows the inbox now: the connection ends, and the next one has it."""
    server.inbox.append(entry)
    with server.changed:
        server.told.append("more")
        server.changed.notify_all()


def test_a_question_wakes_an_idle_session_and_enter_answers_it(tmp_path: Path, server: StandIn) -> None:
    claude, folder = ClaudeCode(tmp_path), tmp_path / "work"
    folder.mkdir()
    install_plugin(claude)
    settle_in(claude, folder)
    server.plan = Plan(ends=False)
    replies = (
        bash('modal-invoke run planning "Create auth system plan" --async'),
        Reply(text="It runs in the cloud."),
        Reply(expect=f"modal-invoke answer {QUESTION}", tools=(ASKS,)),
        Reply(expect='"Which database?"="SQLite"', tools=bash(f"modal-invoke answer {QUESTION} --choice SQLite").tools),
        Reply(expect="Answered.", text="The task goes on."),
    )

    async def story() -> None:
        async with Rehearsal(Script(replies=replies)) as rehearsal:
            env = {"ANTHROPIC_BASE_URL": rehearsal.url, "MODAL_INVOKE_URL": server.url, "MODAL_INVOKE_TOKEN": TOKEN}
            async with session(claude, folder, env) as terminal:
                await terminal.until("accept edits on")
                terminal.press(TYPED)
                await terminal.until(TYPED)
                terminal.press("\r")
                await terminal.until("It runs in the cloud.")
                await terminal.until(lambda: bool(server.requests("GET", "/api/inbox/events")))
                [task] = server.tasks.values()
                task["status"] = "input_required"
                question = server.ask(task, {"text": "Which database?", "choices": OPTIONS})
                about = {"task": task["id"], "skill": "planning", "at": task["created_at"], "summary": question["text"]}
                announce(server, {"kind": "question", "id": question["id"], "question": question, **about})
                await terminal.until("Enter to select")
                terminal.press("\x1b[B")  # down, to the second choice
                await terminal.until("❯SQLite")  # only what changes is written anew
                terminal.press("\r")
                await terminal.until(lambda: question["state"] == "answered")
                await terminal.until("The task goes on.")
            assert rehearsal.failure is None
            assert question["answer"]["choices"] == ["SQLite"]

    asyncio.run(story())
