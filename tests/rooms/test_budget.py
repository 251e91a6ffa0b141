"""What is left, what is asked where nothing is, and what an answer means."""

import pytest

from agents.src.errors import InvalidAnswer
from agents.src.tasks import Action, Answer, Asked, Budget, Question, QuestionRules, Turn, Whose, amount_of, dollars
from agents.src.tasks.budget import tightest
from agents.src.tasks.budget_question import key_of, limit_after, question_of, rules_for, stopped
from tests.building import NOON

DAY = "2027-01-15"
TASK = Budget(whose=Whose.TASK, limit_usd=1.0, spent_usd=1.02)
RAISED = TASK.model_copy(update={"limit_usd": 2.5})
TOKEN = Budget(whose=Whose.TOKEN, limit_usd=5.0, spent_usd=5.0, day=DAY)


def said(text: str = "", *choices: str, action: Action = Action.ACCEPT) -> Answer:
    return Answer(action=action, text=text, choices=choices)


def asked(budget: Budget, answer: Answer | None) -> Asked:
    return Asked("q", "t", "planning", "ada", "k", question_of(budget), (Turn.CALLER,), None, 0, NOON, None, answer=answer)


@pytest.mark.parametrize(
    ("limit", "spent", "left", "reached"),
    [
        (1, 0, 1, False), (1, 0.9, 0.1, False), (1, 1, 0, True), (1, 1.8, 0, True), (0.3, 0.1 + 0.2, 0, True),
        (1, 0.999_999_9, 0.000_000_1, True), (0.000_001, 0, 0.000_001, False),
    ],
)  # fmt: skip
def test_what_is_left(limit: float, spent: float, left: float, reached: bool) -> None:
    budget = Budget(whose=Whose.TASK, limit_usd=limit, spent_usd=spent)
    assert (budget.left_usd, budget.is_reached) == (left, reached)


def test_the_limit_that_leaves_the_least_counts() -> None:
    roomy = Budget(whose=Whose.DAY, limit_usd=100.0, spent_usd=50.0, day=DAY)
    close = Budget(whose=Whose.TOKEN, limit_usd=5.0, spent_usd=4.5, day=DAY)
    assert tightest([roomy, close]) is close
    assert tightest([close, roomy, TASK]) is TASK
    assert tightest([]) is None


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0, "$0.00"), (1, "$1.00"), (2.5, "$2.50"), (1.005, "$1.00"), (1234.5, "$1234.50"), (0.125, "$0.125"), (0.07, "$0.07"),
        (0.0125, "$0.0125"), (0.0015, "$0.0015"), (0.000_002, "$0.000002"),
    ],
)  # fmt: skip
def test_dollars_are_written_the_more_exact_the_fewer_they_are(usd: float, text: str) -> None:
    assert dollars(usd) == text


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2.50", 2.5), ("$2.50", 2.5), (" $ 2.5 ", 2.5), ("3", 3), ("3 USD", 3), ("3$", 3), ("1 dollar", 1), (".5", 0.5),
        ("999999.999999", 999999.999999),
        ("", None), ("0", None), ("0.00", None), ("-1", None), ("1,000", None), ("1e9", None), ("nan", None), ("five", None),
        ("1000000", None), ("2.50 or so", None), ("1.0000001", None), ("²", None), ("Stop", None),
    ],
)  # fmt: skip
def test_amounts_are_read(text: str, amount: float | None) -> None:
    assert amount_of(text) == amount


def test_the_question_says_what_was_spent_and_offers_to_raise_it_or_to_stop() -> None:
    question = question_of(TASK)
    assert question.text == "It has spent $1.02 of the $1.00 it may spend (the task's budget). Raise it, or stop?"
    assert [choice.label for choice in question.choices] == ["Raise by $1.00", "Raise by $5.00", "Raise by $10.00", "Stop"]
    assert question.choices[0].description.startswith("To $2.02 in all")
    assert (question.default, question.budget, question.free_text, question.several) == (("Stop",), TASK, True, False)


def test_where_it_is_not_theirs_to_raise_the_question_says_so() -> None:
    text = question_of(TOKEN).text
    assert "5.00 of the $5.00" in text
    assert DAY in text
    assert text.endswith("Only the root token may raise it. Raise it, or stop?")


def test_the_smallest_budget_can_be_asked_for_too() -> None:
    question = question_of(Budget(whose=Whose.TASK, limit_usd=0.000_000_1, spent_usd=1.0))
    assert [choice.label for choice in question.choices] == ["Raise by $0.000001", "Stop"]


@pytest.mark.parametrize(
    ("budget", "key"),
    [
        (TASK, "budget:task:1.0"),
        (TOKEN, f"budget:token:{DAY}:5.0"),
        (TASK.model_copy(update={"limit_usd": 2.5}), "budget:task:2.5"),
    ],
)
def test_the_key_names_the_limit_that_was_reached(budget: Budget, key: str) -> None:
    assert key_of(budget) == key
    assert key_of(budget.model_copy(update={"spent_usd": 99.0})) == key


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        (said("", "Raise by $1.00"), 2.02), (said("", "Raise by $10.00"), 11.02), (said("$2.50"), 3.52), (said(".5 usd"), 1.52),
        (said("", "Stop"), None), (said(action=Action.DECLINE), None), (said(action=Action.CANCEL), None),
        (said("5", action=Action.DECLINE), None), (None, None),
    ],
)  # fmt: skip
def test_an_answer_says_how_much_more_may_be_spent(answer: Answer | None, limit: float | None) -> None:
    assert limit_after(asked(TASK, answer)) == limit


def test_what_another_question_is_answered_raises_nothing() -> None:
    other = Asked("q", "t", "s", "ada", "k", Question(text="How many?"), (), None, 0, NOON, None, answer=said("5"))
    assert limit_after(other) is None


@pytest.mark.parametrize("text", ["a lot", "-1", "0", "1e9", "Stop it"])
def test_words_that_are_no_amount_are_no_answer(text: str) -> None:
    with pytest.raises(InvalidAnswer, match=r"no amount; say one such as 2\.50, or choose 'Stop'"):
        said(text).checked(question_of(TASK))
    assert said(text).checked(Question(text="How many?"))


def test_words_beside_a_choice_are_a_remark() -> None:
    answer = said("it is worth it", "Raise by $1.00")
    assert limit_after(asked(TASK, answer.checked(question_of(TASK)))) == 2.02


def test_the_default_is_to_stop() -> None:
    default = question_of(TASK).answered_by_default()
    assert default
    assert limit_after(asked(TASK, default)) is None


def test_no_model_is_asked_and_nothing_of_the_skills_own_questions_is_taken_over() -> None:
    rules = QuestionRules(hold=5, deadline=60.0, ask=(Turn.RESPONDER, Turn.HUMAN), free_text=False, default=("yes",))
    assert rules_for(rules) == QuestionRules(deadline=60.0, ask=(Turn.HUMAN, Turn.CALLER))
    assert rules_for(QuestionRules(deadline=None, ask=(Turn.RESPONDER,))).ask == (Turn.CALLER, Turn.HUMAN)
    assert rules_for(QuestionRules(ask=(Turn.CALLER,))).ask == (Turn.CALLER,)


def test_a_token_may_not_raise_its_own_limit_until_the_day_is_over() -> None:
    assert TOKEN.is_reserved(NOON)
    assert not TOKEN.is_reserved(NOON + 86400)
    assert TOKEN.model_copy(update={"whose": Whose.DAY}).is_reserved(NOON)
    assert not TASK.is_reserved(NOON)


@pytest.mark.parametrize(
    ("whose", "advice"), [(Whose.TASK, "larger `budget_usd`"), (Whose.TOKEN, "tomorrow"), (Whose.DAY, "DAILY_BUDGET_USD")]
)
def test_the_error_says_which_budget_and_what_to_do(whose: Whose, advice: str) -> None:
    detail = stopped(TASK.model_copy(update={"whose": whose, "day": DAY})).detail
    assert advice in detail
    assert "$1.02 of the $1.00" in detail
