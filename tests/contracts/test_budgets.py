"""What every account of spending keeps to, on both databases."""

from collections.abc import Awaitable, Callable

import pytest

from agents.src.services.budget_store import SqlBudgets
from agents.src.services.token_store import SqlTokenStore
from agents.src.settings import Rate
from agents.src.skills import Token, hashed
from agents.src.tasks import Budget, ClaudeOptions, Draft, EventType, LeaseLost, Run, Today, Usage, Whose
from tests.building import NOON, a_brief, a_task
from tests.conftest import OpenDb
from tests.contracts.test_task_store import DONE, MINE, TEXT, THEIRS, House, a_house, again_at, at_home

DAY, TOMORROW = "2027-01-15", "2027-01-16"
MIDNIGHT = NOON + 16 * 3600
Story = Callable[[House, SqlBudgets], Awaitable[None]]


def spent(usd: float) -> Draft:
    return Draft(EventType.USAGE, {}, Usage(output_tokens=7, cost_usd=usd))


def of_task(limit: float, spent: float) -> Budget:
    return Budget(whose=Whose.TASK, limit_usd=limit, spent_usd=spent)


def of_token(limit: float, spent: float, day: str = DAY) -> Budget:
    return Budget(whose=Whose.TOKEN, limit_usd=limit, spent_usd=spent, day=day)


def of_day(limit: float, spent: float, day: str = DAY) -> Budget:
    return Budget(whose=Whose.DAY, limit_usd=limit, spent_usd=spent, day=day)


def tell(open_db: OpenDb, story: Story, daily: float | None = None) -> None:
    async def with_budgets(house: House) -> None:
        for name, budget in (("ada", 5.0), ("bob", None)):
            token = Token(name, hashed(name), None, Rate(60, 60), NOON, budget_usd=budget)
            await SqlTokenStore(house.db, house.clock).add(token)
        await story(house, SqlBudgets(house.db, house.hub, house.clock, daily))

    at_home(open_db, with_budgets)


def test_without_limits_nothing_limits(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run(caller="bob")
        await house.store.append(run, [spent(0.25)], 1)
        assert await budgets.of(run) == ()
        roots = await house.run(caller="root")
        assert await budgets.of(roots) == ()

    tell(open_db, story)


def test_what_a_task_spends_counts_for_itself_its_token_and_the_day(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        mine, other = await house.run(budget_usd=1.0), await house.run()
        bobs, roots = await house.run(caller="bob", budget_usd=0.75), await house.run(caller="root")
        await house.store.append(mine, [spent(0.1), TEXT, spent(0.2)], 1)
        await house.store.append(other, [spent(0.5)], 1)
        await house.store.append(bobs, [spent(0.5)], 1)
        await house.store.append(roots, [spent(2)], 1)
        assert await budgets.of(mine) == (of_task(1, 0.3), of_token(5, 0.8), of_day(10, 3.3))
        assert await budgets.of(other) == (of_token(5, 0.8), of_day(10, 3.3))
        assert await budgets.of(bobs) == (of_task(0.75, 0.5), of_day(10, 3.3))
        assert await budgets.of(roots) == (of_day(10, 3.3),)
        assert await budgets.today("ada") == Today(DAY, 0.8, 5)
        assert await budgets.today("bob") == Today(DAY, 0.5, None)
        assert await budgets.today(None) == Today(DAY, 3.3, 10)

    tell(open_db, story, daily=10)


def test_a_batch_that_is_written_twice_is_spent_once(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run()
        for _ in range(2):
            await house.store.append(run, [spent(0.25)], 1)
        assert (await budgets.today("ada")).spent_usd == 0.25
        assert (await house.store.get(run.task.id)).usage.cost_usd == 0.25

    tell(open_db, story)


def test_what_a_run_may_no_longer_write_is_not_spent(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run()
        await house.store.settle(run, DONE)
        with pytest.raises(LeaseLost):
            await house.store.append(run, [spent(0.25)], 1)
        assert (await budgets.today("ada")).spent_usd == 0

    tell(open_db, story)


def test_what_costs_nothing_leaves_no_row(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run()
        await house.store.append(run, [TEXT, spent(0.0)], 1)
        assert await house.db.read(lambda tx: tx.run("select * from spending")) == []

    tell(open_db, story)


def test_the_next_day_of_utc_is_free_again_and_a_task_never_is(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run(budget_usd=1.0)
        house.clock.time = MIDNIGHT - 0.001
        await house.store.append(run, [spent(0.25)], 1)
        assert await budgets.of(run) == (of_task(1, 0.25), of_token(5, 0.25), of_day(10, 0.25))
        house.clock.time = MIDNIGHT
        assert await budgets.of(run) == (of_task(1, 0.25), of_token(5, 0, TOMORROW), of_day(10, 0, TOMORROW))
        assert await budgets.today("ada") == Today(TOMORROW, 0, 5)

    tell(open_db, story, daily=10)


@pytest.mark.parametrize("whose", list(Whose))
def test_a_raise_is_told_once_however_often_it_is_made(open_db: OpenDb, whose: Whose) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run(budget_usd=1.0)
        [reached] = [budget for budget in await budgets.of(run) if budget.whose is whose]
        with house.hub.follow(run.task.id) as following:
            await budgets.raise_to(run, reached, reached.limit_usd + 2)
            [[heard]] = await following.get()
        for _ in range(2):
            await budgets.raise_to(run, reached, reached.limit_usd + 2)
            await budgets.raise_to(run, reached, reached.limit_usd + 1)
        [event] = await house.store.events(run.task.id, 2, 10)
        assert (event.type, event) == (EventType.BUDGET_RAISED, heard)
        assert event.data == {"whose": whose.value, "by_usd": 2, "to_usd": reached.limit_usd + 2}
        [raised] = [budget for budget in await budgets.of(run) if budget.whose is whose]
        assert raised == reached.model_copy(update={"limit_usd": reached.limit_usd + 2})
        limits = [(await house.store.get(run.task.id)).budget_usd, *[(await budgets.today(of)).limit_usd for of in ("ada", None)]]
        before = [1.0, 5.0, 10.0]
        assert [now - then for now, then in zip(limits, before, strict=True) if now] == [2 * (whose is one) for one in Whose]

    tell(open_db, story, daily=10)


def test_of_two_raises_of_one_limit_the_higher_one_counts(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        one, two = await house.run(), await house.run()
        [reached] = await budgets.of(one)
        await budgets.raise_to(one, reached, 6)
        await budgets.raise_to(two, reached, 15)
        assert await budgets.of(one) == await budgets.of(two) == (of_token(15, 0),)

    tell(open_db, story)


def test_a_raise_of_a_day_holds_for_that_day_only(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run()
        token, day = await budgets.of(run)
        await budgets.raise_to(run, token, 50)
        await budgets.raise_to(run, day, 100)
        assert await budgets.of(run) == (of_token(50, 0), of_day(100, 0))
        house.clock.time = MIDNIGHT
        await budgets.raise_to(run, day, 200)  # answered too late
        assert await budgets.of(run) == (of_token(5, 0, TOMORROW), of_day(10, 0, TOMORROW))
        told = [event.data["to_usd"] for event in await house.store.events(run.task.id, 2, 10)]
        assert told == [50, 100]

    tell(open_db, story, daily=10)


def test_only_the_run_that_holds_the_task_raises(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        run = await house.run(budget_usd=1.0)
        await house.store.settle(run, again_at(NOON))
        theirs = await house.store.claim_one(run.task.id, THEIRS)
        assert theirs
        for reached in await budgets.of(run):
            with pytest.raises(LeaseLost):
                await budgets.raise_to(run, reached, 99)
        assert (await house.store.get(run.task.id)).budget_usd == 1
        assert await budgets.of(theirs) == (of_task(1, 0), of_token(5, 0))

    tell(open_db, story)


def test_two_processes_have_one_account(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        elsewhere = a_house(open_db(), house.clock)
        mine, theirs = await house.run(MINE), await elsewhere.run(THEIRS)
        await house.store.append(mine, [spent(0.5)], 1)
        await elsewhere.store.append(theirs, [spent(0.25)], 1)
        assert await budgets.of(mine) == (of_token(5, 0.75),)

    tell(open_db, story)


def test_a_task_that_was_accepted_before_it_had_a_budget_of_its_own_keeps_that_of_its_brief(open_db: OpenDb) -> None:
    async def story(house: House, budgets: SqlBudgets) -> None:
        brief = a_brief(claude=ClaudeOptions(budget_usd=2.0))
        run = (await house.store.add(a_task(caller="bob"), brief, claim=MINE)).run
        assert isinstance(run, Run)
        [reached] = await budgets.of(run)
        assert reached == of_task(2, 0)
        await budgets.raise_to(run, reached, 3)
        assert await budgets.of(run) == (of_task(3, 0),)

    tell(open_db, story)
