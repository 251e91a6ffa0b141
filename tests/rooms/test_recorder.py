"""Events on their way to the store: in order, gathered while it is busy."""

import asyncio
from collections.abc import Sequence

import pytest

from agents.src.tasks import Draft, EventType
from agents.src.tasks.recorder import MOST_WAITING, Recorder
from tests.building import PATIENCE


def draft(number: int) -> Draft:
    return Draft(EventType.TEXT, {"n": number})


class Log:
    """Keeps batches; while `gate` is shut, it is busy."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[list[int]] = []
        self.counted: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error = error

    async def append(self, drafts: Sequence[Draft], batch: int) -> None:
        await self.gate.wait()
        if self.error:
            raise self.error
        self.batches.append([each.data["n"] for each in drafts])
        self.counted.append(batch)

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


def test_one_event_is_written_at_once() -> None:
    async def story() -> None:
        log = Log()
        recorder = Recorder(log.append)
        await recorder.add(draft(1))
        await recorder.flush()
        assert log.batches == [[1]]
        await recorder.flush()
        assert log.batches == [[1]]

    asyncio.run(story())


def test_what_comes_while_the_store_is_busy_is_written_together_and_in_order() -> None:
    async def story() -> None:
        log = Log()
        log.gate.clear()
        recorder = Recorder(log.append)
        for number in range(50):
            await recorder.add(draft(number))
            await asyncio.sleep(0)
        log.gate.set()
        await recorder.flush()
        assert log.numbers == list(range(50))
        assert log.counted == [1, 2]

    asyncio.run(story())


def test_an_engine_that_is_too_fast_has_to_wait() -> None:
    async def story() -> None:
        log = Log()
        log.gate.clear()
        recorder = Recorder(log.append)
        added = 0

        async def engine() -> None:
            nonlocal added
            for number in range(3 * MOST_WAITING):
                await recorder.add(draft(number))
                added += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(engine())
        for _ in range(4 * MOST_WAITING):
            await asyncio.sleep(0)
        assert added <= MOST_WAITING + 1
        log.gate.set()
        await asyncio.wait_for(running, PATIENCE)
        await recorder.flush()
        assert log.numbers == list(range(3 * MOST_WAITING))

    asyncio.run(story())


def test_an_error_of_the_store_comes_out_of_what_follows() -> None:
    async def story() -> None:
        recorder = Recorder(Log(ValueError("no")).append)
        await recorder.add(draft(1))
        with pytest.raises(ValueError, match="no"):
            await recorder.flush()
        with pytest.raises(ValueError, match="no"):
            await recorder.add(draft(2))

    asyncio.run(story())


def test_a_cancelled_engines_last_events_are_written() -> None:
    async def story() -> None:
        log = Log()
        log.gate.clear()
        recorder = Recorder(log.append)

        async def engine() -> None:
            await recorder.add(draft(1))
            await recorder.add(draft(2))
            await recorder.flush()

        running = asyncio.create_task(engine())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        log.gate.set()
        await recorder.flush()
        assert log.numbers == [1, 2]

    asyncio.run(story())
