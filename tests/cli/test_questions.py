"""`agents questions`: the same database, with and without a server."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.src.cli.running import author
from agents.src.services.database import open_database
from agents.src.tasks import Choice, Claim, EventType, Question, QuestionRules, Run, parked
from tests.building import a_brief, a_task
from tests.cli.conftest import Agents
from tests.contracts.test_task_store import a_house

WHICH = Question(
    text="Which colour?",
    header="Colour",
    choices=(Choice(label="red", description="As fire."), Choice(label="blue")),
    free_text=False,
)
WHERE = Question(text="Where to?", default=("home",))


@pytest.fixture
def ask(surroundings: dict[str, str], tmp_path: Path) -> Callable[..., list[str]]:
    """Has a new task ask these questions, and parks it; their ids."""

    def asking(*questions: Question, hold: bool = False) -> list[str]:
        async def work() -> list[str]:
            house = a_house(open_database(None, tmp_path / "state"))
            try:
                run = (await house.store.add(a_task(prompt="Paint it."), a_brief(), claim=Claim("w", 4e9))).run
                assert isinstance(run, Run)
                asked = [await house.questions.ask(run, each.text, each, QuestionRules()) for each in questions]
                if not hold:
                    await house.store.settle(run, parked())
                return [one.id for one in asked]
            finally:
                await house.db.close()

        return asyncio.run(work())

    return asking


Ask = Callable[..., list[str]]


def shown(agents: Agents, question_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(agents("questions", "show", question_id, "--json").stdout)
    return document


def test_list_has_the_newest_first_and_filters(agents: Agents, ask: Ask) -> None:
    first, second = ask(WHICH, WHERE)
    [third] = ask(WHERE)
    header, *rows = agents("questions", "list").stdout.splitlines()
    assert header.split() == ["id", "status", "skill", "asks", "asked", "question"]
    assert [row.split()[0] for row in rows] == [third, second, first]
    assert rows[-1].split()[1:4] == ["pending", "noop", "caller"]
    assert rows[-1].endswith("Which colour?")
    agents("questions", "answer", second, "--cancel")
    found = json.loads(agents("questions", "list", "--status", "answered", "--json").stdout)
    assert [(one["id"], one["answer"]["action"]) for one in found] == [(second, "cancel")]
    assert len(json.loads(agents("questions", "list", "--task", found[0]["task_id"], "--limit", "9", "--json").stdout)) == 2
    none = agents("questions", "list", "--status", "expired")
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "There are no such questions.\n")


def test_show_says_all_that_it_takes_to_answer(agents: Agents, ask: Ask) -> None:
    [question_id] = ask(WHICH)
    lines = agents("questions", "show", question_id[-9:]).stdout.splitlines()
    assert "question  Colour: Which colour?" in lines
    assert "choice    red: As fire." in lines
    assert "choice    blue" in lines
    assert any(line.startswith("task") and line.endswith("(noop, input_required): Paint it.") for line in lines)
    document = shown(agents, question_id)
    assert (document["task"]["task"], document["events"][-1]["type"]) == ("Paint it.", "parked")


def test_an_answer_puts_the_task_into_the_queue_and_says_who_goes_on(agents: Agents, ask: Ask) -> None:
    which, where = ask(WHICH, WHERE)
    first = agents("questions", "answer", which[-9:], "--choice", "blue")
    assert (first.exit_code, first.stdout) == (0, f"Question {which} is answered.\n")
    assert "waits for 1 more" in first.stderr
    second = agents("questions", "answer", where, "--accept", "--text", "there")
    assert "goes on as soon as a server takes it up" in second.stderr
    answer = shown(agents, which)["answer"]
    assert (answer["choices"], answer["by"], answer["name"]) == (["blue"], "human", author())
    task_id = shown(agents, where)["task_id"]
    task = json.loads(agents("tasks", "show", task_id, "--json").stdout)
    assert (task["status"], task["questions"], task["attempt"]) == ("queued", 0, 1)
    lines = agents("tasks", "show", task_id).stdout.splitlines()
    assert f"asked     Which colour? blue (by human, {author()})" in lines


def test_a_run_that_still_waits_goes_on_at_once(agents: Agents, ask: Ask) -> None:
    [question_id] = ask(WHERE, hold=True)
    answered = agents("questions", "answer", question_id, "--decline")
    assert (answered.exit_code, answered.stderr) == (0, "")
    assert shown(agents, question_id)["task"]["status"] == "running"


def test_the_same_answer_again_is_taken_and_another_is_refused(agents: Agents, ask: Ask) -> None:
    [question_id] = ask(WHICH)
    assert [agents("questions", "answer", question_id, "--choice", "red").exit_code for _ in range(2)] == [0, 0]
    other = agents("questions", "answer", question_id, "--choice", "blue")
    assert other.exit_code == 1
    assert "answered already, by human: red" in other.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "Give one of"),
        (("--accept",), 2, "Give a text or choices"),
        (("--decline", "--cancel"), 2, "Give one of"),
        (("--decline", "--text", "no"), 2, "Give one of"),
        (("--choice", "green"), 2, "does not offer 'green'"),
        (("--text", "green"), 2, "takes its choices only"),
    ],
)
def test_refusals(agents: Agents, ask: Ask, words: tuple[str, ...], code: int, message: str) -> None:
    [question_id] = ask(WHICH)
    refused = agents("questions", "answer", question_id, *words)
    assert refused.exit_code == code
    assert message in refused.stderr
    assert shown(agents, question_id)["state"] == "pending"


def test_a_question_that_is_not_there(agents: Agents, ask: Ask) -> None:
    first = ask(WHICH, WHERE)[0]
    assert agents("questions", "show", "0" * 26).exit_code == 1
    assert "2 of the 200 newest questions have an id" in agents("questions", "show", first[:3]).stderr
    assert "None of the 200 newest questions has an id" in agents("questions", "answer", "uuuu", "--decline").stderr


def test_watch_tells_what_was_asked_and_answered(agents: Agents, ask: Ask) -> None:
    which, where = ask(WHICH, WHERE)
    agents("questions", "answer", which, "--choice", "red")
    task_id = shown(agents, where)["task_id"]
    agents("tasks", "cancel", task_id)
    told = agents("tasks", "watch", task_id).stderr.splitlines()
    assert told[1:5] == [
        "asks: Which colour? [red | blue]",
        "asks: Where to?",
        "waits for an answer; its process has ended",
        "answered by human: red",
    ]
    assert EventType.CANCELLED.value in told[-1]
