"""An inbox as it is followed: what is there first, then what comes, each once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from agents.src.services.inbox_store import SqlInboxStore
from agents.src.tasks import Entry, Inbox, Question, QuestionRules, Task, arrivals
from agents.src.tasks.inbox import PAGE
from tests.building import PATIENCE
from tests.conftest import OpenDb
from tests.contracts.test_task_store import DONE, MINE, House, a_house

Arrivals = AsyncGenerator[Sequence[Entry], None]


def tell(open_db: OpenDb, story: Callable[[House, Arrivals], Awaitable[None]]) -> None:
    async def live() -> None:
        house = a_house(open_db())
        following = arrivals(SqlInboxStore(house.db), house.hub, house.clock, "ada")
        async with asyncio.timeout(PATIENCE), aclosing(following):
            await story(house, following)
        assert (house.hub.listeners, house.hub.ending_listeners) == ([], [])

    asyncio.run(live())


async def ended(house: House, **fields: object) -> Task:
    return await house.store.settle(await house.run(MINE, **{"inbox": Inbox.WAITING, **fields}), DONE)


async def next_ids(following: Arrivals) -> list[str]:
    return [entry.id for entry in await anext(following)]


def test_what_is_there_comes_first_then_what_comes(open_sqlite: OpenDb) -> None:
    async def story(house: House, following: Arrivals) -> None:
        first = await ended(house)
        assert await next_ids(following) == [first.id]
        coming = asyncio.create_task(next_ids(following))
        await asyncio.sleep(0)
        await ended(house, caller="bob")
        await ended(house, inbox=None)
        second = await ended(house)
        assert await coming == [second.id]
        assert (await house.store.get(second.id)).inbox is Inbox.DELIVERED

    tell(open_sqlite, story)


def test_what_comes_between_two_looks_is_not_missed(open_sqlite: OpenDb) -> None:
    async def story(house: House, following: Arrivals) -> None:
        first = await ended(house)
        assert await next_ids(following) == [first.id]
        tasks = [await ended(house) for _ in range(PAGE + 3)]  # while nobody waits
        assert await next_ids(following) == [task.id for task in tasks[:PAGE]]
        assert await next_ids(following) == [task.id for task in tasks[PAGE:]]

    tell(open_sqlite, story)


def test_a_question_comes_too(open_sqlite: OpenDb) -> None:
    async def story(house: House, following: Arrivals) -> None:
        run = await house.run(inbox=Inbox.WAITING)
        coming = asyncio.create_task(next_ids(following))
        await asyncio.sleep(0)
        asked = await house.questions.ask(run, "k", Question(text="Where to?"), QuestionRules())
        waking = asyncio.create_task(wake_sleepers(house))
        assert await coming == [asked.id]
        waking.cancel()

    tell(open_sqlite, story)


async def wake_sleepers(house: House) -> None:
    """What may concern somebody else is looked at after a pause."""
    while True:
        await house.clock.advance(1)


def test_word_from_another_process_is_enough(open_db: OpenDb) -> None:
    async def story(house: House, following: Arrivals) -> None:
        house.db.watch(house.hub.signal)
        theirs = a_house(open_db(), house.clock)
        first = await ended(house)
        assert await next_ids(following) == [first.id]
        coming = asyncio.create_task(next_ids(following))
        waking = asyncio.create_task(wake_sleepers(house))
        second = await ended(theirs)
        assert await coming == [second.id]
        waking.cancel()

    tell(open_db, story)


def test_what_another_session_was_told_comes_to_this_one_too_and_what_was_seen_does_not(open_sqlite: OpenDb) -> None:
    async def story(house: House, following: Arrivals) -> None:
        inbox = SqlInboxStore(house.db)
        delivered, seen = await ended(house), await ended(house)
        await inbox.take("ada", 10)
        await inbox.seen("ada", [seen.id])
        assert await next_ids(following) == [delivered.id]

    tell(open_sqlite, story)


def test_it_ends_when_the_hub_closes(open_sqlite: OpenDb) -> None:
    async def story(house: House, following: Arrivals) -> None:
        coming = asyncio.create_task(anext(following, None))
        await asyncio.sleep(0)
        house.hub.close()
        assert await coming is None

    tell(open_sqlite, story)
