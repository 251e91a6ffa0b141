"""Tasks that ask, and go on when they are answered: the same in every place. And on a server that holds none while it waits."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.stories.conftest import new_database
from tests.stories.house import House, Json, entering
from tests.stories.local import LocalServer, served

HASTY = """---
name: {name}
description: As asker, but its questions wait for nobody.
engine: script
run: main.py
asks: true
timeout: 60
questions:
  ask: [human]
{default}---
"""
MORE = {
    "hasty": HASTY.format(name="hasty", default="  default: blue\n"),
    "nobody": HASTY.format(name="nobody", default=""),
}
HOLDS_NOTHING = {"QUESTION_HOLD_SECONDS": "0"}
COLOUR = "Which colour!"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def parking(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that holds no process while a task waits, and has skills whose questions are closed at once."""
    folder = tmp_path_factory.mktemp("parking")
    with ExitStack() as open_now:
        url = None
        if request.param == "postgres":
            url = open_now.enter_context(new_database(request.getfixturevalue("postgres_url"), "parking"))
        server = open_now.enter_context(served(folder, url, settings=HOLDS_NOTHING, more_skills=MORE))
        yield open_now.enter_context(entering(server))


def asked(house: House, task: Json, number: int = 1) -> list[Json]:
    """What the task has asked, once there are so many, in the order of their texts: at once is in any order."""
    found: list[Json] = []
    for event in house.events(task):
        if event["type"] == "question_asked":
            found.append(event["data"])
        if len(found) == number:
            break
    return sorted(found, key=lambda question: question["text"])


def parked(house: House, task: Json) -> None:
    assert any(event["type"] == "parked" for event in house.events(task))


def answer(house: House, question: Json, **said: object) -> httpx.Response:
    return house.web.post(f"/api/questions/{question['id']}/answer", json={"action": "accept", **said})


def answered(house: House, question: Json, **said: object) -> None:
    response = answer(house, question, **said)
    assert response.status_code == 200, response.text


def test_a_task_asks_and_goes_on_with_the_answers(house: House) -> None:
    task = house.submit("asker", f"{COLOUR}\nFrom where?\nWhy?")
    where, colour, why = asked(house, task, 3)
    assert [choice["label"] for choice in colour["choices"]] == ["red", "blue"]
    assert house.show(task["id"])["status"] == "input_required"
    answered(house, why, action="decline", text="I would rather not.")
    answered(house, colour, choices=["blue"])
    assert house.show(task["id"])["status"] == "input_required"
    answered(house, where, text="home")
    found = house.ended(task)
    assert (found["status"], found["result"]["text"]) == ("completed", "blue; home; I would rather not.")
    said = {"type": "answer", "id": "q2", "action": "decline", "text": "I would rather not.", "choices": [], "by": "caller"}
    assert found["result"]["data"]["q2"] == said


def test_a_task_is_held_where_it_is_answered_soon(house: House) -> None:
    task = house.submit("asker", COLOUR)
    [colour] = asked(house, task)
    answered(house, colour, choices=["red"])
    found = house.ended(task)
    kinds = [event["type"] for event in house.events(task)]
    assert found["result"]["text"] == "red"
    assert found["attempt"] == (2 if "parked" in kinds else 1)
    assert kinds.count("question_asked") == 1


def test_what_is_asked_is_listed_with_its_task(house: House) -> None:
    task = house.submit("asker", COLOUR)
    [colour] = asked(house, task)
    [listed] = house.web.get("/api/questions", params={"task": task["id"]}).json()["items"]
    assert (listed["id"], listed["text"]) == (colour["id"], COLOUR)
    answered(house, colour, choices=["red"])
    house.ended(task)


@pytest.mark.parametrize("said", [{"choices": ["green"]}, {"text": "green"}, {"choices": ["red", "blue"]}, {}])
def test_an_answer_that_does_not_fit_leaves_the_question_open(house: House, said: Json) -> None:
    task = house.submit("asker", COLOUR)
    [colour] = asked(house, task)
    refused = answer(house, colour, **said)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-answer")
    answered(house, colour, choices=["blue"])
    assert house.ended(task)["result"]["text"] == "blue"


def test_the_first_of_two_answers_wins_and_the_second_is_told_so(house: House) -> None:
    task = house.submit("asker", COLOUR)
    [colour] = asked(house, task)
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda label: answer(house, colour, choices=[label]), ["red", "blue"]))
    assert sorted(response.status_code for response in both) == [200, 409]
    label = next(label for label, response in zip(["red", "blue"], both, strict=True) if response.status_code == 200)
    [lost] = [response.json() for response in both if response.status_code == 409]
    assert (lost["type"], lost["answer"]["choices"]) == ("/problems/already-answered", [label])
    assert house.ended(task)["result"]["text"] == label


def test_a_task_that_waits_is_cancelled(house: House) -> None:
    task = house.submit("asker", COLOUR)
    [colour] = asked(house, task)
    assert house.web.post(f"/api/tasks/{task['id']}/cancel").status_code in {200, 202}
    assert house.ended(task)["status"] == "cancelled"
    assert not house.processes(task)
    assert answer(house, colour, choices=["red"]).status_code == 409


def test_a_held_task_whose_server_is_killed_is_answered_in_the_next(local: LocalServer) -> None:
    with entering(local) as house:
        task = house.submit("asker", COLOUR)
        [colour] = asked(house, task)
        house.lose(task)
        parked(house, task)
        assert not house.processes(task)
        answered(house, colour, choices=["red"])
        found = house.ended(task)
        assert (found["status"], found["result"]["text"], found["attempt"]) == ("completed", "red", 2)
        assert [event["type"] for event in house.events(task)].count("question_asked") == 1


def test_a_parked_task_costs_no_process_and_goes_on_in_another_server(parking: House) -> None:
    task = parking.submit("asker", f"{COLOUR}\nFrom where?")
    where, colour = asked(parking, task, 2)
    parked(parking, task)
    assert not parking.processes(task)
    answered(parking, colour, choices=["red"])
    parking.lose(task)
    assert parking.show(task["id"])["status"] == "input_required"
    answered(parking, where, text="home")
    found = parking.ended(task)
    assert (found["status"], found["result"]["text"], found["attempt"]) == ("completed", "red; home", 2)
    workers = [event["data"]["text"] for event in parking.events(task) if event["type"] == "text"]
    assert len(set(workers)) == 2
    assert [event["type"] for event in parking.events(task)].count("question_asked") == 2


def test_what_nobody_answers_is_answered_by_the_default(parking: House) -> None:
    found = parking.ended(parking.submit("hasty", COLOUR))
    assert (found["status"], found["result"]["text"], found["result"]["data"]["q0"]["by"]) == ("completed", "blue", "default")


def test_what_nobody_answers_and_has_no_default_fails_its_task(parking: House) -> None:
    found = parking.ended(parking.submit("nobody", COLOUR))
    assert (found["status"], found["error"]["type"]) == ("failed", "question-expired")
    assert COLOUR in found["error"]["detail"]
