"""A skill's memory in the real Claude Code, with scripted replies."""

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from agents.src.clock import Clock
from agents.src.memory import Act, Hit, Lesson, MemoryPage, MemoryStore, Origin, Recall, Recalled, entry_id, new_entry
from agents.src.services.claude_code import ClaudeEngine
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.claude_memory import LEFT_OUT, REMEMBER, notes_for
from agents.src.services.files import FolderFiles
from agents.src.services.lesson_store import SqlLessonStore
from agents.src.services.rehearsal import Rehearsal, Script
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import (
    Brief,
    Claim,
    ClaudeOptions,
    Draft,
    Event,
    EventType,
    Execution,
    Hub,
    Result,
    Task,
    Workspace,
    unanswered,
)
from tests.building import NOON, SteppedClock, a_task, toolbox
from tests.conftest import OpenDb

BCRYPT = new_entry("planning", entry_id("planning", "use bcrypt"), "use bcrypt", "Auth", Origin("ada", "local", NOON))
MONDAY = new_entry(
    "planning", entry_id("planning", "no deploys on Monday"), "no deploys on Monday", "", Origin("ada", "local", NOON)
)
SECRET = "sk-ant-" + "Zx9Qw8Er7Ty6Ui5Op4As3Df2"  # in two pieces, for those who look for secrets


class Shelf:
    """Implements what `Recall` asks of a memory: two entries."""

    async def count(self, skill: str) -> int:
        return 2

    async def search(self, query: str, skills: Collection[str], limit: int) -> tuple[Hit, ...]:
        return (Hit(BCRYPT, 1.0),)

    async def page(self, skills: Collection[str], cursor: str | None, limit: int) -> MemoryPage:
        return MemoryPage((MONDAY, BCRYPT), None)


def says(**wish: Any) -> dict[str, Any]:
    return {"name": REMEMBER, "input": wish}


def a_script(*replies: dict[str, Any]) -> Script:
    return Script.model_validate({"name": "learning.yaml", "replies": replies})


def a_brief(*allowed: str, memory: tuple[Recalled, ...] = (), review: bool = False) -> Brief:
    return Brief(
        skill="planning",
        engine="claude",
        instruction="Plan it.",
        prompt="Plan the login.",
        timeout=60,
        claude=ClaudeOptions(allowed_tools=allowed),
        memory=memory,
        review=review,
    )


def of_type(log: tuple[Event, ...], kind: EventType) -> list[dict[str, Any]]:
    return [event.data for event in log if event.type is kind]


def carried_out(
    open_sqlite: OpenDb, root: Path, played: Script, **fields: Any
) -> tuple[Task, tuple[Event, ...], SqlLessonStore, list[str]]:
    """The task of a run that had two entries, its log, where its lessons are, and who was told that it taught."""

    async def live() -> tuple[Task, tuple[Event, ...], SqlLessonStore, list[str]]:
        db, clock, told = open_sqlite(), SteppedClock(), list[str]()
        store, files = SqlTaskStore(db, Hub(), clock), FolderFiles(root, root / "work", db, clock, 1 << 20)
        memory = Recall(lambda: cast(MemoryStore, Shelf()), 2000)
        engine = ClaudeEngine(CredentialSource(root / "no-login", keychain=False), rehearsal=played, retries=1)
        tools = toolbox(store, {"claude": engine}, files, clock, memory=memory, taught=told.append)
        task = a_task(id=Clock().new_id(), skill="planning")  # the run's processes are found by its id, on the whole machine
        added = await store.add(task, a_brief(**fields), claim=Claim("worker-1", NOON + 20))
        assert added.run
        ended = await Execution(added.run, tools).carry_out()
        assert ended
        return ended, await store.events(task.id, 0, 1000), SqlLessonStore(db, clock), told

    return asyncio.run(live())


def test_a_skill_remembers_corrects_forgets_and_is_refused_a_secret(open_sqlite: OpenDb, tmp_path: Path) -> None:
    sessions = entry_id("planning", "sessions last 30 days")
    played = a_script(
        {"tools": [says(text="sessions last 30 days", section="Login")]},
        {"expect": f"Remembered, as {sessions}.", "tools": [says(action="correct", id=BCRYPT.id, text="use argon2")]},
        {"expect": "Corrected.", "tools": [says(action="forget", id=MONDAY.id)]},
        {"expect": "Forgotten.", "tools": [says(text=f"the key is {SECRET}")]},
        {"expect": "It looks like a secret (Anthropic API key)", "tools": [says(action="forget", id=MONDAY.id)]},
        {"expect": f"there is no such entry here; there are: {BCRYPT.id}, {sessions}.", "text": "Planned."},
    )
    task, log, lessons, told = carried_out(open_sqlite, tmp_path, played)
    learned = (
        Lesson(action=Act.ADD, id=sessions, text="sessions last 30 days", section="Login"),
        Lesson(action=Act.CORRECT, id=BCRYPT.id, text="use argon2", rev=BCRYPT.rev),
        Lesson(action=Act.FORGET, id=MONDAY.id, text=MONDAY.text, rev=MONDAY.rev),
    )
    assert task.result and task.result.text.endswith("Planned.")
    assert task.result.remembered == learned
    assert of_type(log, EventType.RECALLED) == [{"entries": [{"id": each.id, "text": each.text} for each in (BCRYPT, MONDAY)]}]
    assert of_type(log, EventType.REMEMBERED) == [each.model_dump(mode="json", exclude_defaults=True) for each in learned]
    assert [data["is_error"] for data in of_type(log, EventType.TOOL_RESULT)] == [False, False, False, True, True]
    assert of_type(log, EventType.TOOL_CALL)[3]["input"] == {"text": LEFT_OUT}
    assert SECRET not in json.dumps([event.data for event in log])
    assert [taught.lesson for taught in asyncio.run(lessons.waiting())] == list(learned)
    assert told == ["planning"]


def test_what_is_remembered_is_told_between_the_call_and_its_answer(open_sqlite: OpenDb, tmp_path: Path) -> None:
    _, log, _, _ = carried_out(open_sqlite, tmp_path, a_script({"tools": [says(text="one fact")]}, {"text": "Done."}))
    kinds = [event.type for event in log]
    at = kinds.index(EventType.REMEMBERED)
    assert kinds[at - 1 : at + 2] == [EventType.TOOL_CALL, EventType.REMEMBERED, EventType.TOOL_RESULT]


def test_with_a_review_it_is_held_and_the_skill_knows(open_sqlite: OpenDb, tmp_path: Path) -> None:
    played = a_script({"tools": [says(text="one fact")]}, {"expect": "A person will look at it first.", "text": "Done."})
    task, log, lessons, _ = carried_out(open_sqlite, tmp_path, played, review=True)
    assert task.result and [lesson.text for lesson in task.result.remembered] == ["one fact"]
    assert [data["held"] for data in of_type(log, EventType.REMEMBERED)] == [True]
    assert [taught.lesson.text for taught in asyncio.run(lessons.held())] == ["one fact"]
    assert asyncio.run(lessons.waiting()) == ()


def test_what_was_learned_stays_when_the_run_fails(open_sqlite: OpenDb, tmp_path: Path) -> None:
    error = {"error": {"status": 400, "type": "invalid_request_error", "message": "No more."}}
    task, _, lessons, told = carried_out(open_sqlite, tmp_path, a_script({"tools": [says(text="one fact")]}, error))
    assert task.error and task.result
    assert [lesson.text for lesson in task.result.remembered] == ["one fact"]
    assert len(asyncio.run(lessons.waiting())) == 1
    assert told == ["planning"]


@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        ({"text": "use bcrypt"}, "The memory says so already."),
        ({"text": ""}, "text: it is empty"),
        ({"text": "x", "action": "replace"}, "is not one of"),
        ({"text": "x", "importance": "high"}, "Additional properties are not allowed"),
        ({"text": 3}, "is not of type 'string'"),
        ({"text": [SECRET]}, LEFT_OUT),
    ],
)
def test_what_is_no_lesson_is_answered(tmp_path: Path, open_sqlite: OpenDb, wish: dict[str, Any], answer: str) -> None:
    task, log, _, told = carried_out(open_sqlite, tmp_path, a_script({"tools": [says(**wish)]}, {"text": "Done."}))
    assert task.result and task.result.remembered == ()
    [told_back] = of_type(log, EventType.TOOL_RESULT)
    assert answer in told_back["text"]
    assert SECRET not in json.dumps([event.data for event in log])
    assert told == []


def asked(tmp_path: Path, brief: Brief) -> dict[str, Any]:
    """What the model is asked first."""
    workspace = Workspace(f"{Clock().new_id()}:1", tmp_path / "workspace")
    workspace.folder.mkdir()

    async def scene() -> dict[str, Any]:
        async with Rehearsal(a_script({"text": "Done."})) as service:
            engine = ClaudeEngine(CredentialSource(tmp_path, api_key=SecretStr("the key"), keychain=False), service.url)
            happened: list[Draft | Result] = [happening async for happening in engine.run(brief, workspace, unanswered)]
            assert happened[-1] == Result(text="Done.")
            return service.requests[0]

    return asyncio.run(scene())


def test_the_model_is_told_what_is_known_and_how_to_ask_and_gets_these_tools_and_no_others(tmp_path: Path) -> None:
    memory = (Recalled(id=BCRYPT.id, text="use bcrypt\nwith cost 12", section="Auth", rev="r1"),)
    request = asked(tmp_path, a_brief(memory=memory))
    offered = {tool["name"] for tool in request["tools"]} - {"DeferredToolPlaceholder"}
    assert offered == {REMEMBER, "AskUserQuestion", "mcp__caller__ask_caller"}
    system = "\n".join(block["text"] for block in request["system"])
    assert f"- [{BCRYPT.id}] Auth: use bcrypt\n  with cost 12" in system
    assert f"correct or forget it with the tool {REMEMBER}" in system
    assert "ask the caller: with AskUserQuestion, or with mcp__caller__ask_caller where there are no choices" in system
    assert "nobody can answer" not in system


def test_without_a_memory_only_the_tool_is_spoken_of() -> None:
    assert REMEMBER in notes_for(())
    assert "notes" not in notes_for(())
