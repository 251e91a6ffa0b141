"""What a task of a skill will take, going by the last ones."""

import asyncio
from dataclasses import replace

import pytest

from agents.src.services.task_store import SqlTaskStore
from agents.src.skills import Estimate, Range, estimate, estimated
from agents.src.skills.estimate import LAST
from agents.src.tasks import Claim, Draft, Ending, EventType, Failure, Hub, Result, Status, Usage, failed
from tests.building import NOON, SteppedClock, a_brief, a_task
from tests.conftest import OpenDb

DONE = Ending(Status.COMPLETED, Draft(EventType.COMPLETED), result=Result(text="Done."))


def held(seconds: float, usd: float | None = 0.0, cost: float = 0.0) -> Usage:
    return Usage(compute_seconds=seconds, compute_usd=usd, cost_usd=cost)


def test_the_lowest_the_median_and_the_highest() -> None:
    tasks = [a_task(usage=held(seconds, seconds / 1000, seconds / 10)) for seconds in (8.0, 1.0, 3.0, 2.0)]
    assert estimated(tasks) == Estimate(4, Range(1.0, 2.5, 8.0), Range(0.1, 0.25, 0.8), Range(0.001, 0.0025, 0.008))


def test_without_a_task_nothing_is_known() -> None:
    assert estimated([]) == Estimate(0, None, None, None)


@pytest.mark.parametrize(("prices", "known"), [((None, 0.5, None), Range(0.5, 0.5, 0.5)), ((None, None), None)])
def test_a_price_that_is_not_known_is_left_out(prices: tuple[float | None, ...], known: Range | None) -> None:
    assert estimated([a_task(usage=held(1.0, price)) for price in prices]).compute_usd == known


def test_where_no_seconds_were_counted_they_are_those_from_start_to_end() -> None:
    times = {"started_at": NOON, "finished_at": NOON + 3.0004}
    assert estimated([a_task(**times)]).seconds == Range(3.0, 3.0, 3.0)
    assert estimated([a_task(**times, usage=held(1.5))]).seconds == Range(1.5, 1.5, 1.5)


def test_it_rests_on_the_last_completed_tasks_that_the_caller_may_see(open_db: OpenDb) -> None:
    async def live() -> None:
        db, clock = open_db(), SteppedClock()
        store = SqlTaskStore(db, Hub(), clock)

        async def ended(seconds: float, ending: Ending = DONE, **fields: object) -> None:
            run = (await store.add(a_task(**fields), a_brief(), claim=Claim("here", NOON + 20))).run
            assert run
            await store.settle(run, replace(ending, held=held(seconds)))

        assert await estimate(store, "noop", None) == Estimate(0, None, None, None)
        await ended(1000.0)  # too long ago, in the end
        for number in range(LAST - 1):
            await ended(float(number + 1))
        await ended(70.0, caller="bob")
        await ended(0.5, skill="other")
        await ended(0.5, failed(Failure(type="engine-failed", title="No.", detail="No.")))
        await store.add(a_task(), a_brief())
        assert (await estimate(store, "noop", None)).seconds == Range(1.0, 25.5, 70.0)
        assert await estimate(store, "noop", "bob") == replace(estimated([]), tasks=1, **ranges(70.0))
        assert (await estimate(store, "noop", "eve")).tasks == 0

    asyncio.run(live())


def ranges(seconds: float) -> dict[str, Range]:
    nothing = Range(0.0, 0.0, 0.0)
    return {"seconds": Range(seconds, seconds, seconds), "cost_usd": nothing, "compute_usd": nothing}
