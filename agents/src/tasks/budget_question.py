"""What is asked where a budget is reached, and what an answer means. Pure: nothing is asked here."""

from agents.src.errors import BudgetExhausted
from agents.src.tasks.budget import Budget, Whose, amount_of, dollars
from agents.src.tasks.question import RAISE, STOP, Asked, Choice, Question, QuestionRules, Turn

TIMES = (1, 5, 10)
"""Of the limit: by how much it can be raised with one choice."""
PEOPLE = (Turn.CALLER, Turn.HUMAN)
"""Who may say that money is to be spent."""
WHAT = {
    Whose.TASK: "It has spent {spent} of the {limit} it may spend (the task's budget).",
    Whose.TOKEN: "The tasks of its token have spent {spent} of the {limit} they may spend today, {day} UTC (the token's budget).",
    Whose.DAY: "All tasks have spent {spent} of the {limit} they may spend today, {day} UTC (the server's budget).",
}
ONLY_ROOT = "Only the root token may raise it. "
ADVICE = {
    Whose.TASK: "Submit it again with a larger `budget_usd` (at most the skill's `budget-usd`), or give it less to do.",
    Whose.TOKEN: "Submit it again tomorrow (UTC), or have the token's budget raised.",
    Whose.DAY: "Submit it again tomorrow (UTC), or have DAILY_BUDGET_USD raised.",
}


def key_of(budget: Budget) -> str:
    """Names the limit that was reached: asked again, also by a later run, it has the same answer. `budget:task:1.0`."""
    return ":".join(["budget", budget.whose, *([budget.day] if budget.day else []), repr(budget.limit_usd)])


def question_of(budget: Budget) -> Question:
    reserved = "" if budget.whose is Whose.TASK else ONLY_ROOT
    raises = dict.fromkeys(dollars(budget.limit_usd * times) for times in TIMES)
    return Question(
        text=f"{what(budget)} {reserved}Raise it, or stop?",
        header="Budget",
        choices=(
            *(raising(budget, amount) for amount in raises if amount_of(amount)),
            Choice(label=STOP, description="The task ends here, as failed."),
        ),
        default=(STOP,),
        budget=budget,
    )


def raising(budget: Budget, amount: str) -> Choice:
    limit = dollars(budget.raised_by(amount_of(amount) or 0.0))
    return Choice(label=f"{RAISE}{amount}", description=f"To {limit} in all; another amount can be said too, such as 2.50.")


def rules_for(rules: QuestionRules) -> QuestionRules:
    """The skill's rules, as far as they say which people are asked, and for how long. The rest of them is meant for its own
    questions. The caller is always one of them: where nobody else can be reached, the task would end without a word."""
    people = tuple(turn for turn in rules.ask if turn in PEOPLE) or PEOPLE
    last = () if Turn.CALLER in people else (Turn.CALLER,)
    return QuestionRules(deadline=rules.deadline, ask=(*people, *last))


def limit_after(asked: Asked) -> float | None:
    """The limit that the answer wants. None: the task is to stop."""
    budget, amount = asked.question.budget, asked.answer and asked.answer.raises_by
    return budget.raised_by(amount) if budget and amount else None


def stopped(budget: Budget) -> BudgetExhausted:
    return BudgetExhausted(f"{what(budget)} It was not raised. {ADVICE[budget.whose]}")


def what(budget: Budget) -> str:
    return WHAT[budget.whose].format(spent=dollars(budget.spent_usd), limit=dollars(budget.limit_usd), day=budget.day)
