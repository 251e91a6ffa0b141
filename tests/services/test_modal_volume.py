"""The Volume's two moves, where files are open, and where Modal cannot be reached."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agents.src.clock import Clock
from agents.src.errors import Unavailable
from agents.src.services.modal_volume import PAUSES, ModalVolume

BUSY = RuntimeError("there are open files preventing the operation")
LOST = RuntimeError("no such volume")


class Patient(Clock):
    """Sleeps in no time, and remembers for how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def failing(*errors: Exception) -> Callable[[], Awaitable[None]]:
    """Raises these errors, one at each call, and then none."""
    left = list(errors)

    async def act() -> None:
        if left:
            raise left.pop(0)

    return act


def test_a_reload_waits_for_files_that_are_open() -> None:
    clock = Patient()
    asyncio.run(ModalVolume(failing(), failing(BUSY, BUSY), clock).refresh())
    assert clock.slept == list(PAUSES[:2])


def test_a_reload_gives_up_after_some_seconds() -> None:
    busy = failing(*[BUSY] * 100)
    with pytest.raises(Unavailable, match="try again in a minute"):
        asyncio.run(ModalVolume(failing(), busy, Patient()).refresh())


def test_a_commit_is_done_though_its_own_reload_found_open_files() -> None:
    clock = Patient()
    asyncio.run(ModalVolume(failing(BUSY), failing(), clock).publish())
    assert clock.slept == []


@pytest.mark.parametrize("move", [ModalVolume.publish, ModalVolume.refresh])
def test_any_other_failure_is_told(move: Callable[[ModalVolume], Awaitable[None]]) -> None:
    async def story() -> None:
        await move(ModalVolume(failing(LOST), failing(LOST), Patient()))

    with pytest.raises(Unavailable, match="Volume cannot be reached"):
        asyncio.run(story())


def test_two_who_miss_a_file_reload_one_after_the_other() -> None:
    inside = 0

    async def reload() -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0)
        inside -= 1

    async def story() -> None:
        volume = ModalVolume(failing(), reload, Patient())
        await asyncio.gather(*(volume.refresh() for _ in range(3)))

    asyncio.run(story())
