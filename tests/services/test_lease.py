"""One at a time, on both databases."""

import asyncio

import pytest

from agents.src.errors import Unavailable
from agents.src.services.lease import Lease
from tests.building import PATIENCE, SteppedClock, eventually
from tests.conftest import OpenDb


def test_a_second_one_waits_until_the_first_is_done(open_db: OpenDb) -> None:
    async def story() -> None:
        clock = SteppedClock()
        first, second = (Lease(open_db(), clock, "keeping", 300, 60) for _ in range(2))
        happened = []

        async def wait() -> None:
            async with second.held():
                happened.append("second")

        async with first.held():
            waiting = asyncio.create_task(wait())
            await eventually(lambda: clock.sleeping == 1)
            happened.append("first")
        await clock.advance(1)
        await waiting
        assert happened == ["first", "second"]

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_it_gives_up_after_a_while(open_db: OpenDb) -> None:
    async def story() -> None:
        clock = SteppedClock()
        async with Lease(open_db(), clock, "keeping", 300, 60).held():
            with pytest.raises(Unavailable, match="'keeping' to itself for 0 seconds"):
                async with Lease(open_db(), clock, "keeping", 300, 0).held():
                    pass
            async with Lease(open_db(), clock, "something else", 300, 0).held():
                pass

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_that_of_a_process_that_died_runs_out_and_its_late_end_takes_nothing_away(open_db: OpenDb) -> None:
    async def story() -> None:
        clock = SteppedClock()
        dead, living = Lease(open_db(), clock, "keeping", 300, 0), Lease(open_db(), clock, "keeping", 300, 0)
        async with dead.held():
            clock.time += 301
            async with living.held():
                pass
            taken = living.held()
            await taken.__aenter__()
        with pytest.raises(Unavailable):
            async with dead.held():
                pass
        await taken.__aexit__(None, None, None)
        async with dead.held():
            pass

    asyncio.run(asyncio.wait_for(story(), PATIENCE))
