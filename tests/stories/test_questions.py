"""Tasks that ask, and go on when they are answered; and who is told: the same in every place."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx
import pytest

from tests.background import in_a_thread
from tests.receiver import SECRET, Receiver, receiving
from tests.stories.house import PATIENCE, House, Json, entering, eventually
from tests.stories.local import LocalServer

COLOUR = "Which colour!"
HOUR = 3600.0


def asked(house: House, task: Json, number: int = 1) -> list[Json]:
    """What the task has asked, once there are so many, in the order of their texts: at once is in any order."""
    found: list[Json] = []
    for event in house.events(task):
        if event["type"] == "question_asked":
            found.append(event["data"])
        if len(found) == number:
            break
    return sorted(found, key=lambda question: question["text"])


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
        house.first(task, "parked")
        assert not house.processes(task)
        answered(house, colour, choices=["red"])
        found = house.ended(task)
        assert (found["status"], found["result"]["text"], found["attempt"]) == ("completed", "red", 2)
        assert [event["type"] for event in house.events(task)].count("question_asked") == 1


def test_a_parked_task_costs_no_process_and_goes_on_in_another(house: House) -> None:
    task = house.submit("patient", f"{COLOUR}\nFrom where?")
    where, colour = asked(house, task, 2)
    house.first(task, "parked")
    assert not house.processes(task)
    answered(house, colour, choices=["red"])
    house.lose(task)
    assert house.show(task["id"])["status"] == "input_required"
    answered(house, where, text="home")
    found = house.ended(task)
    assert (found["status"], found["result"]["text"], found["attempt"]) == ("completed", "red; home", 2)
    workers = [event["data"]["text"] for event in house.events(task) if event["type"] == "text"]
    assert len(set(workers)) == 2
    assert [event["type"] for event in house.events(task)].count("question_asked") == 2


def test_claude_code_goes_on_where_it_was_parked_with_the_files_that_it_had(advising: House) -> None:
    task = advising.submit("advisor", "Choose a database")
    [database] = asked(advising, task)
    advising.first(task, "parked")
    assert not advising.processes(task)
    answered(advising, database, choices=["SQLite"])
    found = advising.ended(task)
    assert (found["status"], found["attempt"]) == ("completed", 2), found["error"]
    assert found["result"]["text"].endswith("One file is enough.")
    assert [artifact["name"] for artifact in found["result"]["artifacts"]] == ["notes.txt"]
    used = [event["data"]["name"] for event in advising.events(task) if event["type"] == "tool_call"]
    assert used == ["Write", "AskUserQuestion", "Read"]


def test_what_nobody_answers_is_answered_by_the_default(house: House) -> None:
    found = house.ended(house.submit("hasty", COLOUR))
    assert (found["status"], found["result"]["text"], found["result"]["data"]["q0"]["by"]) == ("completed", "blue", "default")


def test_what_nobody_answers_and_has_no_default_fails_its_task(house: House) -> None:
    found = house.ended(house.submit("nobody", COLOUR))
    assert (found["status"], found["error"]["type"]) == ("failed", "question-expired")
    assert COLOUR in found["error"]["detail"]


# Who is told


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def there(receiver: Receiver) -> AbstractContextManager[str]:
    """Where it is told, for as long as this lasts."""
    return in_a_thread(receiving(receiver))


def told(receiver: Receiver, number: int) -> list[Json]:
    """What it has been told, once it was so often."""
    eventually(lambda: len(receiver.got) >= number)
    return [got.told for got in receiver.got]


def passed_on(house: House, skill: str, url: str) -> tuple[Json, Json]:
    """A task, and its question, which its caller did not answer in time: the callback's people are asked now."""
    callback = {"url": url, "secret": SECRET}
    task = house.submit(skill, COLOUR, callback=callback, questions={"ask": ["caller", "human"], "deadline": HOUR})
    [colour] = asked(house, task)
    assert colour["to"] == "caller"
    house.make_due(task)
    assert house.first(task, "question_passed_on")["to"] == "human"
    return task, colour


def test_what_the_caller_leaves_open_is_asked_elsewhere_and_answered_there(house: House, receiver: Receiver) -> None:
    with there(receiver) as url:
        task, colour = passed_on(house, "patient", url)
        [asks] = told(receiver, 1)
        assert (asks["type"], asks["data"]["id"]) == ("question.asked", colour["id"])
        answered(house, colour, choices=["red"])
        assert house.ended(task)["result"]["text"] == "red"
        _, ended = told(receiver, 2)
        assert (ended["type"], ended["data"]["status"]) == ("task.completed", "completed")


@pytest.mark.parametrize(
    ("skill", "status", "last"), [("hasty", "completed", "question_answered"), ("nobody", "failed", "question_expired")]
)
def test_after_the_last_of_those_who_are_asked_the_default_counts_or_the_task_fails(
    house: House, receiver: Receiver, skill: str, status: str, last: str
) -> None:
    with there(receiver) as url:
        task, _ = passed_on(house, skill, url)
        told(receiver, 1)
        house.make_due(task)
        assert house.ended(task)["status"] == status
        _, ended = told(receiver, 2)
        assert ended["type"] == f"task.{status}"
        kinds = [event["type"] for event in house.events(task) if event["type"].startswith("question")]
        assert kinds == ["question_asked", "question_passed_on", last]


def test_a_callback_that_fails_is_told_again_until_it_takes_it(house: House, receiver: Receiver) -> None:
    receiver.answers = [500, 503]
    with there(receiver) as url:
        task = house.submit("slow", "0", prefer="wait=60", callback={"url": url, "secret": SECRET})
        for attempts, last in [(1, 500), (2, 503), (3, 204)]:
            state = "delivered" if last == 204 else "waiting"
            stands = {"url": url, "state": state, "attempts": attempts, "last_status": last}
            eventually(lambda stands=stands: bool(house.show(task["id"])["callback"] == stands))  # type: ignore[misc]  # mypy#15459
            house.make_due(task)
        assert house.show(task["id"])["callback"]["attempts"] == 3
    first, *others = receiver.got
    assert len(others) == 2
    assert {(got.headers["webhook-id"], got.body) for got in others} == {(first.headers["webhook-id"], first.body)}
    assert (first.told["type"], first.told["data"]["id"]) == ("task.completed", task["id"])


def waiting_for_me(house: House, task: Json, **query: str) -> list[tuple[str, str, str]]:
    items = house.web.get("/api/inbox", params={"limit": "200", **query}).json()["items"]
    return [(entry["kind"], entry["status"], entry["summary"]) for entry in items if entry["task"] == task["id"]]


def test_who_was_away_is_told_of_questions_and_ends_until_they_have_seen_it(house: House) -> None:
    task = house.submit("patient", COLOUR, inbox=True)
    [colour] = asked(house, task)
    assert waiting_for_me(house, task, peek="true") == [("question", "input_required", COLOUR)]
    answered(house, colour, choices=["blue"])
    house.ended(task)
    ended = [("ended", "completed", "blue")]
    assert [waiting_for_me(house, task) for _ in range(2)] == [ended, ended]
    assert house.web.post("/api/inbox/seen", json={"ids": [task["id"]]}).json() == {"seen": 1}
    assert waiting_for_me(house, task) == []
    quiet = house.submit("slow", "0", prefer="wait=60")
    assert waiting_for_me(house, quiet) == []


def test_who_listens_is_told_at_once(house: House) -> None:
    with house.web.stream("GET", "/api/inbox/events") as stream, ThreadPoolExecutor() as pool:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        task = house.submit("patient", COLOUR, inbox=True)
        frames = (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
        mine = (frame for frame in frames if frame["task"] == task["id"])
        question = pool.submit(next, mine).result(PATIENCE)
        assert (question["kind"], question["question"]["text"]) == ("question", COLOUR)
        answered(house, question, choices=["red"])
        ended = pool.submit(next, mine).result(PATIENCE)
        assert (ended["kind"], ended["id"], ended["summary"]) == ("ended", task["id"], "red")
    assert house.web.post("/api/inbox/seen", json={"ids": [task["id"]]}).json() == {"seen": 1}
