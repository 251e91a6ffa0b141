"""Budgets with the real Claude Code: it comes to the end of what it may spend, somebody is asked, and it goes on or ends."""

import asyncio
from pathlib import Path

import pytest

from agents.src.tasks import Action, Answer, EventType, Status
from tests.building import ended, running, submit
from tests.rooms.test_asking import parked, pending
from tests.services.test_claude_questions import READ, WRITE, a_house, events, results, script, transcript

DEAR = {"input": 100_000, "output": 1_000}
PLAYED = script(
    {"tools": [READ], "usage": DEAR},  # Claude Code ends in the midst of this call
    {"tools": [WRITE], "usage": DEAR},
    {"tools": [READ]},
    {"expect": "hidden treasure", "text": "All done."},
)


@pytest.mark.parametrize("hold", [60, 0])
def test_at_its_budget_claude_code_is_stopped_and_goes_on_where_it_was_once_it_is_raised(state_dir: Path, hold: float) -> None:
    async def story() -> None:
        async with running(a_house(state_dir, PLAYED, hold)) as here:
            task = await submit(here, "asking", budget_usd=0.001)
            [asked] = await pending(here, task)
            if hold == 0:
                await parked(here, task)
            spent = (await here.store.get(task.id)).usage.cost_usd
            assert asked.question.budget and (asked.question.budget.spent_usd, asked.question.budget.limit_usd) == (spent, 0.001)
            assert spent > 0.001
            await here.answering.answer(asked, Answer(action=Action.ACCEPT, text="50"))
            done = await ended(here, task)
            assert (done.status, done.attempt) == (Status.COMPLETED, 1 if hold else 2), done.error
            assert done.result and done.result.text.endswith("All done.")
            assert [artifact.name for artifact in done.result.artifacts] == ["notes.txt"]
            assert (await results(here, task))[-1] == ("1\thidden treasure", False)
            assert (done.usage.input_tokens, done.usage.output_tokens) == (200_200, 2_040)
            assert round((await here.budgets.today("ada")).spent_usd, 6) == round(done.usage.cost_usd, 6)
            assert [data["whose"] for data in await events(here, task, EventType.BUDGET_RAISED)] == ["task"]
            assert done.budget_usd == round(spent + 50, 9)
            assert await transcript(here) == []

    asyncio.run(story())


def test_a_claude_code_that_is_to_stop_at_its_budget_is_not_started_again(state_dir: Path) -> None:
    async def story() -> None:
        async with running(a_house(state_dir, PLAYED, 60)) as here:
            task = await submit(here, "asking", budget_usd=0.001)
            [asked] = await pending(here, task)
            await here.answering.answer(asked, Answer(action=Action.ACCEPT, choices=("Stop",)))
            done = await ended(here, task)
            assert done.error and (done.status, done.error.type) == (Status.FAILED, "budget-exhausted")
            assert len(await events(here, task, EventType.USAGE)) == 1
            assert await transcript(here) == []

    asyncio.run(story())
