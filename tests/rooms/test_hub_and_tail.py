"""Following a task: without loss or doubles, from any number, at any speed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from agents.src.errors import UnknownTask
from agents.src.services.task_store import SqlTaskStore
from agents.src.tasks import Claim, Draft, Ending, Event, EventType, Hub, Result, Run, Status, ended_within, tail, until_ended
from agents.src.tasks.hub import WAITING
from agents.src.tasks.tail import IDLE
from tests.building import NOON, PATIENCE, SteppedClock, a_brief, a_task, eventually
from tests.conftest import OpenDb

TEXT = Draft(EventType.TEXT, {"text": "hello"})
DONE = Ending(Status.COMPLETED, Draft(EventType.COMPLETED), result=Result(text="Done."))


class Here:
    """A process with its hub."""

    def __init__(self, open_db: OpenDb) -> None:
        self.db, self.hub = open_db(), Hub()
        self.store = SqlTaskStore(self.db, self.hub, SteppedClock())

    async def run(self) -> Run:
        run = (await self.store.add(a_task(), a_brief(), claim=Claim("worker-1", NOON + 20))).run
        assert run
        return run

    async def numbers(self, run: Run, after: int = 0) -> list[int]:
        """All that a follower gets, to the end."""
        return [event.seq async for batch in tail(self.store, self.hub, run.task.id, after) for event in batch]

    def following(self, run: Run, after: int = 0) -> "asyncio.Task[list[int]]":
        return asyncio.create_task(self.numbers(run, after))


def tell(open_sqlite: OpenDb, story: Callable[[Here], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE):
            await story(Here(open_sqlite))

    asyncio.run(live())


@pytest.mark.parametrize("after", range(8))
def test_from_any_number_of_an_ended_task(open_sqlite: OpenDb, after: int) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        await here.store.append(run, [TEXT] * 2)
        await here.store.settle(run, DONE)
        assert await here.numbers(run, after) == list(range(after + 1, 6))

    tell(open_sqlite, story)


def test_from_any_number_of_a_running_task_and_as_many_as_like(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        followers = [here.following(run, after) for after in range(9)]
        await asyncio.sleep(0)
        for _ in range(3):
            await here.store.append(run, [TEXT])
            followers.append(here.following(run))
        await here.store.settle(run, DONE)
        async with asyncio.timeout(IDLE / 2):  # nobody waits for the silence after the end
            got = await asyncio.gather(*followers)
        assert got[:9] == [list(range(after + 1, 7)) for after in range(9)]  # 7 and 8: beyond the end
        assert got[9:] == [list(range(1, 7))] * 3
        assert not here.hub.followers

    tell(open_sqlite, story)


def test_an_unknown_task_cannot_be_followed(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        with pytest.raises(UnknownTask):
            await anext(aiter(tail(here.store, here.hub, "nobody")))
        with pytest.raises(UnknownTask):
            await until_ended(here.store, here.hub, "nobody", 0)
        assert not here.hub.followers

    tell(open_sqlite, story)


def test_gaps_doubles_and_hearsay_are_made_good_from_the_log(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        follower = here.following(run)
        await eventually(lambda: bool(here.hub.followers))
        silent = SqlTaskStore(here.db, Hub(), SteppedClock())  # its events are not handed over
        await silent.append(run, [TEXT] * 3)
        log = await here.store.events(run.task.id, 0, 10)
        here.hub.publish(log[4:5])  # 3 and 4 are missing
        here.hub.publish(log[2:4])  # late
        here.hub.publish(log[1:3])  # again
        await here.store.append(run, [TEXT])
        await silent.settle(run, DONE)
        here.hub.signal(run.task.id)
        assert await follower == list(range(1, 8))

    tell(open_sqlite, story)


def test_a_slow_follower_loses_nothing_and_need_not_be_waited_for(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        got: list[int] = []
        batches = tail(here.store, here.hub, run.task.id)
        got += [event.seq for event in await anext(batches)]
        for _ in range(WAITING + 20):
            await here.store.append(run, [TEXT])
        await here.store.settle(run, DONE)
        got += [event.seq async for batch in batches for event in batch]
        assert got == list(range(1, 2 + WAITING + 20 + 1 + 1))

    tell(open_sqlite, story)


def test_a_follower_that_was_too_slow_is_sent_to_the_log(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        with here.hub.follow("t") as following:
            for seq in range(1, WAITING + 2):
                here.hub.publish([Event("t", seq, EventType.TEXT, NOON, {})])
            here.hub.publish([Event("t", WAITING + 2, EventType.TEXT, NOON, {})])
            arrived = await following.get()
            assert arrived[0] == ()
            assert [event.seq for batch in arrived for event in batch] == [WAITING + 2]
            assert await following.get(0) == []

    tell(open_sqlite, story)


def test_another_process_ends_the_task(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        there = Here(open_sqlite)
        here.db.watch(here.hub.signal)
        run = await there.run()
        follower, ending = here.following(run), asyncio.create_task(until_ended(here.store, here.hub, run.task.id, PATIENCE))
        await eventually(lambda: bool(here.hub.followers))
        await there.store.append(run, [TEXT])
        done = await there.store.settle(run, DONE)
        assert await follower == [1, 2, 3, 4]
        assert await ending == done

    tell(open_sqlite, story)


def test_a_closed_hub_ends_every_tail_and_every_wait(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        follower, ending = here.following(run), asyncio.create_task(until_ended(here.store, here.hub, run.task.id, 10 * PATIENCE))
        await eventually(lambda: len(here.hub.followers.get(run.task.id, ())) == 2)
        here.hub.close()
        assert await follower in ([1, 2], [])
        assert (await ending).status is Status.RUNNING
        assert await here.numbers(run) == []

    tell(open_sqlite, story)


def test_a_wait_that_begins_when_the_hub_has_closed_is_a_short_one(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        here.hub.close()
        async with asyncio.timeout(IDLE / 2):
            assert (await until_ended(here.store, here.hub, run.task.id, 10 * PATIENCE)).status is Status.RUNNING

    tell(open_sqlite, story)


def test_a_follower_that_leaves_is_forgotten(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        batches = tail(here.store, here.hub, run.task.id)
        await anext(batches)
        await batches.aclose()
        assert not here.hub.followers

    tell(open_sqlite, story)


# Waiting for the end


def test_waiting_gives_the_task_as_it_ended_or_as_it_stands(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        run = await here.run()
        assert (await until_ended(here.store, here.hub, run.task.id, 0)).status is Status.RUNNING
        assert (await until_ended(here.store, here.hub, run.task.id, 0.02)).status is Status.RUNNING
        with here.hub.follow(run.task.id) as following:
            waiting = asyncio.create_task(ended_within(here.store, following, run.task.id, PATIENCE))
            await here.store.append(run, [TEXT])
            done = await here.store.settle(run, DONE)
            assert await waiting == done
            assert await ended_within(here.store, following, run.task.id, 0) == done
        assert await until_ended(here.store, here.hub, run.task.id, 0) == done

    tell(open_sqlite, story)


def test_listeners_hear_every_batch_and_every_signal(open_sqlite: OpenDb) -> None:
    async def story(here: Here) -> None:
        heard: list[Sequence[Event]] = []
        here.hub.listeners.append(heard.append)
        await here.run()
        here.hub.signal("any")
        here.hub.signal(None)
        assert [len(events) for events in heard] == [2, 0, 0]

    tell(open_sqlite, story)
