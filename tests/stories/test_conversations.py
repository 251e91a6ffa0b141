"""What is said around tasks, and what they are given of it: the same in every place."""

import secrets
from typing import Any

import pytest

from tests.stories.house import House, Json


@pytest.fixture
def name() -> str:
    """A conversation that no other story has."""
    return f"story-{secrets.token_hex(4)}"


def said(house: House, name: str) -> list[Json]:
    answer = house.web.get(f"/api/conversations/{name}/messages")
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


def ask(house: House, task: str, **more: Any) -> Json:
    return house.submit("listener", task, prefer="wait=60", **more)


def heard(task: Json) -> list[tuple[str, str]]:
    assert task["status"] == "completed", task["error"]
    return [(message["role"], message["text"]) for message in task["result"]["data"]]


def test_a_tasks_ending_is_in_its_conversation_and_the_next_task_knows_what_was_said(house: House, name: str) -> None:
    first = ask(house, "Listen.", conversation=name)
    assert heard(first) == []
    house.web.post(f"/api/conversations/{name}/messages", json={"text": "By hand: ä 🙂"})
    failed = ask(house, "fail", conversation=name)
    assert failed["status"] == "failed"
    told = [
        ("user", "Listen."),
        ("assistant", f"@root Task {first['id']} completed (exit 0).\n\nHeard 0 messages."),
        ("user", "By hand: ä 🙂"),
        ("user", "fail"),
        ("assistant", f"@root Task {failed['id']} failed (exit 1): It was told to."),
    ]
    assert [(message["role"], message["text"]) for message in said(house, name)] == told
    assert heard(ask(house, "Listen again.", conversation=name)) == told
    assert heard(ask(house, "Listen elsewhere.")) == []
    listed = house.web.get("/api/conversations", params={"search": "heard 5 MESSAGES"}).json()["items"]
    assert name in [conversation["name"] for conversation in listed]


def test_a_task_that_is_lost_and_begun_again_says_its_prompt_and_its_ending_once(house: House, name: str) -> None:
    task = house.submit("slow", "100", conversation=name)
    house.lose(task)
    assert house.ended(task)["attempt"] == 2
    assert [message["role"] for message in said(house, name)] == ["user", "assistant"]


def test_a_conversation_is_looked_after_at_the_database_too(house: House, name: str) -> None:
    task = ask(house, "Listen.", conversation=name)
    assert "Heard 0 messages." in house.place.agents("conversations", "show", name)
    house.place.agents("conversations", "rename", name, f"{name}-2")
    assert house.show(task["id"])["conversation"] == f"{name}-2"
    written = house.web.get(f"/api/conversations/{name}-2/export", params={"format": "markdown"}).text
    assert written == house.place.agents("conversations", "export", f"{name}-2")
    assert house.web.delete(f"/api/conversations/{name}-2").status_code == 204
    assert name not in house.place.agents("conversations", "list")
