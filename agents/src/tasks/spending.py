"""The verb: how a run spends no more than it may. Where nothing is left, it asks."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from agents.src.errors import BudgetExhausted
from agents.src.tasks.asking import Asking
from agents.src.tasks.brief import Brief
from agents.src.tasks.budget import Budget, tightest
from agents.src.tasks.budget_question import key_of, limit_after, question_of, rules_for, stopped
from agents.src.tasks.budgets import Budgets
from agents.src.tasks.engine import Workspace
from agents.src.tasks.questions import QuestionFilter, QuestionStore
from agents.src.tasks.run import Run
from agents.src.tasks.task import Result

IN_VAIN = 3
"""Times in a row that an engine may end at its budget without having spent anything."""
Work = Callable[[Brief, Workspace], Awaitable[Result]]


class Spending:
    """Of one run. All that it does can be done again: what was answered is known, and what was raised stays so."""

    def __init__(self, run: Run, budgets: Budgets, questions: QuestionStore, asking: Asking) -> None:
        self._run = run
        self._budgets = budgets
        self._questions = questions
        self._asking = asking

    async def granted(self) -> Budget | None:
        """The limit that leaves the least, and leaves something. None: there is no limit.

        Raises BudgetExhausted where somebody wants the task to stop, and what asking raises.
        """
        await self._heed_stop()
        while (budget := tightest(await self._budgets.of(self._run))) and budget.is_reached:
            await self._ask(budget)
        return budget

    async def _ask(self, reached: Budget) -> None:
        rules = rules_for(self._run.brief.questions)
        asked = await self._asking.put(question_of(reached), key_of(reached), rules)
        if (limit := limit_after(asked)) is None:
            raise stopped(reached)
        await self._budgets.raise_to(self._run, asked.question.budget or reached, limit)

    async def _heed_stop(self) -> None:
        """Somebody may have said so to an earlier run, and the day that is free again does not undo it."""
        if self._run.task.attempt == 1:
            return
        last = (await self._questions.page(QuestionFilter(task_id=self._run.task.id), None, 1)).items
        for asked in last:
            if asked.question.budget and asked.answer and limit_after(asked) is None:
                raise stopped(asked.question.budget)


async def within_budget(brief: Brief, workspace: Workspace, grant: Callable[[], Awaitable[Budget | None]], work: Work) -> Result:
    """Does the work with what is left, and goes on for as long as something is. Raises BudgetExhausted, and what both raise."""
    in_vain, before = 0, None
    while True:
        budget = await grant()
        in_vain = in_vain + 1 if before is not None and budget == before else 0
        try:
            return await work(brief.limited_to(budget.left_usd if budget else None), workspace)
        except BudgetExhausted:
            # Claude Code reckons a little differently: something may be left. But it must not go round in circles.
            if budget is None or in_vain == IN_VAIN - 1:
                raise
        before, workspace = budget, replace(workspace, goes_on=True)
