"""A server that is killed while it tells a callback: another one tells it."""

import asyncio
import signal
import time
from typing import Any

import pytest

from agents.src.settings import read_settings
from agents.src.tasks import NoticeState
from agents.src.tasks.callbacks import LEASE
from tests.building import SteppedClock, eventually, parts, running
from tests.cli.processes import ended, fetch, server
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.usefixtures("surroundings")


def test_what_a_killed_server_was_sending_is_sent_by_another() -> None:
    async def story() -> None:
        receiver = Receiver(hang=True)
        async with receiving(receiver) as url:
            task = await asyncio.to_thread(end_a_task_and_be_killed, receiver, url, asyncio.get_running_loop())
            cut_off = receiver.got[0]
            receiver.hang = False
            later = SteppedClock(time.time() + LEASE + 5)
            async with running(parts(read_settings().state_dir, clock=later, callback_private_addresses=True)) as here:
                await receiver.next()

                async def delivered() -> bool:
                    notice = (await here.outbox.latest([task["id"]]))[task["id"]]
                    return (notice.state, notice.attempts) == (NoticeState.DELIVERED, 2)

                await eventually(delivered)
            again = receiver.got[1]
            assert (again.headers["webhook-id"], again.body) == (cut_off.headers["webhook-id"], cut_off.body)
            assert again.told["data"]["id"] == task["id"]

    asyncio.run(story())


def end_a_task_and_be_killed(receiver: Receiver, url: str, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    with server(CALLBACK_PRIVATE_ADDRESSES="true") as (process, base):
        task = fetch(base, "/api/skill", {"skill": "echo", "task": "hello", "callback": {"url": url}})
        assert task["status"] == "completed"
        asyncio.run_coroutine_threadsafe(receiver.next(), loop).result()
        ended(process, signal.SIGKILL)
    return task
