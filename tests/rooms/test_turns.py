"""Who is asked, and what becomes of a question that nobody answered."""

from typing import Any

import pytest

from agents.src.tasks import Asked, Choice, Expire, PassOn, Question, QuestionRules, TakeDefault, Turn, first_turn, next_step
from agents.src.tasks.turns import PATIENCE
from tests.building import NOON

CALLER, HUMAN, RESPONDER = Turn.CALLER, Turn.HUMAN, Turn.RESPONDER
WITH_DEFAULT = Question(text="Go on?", default=("yes",))


def asked(*turns: Turn, turn: int = 0, question: Question | None = None, deadline: float | None = 600.0) -> Asked:
    return Asked(
        *("q", "t", "noop", "ada", "key", question or Question(text="Go on?"), turns, deadline, turn),
        asked_at=NOON,
        due_at=NOON,
    )


@pytest.mark.parametrize(
    ("ask", "deadline", "turn", "due_at"),
    [
        ((CALLER, HUMAN, RESPONDER), 600.0, 0, NOON + 600),
        ((CALLER,), None, 0, None),
        # Whether there is a human or a responder to be asked is not known where a question is kept: somebody looks at once.
        ((HUMAN, CALLER), 600.0, -1, NOON),
        ((RESPONDER,), None, -1, NOON),
        ((), 600.0, -1, NOON),
    ],
)
def test_whose_turn_it_is_first(ask: tuple[Turn, ...], deadline: float | None, turn: int, due_at: float | None) -> None:
    assert first_turn(QuestionRules(ask=ask, deadline=deadline), NOON) == (turn, due_at)


ALL = (CALLER, HUMAN, RESPONDER)
DAY_LATER, AT_THE_RESPONDER = NOON + 600, NOON + PATIENCE


@pytest.mark.parametrize(
    ("turns", "turn", "human", "responder", "step"),
    [
        (ALL, 0, True, True, PassOn(1, DAY_LATER)),
        (ALL, 0, False, True, PassOn(2, AT_THE_RESPONDER)),
        (ALL, 0, True, False, PassOn(1, DAY_LATER)),
        (ALL, 0, False, False, Expire()),
        (ALL, 1, True, True, PassOn(2, AT_THE_RESPONDER)),
        (ALL, 1, True, False, Expire()),
        (ALL, 2, True, True, Expire()),
        ((HUMAN, CALLER), -1, True, True, PassOn(0, DAY_LATER)),
        ((HUMAN, CALLER), -1, False, True, PassOn(1, DAY_LATER)),
        ((RESPONDER, CALLER), -1, False, True, PassOn(0, AT_THE_RESPONDER)),
        ((RESPONDER, CALLER), 0, False, True, PassOn(1, DAY_LATER)),
        ((RESPONDER,), -1, True, False, Expire()),
        ((CALLER,), 0, True, True, Expire()),
        ((), -1, True, True, Expire()),
    ],
)
def test_who_is_next(turns: tuple[Turn, ...], turn: int, human: bool, responder: bool, step: PassOn | Expire) -> None:
    assert next_step(asked(*turns, turn=turn), NOON, human=human, responder=responder) == step


@pytest.mark.parametrize("turn", [0, 1])
def test_a_default_counts_once_nobody_is_left_and_not_before(turn: int) -> None:
    step = next_step(asked(CALLER, HUMAN, turn=turn, question=WITH_DEFAULT), NOON, human=True, responder=True)
    if turn == 0:
        assert step == PassOn(1, DAY_LATER)
    else:
        assert isinstance(step, TakeDefault)
        assert (step.answer.by, step.answer.text) == (Turn.DEFAULT, "yes")


def test_who_has_for_ever_is_never_due_but_a_responder_is() -> None:
    assert next_step(asked(CALLER, HUMAN, deadline=None), NOON, human=True, responder=True) == PassOn(1, None)
    assert next_step(asked(CALLER, RESPONDER, deadline=None), NOON, human=True, responder=True) == PassOn(1, AT_THE_RESPONDER)


@pytest.mark.parametrize(
    "members",
    [
        {"choices": (Choice(label="yes"),), "free_text": False, "default": ("maybe",)},
        {"choices": (Choice(label="yes"), Choice(label="no")), "default": ("yes", "no")},
        {"default": (" ",)},
    ],
)
def test_a_default_that_does_not_fit_the_question_is_none(members: dict[str, Any]) -> None:
    """None such can be asked, but one may have been kept by somebody who did not check."""
    question = Question.model_construct(text="Go on?", **members)
    assert next_step(asked(CALLER, question=question), NOON, human=True, responder=True) == Expire()
