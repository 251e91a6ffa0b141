"""What is taught at home goes up, what is learned in the cloud comes home: the same in every place."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stories.house import House, Json, entering, eventually
from tests.stories.laptop import Laptop
from tests.stories.local import served

AWS = "AKIA" + "IOSFODNN7EXAMPLE"


def a_fact(words: str) -> str:
    """One that no other story tells."""
    return f"{words} ({secrets.token_hex(4)})"


@pytest.fixture
def laptop(house: House, tmp_path: Path) -> Laptop:
    return Laptop.bought(tmp_path / "laptop", house.place.shared_memory)


def known(house: House, skill: str = "apprentice") -> dict[str, str]:
    """Text → id of what the shared memory has, as the place shows it."""
    found: dict[str, str] = {}
    cursor = None
    while True:
        params = {"skill": skill, "limit": "200", **({"cursor": cursor} if cursor else {})}
        answer = house.web.get("/api/memory", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found |= {entry["text"]: entry["id"] for entry in page["items"]}
        if not (cursor := page["next"]):
            return found


def ask(house: House, task: str, skill: str = "apprentice") -> Json:
    done = house.submit(skill, task, prefer="wait=60")
    assert done["status"] == "completed", done["error"]
    return done


def given(task: Json) -> dict[str, str]:
    """Text → id of what the task had of its memory."""
    return {entry["text"]: entry["id"] for entry in task["result"]["data"]}


def warnings(house: House, task: Json) -> dict[str, str]:
    """Code → message."""
    found = [event["data"] for event in house.events(task) if event["type"] == "warning"]
    return {data["code"]: data["message"] for data in found}


def test_what_is_written_at_home_is_in_a_tasks_brief_and_what_the_task_learns_comes_home(house: House, laptop: Laptop) -> None:
    taught, learned = a_fact("the client's videos are 24 fps"), a_fact("the client wants MP4")
    laptop.file.write_text(f"# Our clients\n\nNotes by hand.\n\n- {taught}\n")
    laptop.sync()
    task = ask(house, f"add {learned}")
    assert taught in given(task)
    assert [lesson["text"] for lesson in task["result"]["remembered"]] == [learned]
    recalled = next(event for event in house.events(task) if event["type"] == "recalled")
    assert taught in [entry["text"] for entry in recalled["data"]["entries"]]
    laptop.syncs_until(taught, learned)
    assert laptop.file.read_text().startswith("# Our clients\n\nNotes by hand.\n\n")
    entry = house.web.get(f"/api/memory/apprentice/{laptop.lines[learned]}").json()
    assert (entry["author"], entry["source"]) == ("root", f"task:{task['id']}")


def test_a_task_corrects_and_forgets_what_it_was_given(house: House, laptop: Laptop) -> None:
    wrong, right, stale = a_fact("use bcrypt"), a_fact("use argon2"), a_fact("Bob is on holiday")
    laptop.file.write_text(f"- {wrong}\n- {stale}\n")
    laptop.sync()
    ids = given(ask(house, "nothing"))
    ask(house, f"correct {ids[wrong]} {right}\nforget {ids[stale]}")
    laptop.syncs_until(right)
    assert laptop.lines[right] == ids[wrong]
    assert not {wrong, stale} & laptop.lines.keys()
    assert not {wrong, stale} & given(ask(house, "nothing")).keys()


def test_what_a_caller_writes_over_http_comes_home_and_is_deleted_from_there(house: House, laptop: Laptop) -> None:
    fact = a_fact("deploys are on Mondays")
    answer = house.web.post("/api/memory", json={"skill": "apprentice", "text": fact})
    assert answer.status_code == 201, answer.text
    laptop.syncs_until(fact)
    laptop.delete(fact)
    laptop.sync()
    assert fact not in known(house)
    assert house.web.get(answer.headers["Location"]).status_code == 404


def test_an_entry_that_two_laptops_and_a_task_change_is_kept_three_times_until_a_person_decides(
    house: House, laptop: Laptop, tmp_path: Path
) -> None:
    other = Laptop.bought(tmp_path / "other", house.place.shared_memory)
    fact = a_fact("the budget is 10")
    at_home, elsewhere, in_the_cloud = (fact.replace("10", number) for number in ("20", "30", "40"))
    laptop.file.write_text(f"- {fact}\n")
    laptop.sync()
    other.sync()
    laptop.edit(fact, at_home)
    other.edit(fact, elsewhere)
    ask(house, f"correct {given(ask(house, 'nothing'))[fact]} {in_the_cloud}")
    eventually(lambda: in_the_cloud in known(house))
    assert at_home in laptop.sync(code=1)
    assert elsewhere in other.sync(code=1)
    assert "2 conflicts stand" in laptop.sync(code=1)
    versions = {at_home, elsewhere, in_the_cloud}
    for lines in (laptop.lines, other.lines, known(house)):
        assert versions <= lines.keys()
    for unwanted in (at_home, elsewhere):
        laptop.delete(unwanted)
    laptop.sync()
    other.sync()
    for lines in (laptop.lines, other.lines, known(house)):
        assert versions & lines.keys() == {in_the_cloud}


def test_what_a_novice_learns_waits_until_a_person_accepts_it(house: House, tmp_path: Path) -> None:
    laptop = Laptop.bought(tmp_path / "laptop", house.place.shared_memory, "novice")
    good, bad = a_fact("tests come first"), a_fact("tests are optional")
    task = ask(house, f"add {good}\nadd {bad}", "novice")
    assert all(event["data"]["held"] for event in house.events(task) if event["type"] == "remembered")
    held = {
        item["text"]: item["number"]
        for item in house.web.get("/api/memory/lessons").json()["items"]
        if item["task_id"] == task["id"]
    }
    assert held.keys() == {good, bad}
    for text, action in {good: "accept", bad: "reject"}.items():
        assert house.web.post(f"/api/memory/lessons/{held[text]}", json={"action": action}).status_code == 200
    laptop.syncs_until(good)
    assert bad not in laptop.lines


def test_a_secret_stays_where_it_was_written(house: House, laptop: Laptop) -> None:
    fact, secret = a_fact("the key lies in the vault"), f"the key is {AWS}"
    laptop.file.write_text(f"- {fact}\n- {secret}\n")
    assert "AWS" in laptop.sync()
    assert fact in known(house)
    assert not [text for text in known(house) if AWS in text]
    task = ask(house, f"add {secret}")
    assert "secret" in warnings(house, task)["not_remembered"]
    assert task["result"]["remembered"] == []
    assert AWS not in str([event for event in house.events(task) if event["type"] != "submitted"])
    assert secret in laptop.lines


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[tuple[House, Callable[[bool], None]]]:
    """A server with a shared memory of its own, and what cuts it off from that, or ends it."""
    from tests.qdrant_double import Double, Fault, in_the_background

    double = Double()

    def cut_off(away: bool) -> None:
        for faults in (double.faults, double.faults_of_reads):
            faults.clear()
            faults.extend([Fault.BUSY] * (1000 if away else 0))

    with (
        in_the_background(double) as url,
        served(tmp_path / "lonely", shared_memory={"QDRANT_URL": url}) as server,
        entering(server) as house,
    ):
        yield house, cut_off


def test_without_the_shared_memory_tasks_run_and_what_they_learn_arrives_later(
    lonely: tuple[House, Callable[[bool], None]], tmp_path: Path
) -> None:
    house, cut_off = lonely
    laptop = Laptop.bought(tmp_path / "laptop", house.place.shared_memory)
    before, meanwhile, after = a_fact("before"), a_fact("meanwhile"), a_fact("after")
    laptop.file.write_text(f"- {before}\n")
    laptop.sync()
    cut_off(True)
    task = ask(house, f"add {meanwhile}")
    assert given(task) == {}
    assert "the task runs without it" in warnings(house, task)["memory_unavailable"]
    answer = house.web.get("/api/memory")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    unchanged = laptop.file.read_bytes()
    laptop.sync(code=5)
    assert laptop.file.read_bytes() == unchanged
    cut_off(False)
    assert before in given(ask(house, f"add {after}"))
    laptop.syncs_until(before, meanwhile, after)
