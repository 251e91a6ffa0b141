"""When memories are kept."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from structlog.testing import capture_logs

from agents.src.memory import Keeping
from tests.building import PATIENCE, eventually


@dataclass
class Kept:
    """What `keep` was called with. It waits for `gate`, and fails with `error`."""

    rounds: list[set[str]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    async def keep(self, skills: frozenset[str]) -> None:
        self.rounds.append(set(skills))
        await self.gate.wait()
        if self.error:
            raise self.error


def tell(story: Callable[[Keeping, Kept], Awaitable[None]], **given: Any) -> list[set[str]]:
    """The rounds there were, once the story is over and all is closed."""

    async def live() -> list[set[str]]:
        kept = Kept()
        kept.gate.set()
        keeping = Keeping(kept.keep, **given)
        keeping.open()
        async with asyncio.timeout(PATIENCE):
            await story(keeping, kept)
            await keeping.close()
        return kept.rounds

    return asyncio.run(live())


async def nothing(keeping: Keeping, kept: Kept) -> None: ...


def test_without_a_nudge_nothing_is_kept() -> None:
    assert tell(nothing) == []


def test_a_nudge_is_followed_at_once() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        keeping.nudge("planning")
        await eventually(lambda: kept.rounds == [{"planning"}])
        keeping.nudge("media")
        await eventually(lambda: kept.rounds == [{"planning"}, {"media"}])

    tell(story)


def test_nudges_during_a_round_are_one_more_round() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        kept.gate.clear()
        keeping.nudge("a")
        await eventually(lambda: bool(kept.rounds))
        for skill in ("b", "a", "b"):
            keeping.nudge(skill)
        kept.gate.set()

    assert tell(story) == [{"a"}, {"a", "b"}]


def test_with_a_pause_nudges_that_come_close_together_are_one_round_and_closing_does_not_wait_for_it() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        keeping.nudge("a")
        await eventually(lambda: bool(kept.rounds))
        for skill in ("b", "c"):
            keeping.nudge(skill)
            await asyncio.sleep(0)

    assert tell(story, pause=1000.0) == [{"a"}, {"b", "c"}]


def test_all_are_looked_at_at_the_start_and_every_so_often() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        await eventually(lambda: len(kept.rounds) > 2)

    assert set().union(*tell(story, every=0.001)) == set()


def test_what_was_kept_because_of_a_nudge_is_not_all_there_is_to_keep() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        keeping.nudge("a")
        await eventually(lambda: {"a"} in kept.rounds and set() in kept.rounds)

    tell(story, every=0.001)


def test_a_round_that_breaks_is_logged_and_not_the_last() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        kept.error = ZeroDivisionError()
        keeping.nudge("a")
        await eventually(lambda: kept.rounds == [{"a"}])
        keeping.nudge("b")
        await eventually(lambda: kept.rounds == [{"a"}, {"b"}])

    with capture_logs() as logs:
        tell(story)
    assert [entry["event"] for entry in logs] == ["memory_keeping_broke"] * 2


def test_what_was_nudged_last_is_kept_before_it_closes() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        keeping.nudge("a")

    with capture_logs() as logs:
        assert tell(story) == [{"a"}]
    assert logs == []


def test_a_round_that_does_not_end_is_left_with_a_word() -> None:
    async def story(keeping: Keeping, kept: Kept) -> None:
        kept.gate.clear()
        keeping.nudge("a")

    with capture_logs() as logs:
        tell(story, patience=0.01)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("memory_not_kept_in_time", "warning")]


def test_one_that_was_never_opened_can_be_closed() -> None:
    asyncio.run(Keeping(Kept().keep).close())
