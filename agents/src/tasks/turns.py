"""Decides who is asked, and what becomes of a question that nobody answered. Pure: nothing is done here."""

from dataclasses import dataclass

from agents.src.tasks.question import Answer, Asked, QuestionRules, Turn

PATIENCE = 300.0
"""Seconds that a responder may take before the next in turn is asked all the same."""


@dataclass(frozen=True, slots=True)
class PassOn:
    """The next is asked: the one at this place of the turns, until then."""

    turn: int
    due_at: float | None


@dataclass(frozen=True, slots=True)
class TakeDefault:
    """The question's own default counts."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Expire:
    """There is nobody left to ask: the task fails."""


Step = PassOn | TakeDefault | Expire


def first_turn(rules: QuestionRules, now: float) -> tuple[int, float | None]:
    """Whose turn it is when a question is asked, and until when. -1, now: somebody has to be found who can be asked at once."""
    if rules.ask[:1] == (Turn.CALLER,):
        return 0, until(now, rules.deadline)
    return -1, now


def next_step(asked: Asked, now: float, *, human: bool, responder: bool) -> Step:
    """For a question whose time is over. `human`, `responder`: whether there is such a one to be asked."""
    reachable = {Turn.CALLER: True, Turn.HUMAN: human, Turn.RESPONDER: responder}
    for turn in range(asked.turn + 1, len(asked.turns)):
        who = asked.turns[turn]
        if reachable.get(who):
            return PassOn(turn, now + PATIENCE if who is Turn.RESPONDER else until(now, asked.deadline))
    default = asked.question.answered_by_default()
    return TakeDefault(default) if default else Expire()


def until(now: float, deadline: float | None) -> float | None:
    return None if deadline is None else now + deadline
