"""What the token store keeps to, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from agents.src.errors import NameTaken, UnknownToken
from agents.src.services.token_store import SqlTokenStore
from agents.src.settings import Rate
from agents.src.skills import Token, hashed
from tests.building import NOON, PATIENCE, SteppedClock
from tests.conftest import OpenDb

Story = Callable[[SqlTokenStore, SteppedClock], Awaitable[None]]
ADA = Token("ada", hashed("mi_ada"), None, Rate(60, 60), NOON)
BOB = Token("bob", hashed("mi_bob"), frozenset({"planning", "media-processing"}), Rate(5, 3600), NOON, NOON + 9, None)
NONE_AT_ALL = Token("eve", hashed("mi_eve"), frozenset(), Rate(1, 1), NOON)


def tell(open_db: OpenDb, story: Story) -> None:
    async def live() -> None:
        clock = SteppedClock()
        async with asyncio.timeout(PATIENCE):
            await story(SqlTokenStore(open_db(), clock), clock)

    asyncio.run(live())


def test_tokens_come_back_as_they_were_given(open_db: OpenDb) -> None:
    async def story(tokens: SqlTokenStore, clock: SteppedClock) -> None:
        assert await tokens.all() == ()
        for token in (NONE_AT_ALL, BOB, ADA):
            await tokens.add(token)
        assert await tokens.all() == (ADA, BOB, NONE_AT_ALL)
        assert await tokens.find(BOB.hash) == BOB
        assert await tokens.find(hashed("mi_another")) is None

    tell(open_db, story)


def test_a_name_is_given_once(open_db: OpenDb) -> None:
    async def story(tokens: SqlTokenStore, clock: SteppedClock) -> None:
        await tokens.add(ADA)
        await tokens.revoke("ada")
        with pytest.raises(NameTaken, match="'ada'"):
            await tokens.add(replace(BOB, name="ada"))
        assert await tokens.find(BOB.hash) is None

    tell(open_db, story)


def test_revoking_keeps_the_first_time(open_db: OpenDb) -> None:
    async def story(tokens: SqlTokenStore, clock: SteppedClock) -> None:
        await tokens.add(ADA)
        await tokens.add(BOB)
        assert (await tokens.revoke("ada")).revoked_at == NOON
        clock.time += 100
        revoked = await tokens.revoke("ada")
        assert revoked == replace(ADA, revoked_at=NOON) == await tokens.find(ADA.hash)
        assert await tokens.find(BOB.hash) == BOB
        with pytest.raises(UnknownToken):
            await tokens.revoke("nobody")

    tell(open_db, story)


def test_no_more_submissions_than_the_rate_even_at_once_and_from_several_processes(open_db: OpenDb) -> None:
    async def story(tokens: SqlTokenStore, clock: SteppedClock) -> None:
        other, rate = SqlTokenStore(open_db(), clock), Rate(10, 60)
        taken = await asyncio.gather(*([tokens, other][number % 2].take("ada", rate) for number in range(16)))
        assert sum(each.retry_after is None for each in taken) == 10
        assert {each.retry_after for each in taken if each.retry_after} == {6.0}
        assert (await tokens.take("bob", rate)).remaining == 9
        clock.time += 6.0
        assert (await tokens.take("ada", rate)).retry_after is None
        assert (await tokens.take("ada", rate)).retry_after == pytest.approx(6.0)
        clock.time += 60
        assert (await tokens.take("ada", rate)).remaining == 9

    tell(open_db, story)
