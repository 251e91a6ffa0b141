"""Tasks that reach their budget: the same in every place."""

import pytest

from tests.stories.house import House, Json
from tests.stories.test_questions import answered, asked


def at_its_limit(house: House) -> tuple[Json, Json]:
    """A task that has spent all that it may, and the question that it asks."""
    task = house.submit("spender", "Think it over")
    [question] = asked(house, task)
    house.first(task, "parked")
    assert not house.processes(task)
    assert question["budget"]["whose"] == "task"
    assert question["budget"]["spent_usd"] > question["budget"]["limit_usd"] == 0.1
    return task, question


def test_a_task_that_reaches_its_budget_asks_and_goes_on_where_it_was_once_that_is_raised(spending: House) -> None:
    task, question = at_its_limit(spending)
    answered(spending, question, text="2.50")
    found = spending.ended(task)
    assert found["status"] == "completed", found["error"]
    assert found["result"]["text"].endswith("It was worth it.")
    assert found["budget_usd"] == pytest.approx(question["budget"]["spent_usd"] + 2.5)
    assert found["usage"]["cost_usd"] >= question["budget"]["spent_usd"]
    kinds = [event["type"] for event in spending.events(task)]
    assert (kinds.count("budget_raised"), kinds.count("question_asked"), kinds.count("started")) == (1, 1, 2)


def test_a_task_that_is_not_to_spend_more_fails_and_says_why(spending: House) -> None:
    task, question = at_its_limit(spending)
    answered(spending, question, choices=["Stop"])
    found = spending.ended(task)
    assert (found["status"], found["error"]["type"]) == ("failed", "budget-exhausted")
    assert "It was not raised." in found["error"]["detail"]
