"""Callbacks are told, whatever happens in between."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook
from starlette.responses import Response

from agents.src.bootstrap import Parts
from agents.src.bootstrap.cloud import send_due
from agents.src.services.outbox_store import SqlOutboxStore
from agents.src.services.webhooks import Webhooks
from agents.src.tasks import (
    Action,
    Answer,
    Ask,
    Brief,
    Callback,
    Callbacks,
    Draft,
    EventType,
    Notice,
    NoticeState,
    PassOn,
    Question,
    QuestionFilter,
    QuestionRules,
    Result,
    Status,
    Task,
    Workspace,
)
from agents.src.tasks.callbacks import LEASE
from agents.src.tasks.question import DAY
from agents.src.tasks.schedule import DELAYS
from tests.building import PATIENCE, SteppedClock, Work, a_settings, ended, eventually, parts, running, submit
from tests.conftest import OpenDb
from tests.contracts.test_task_store import DONE, House, a_house
from tests.receiver import SECRET, Got, Receiver, receiving


def live(story: Callable[[Receiver, str], Awaitable[None]]) -> None:
    async def run() -> None:
        receiver = Receiver()
        async with asyncio.timeout(PATIENCE), receiving(receiver) as url:
            await story(receiver, url)

    asyncio.run(run())


def program(state_dir: Path, **more: Any) -> Parts:
    return parts(state_dir, **{"callback_private_addresses": True, **more})


async def sent(here: Parts, task: Task, state: NoticeState, attempts: int, status: int | None = 204) -> Notice:
    """The task's last notice, once it stands so after so many attempts, the last of which got this status."""
    found: list[Notice] = []

    async def stands() -> bool:
        found[:] = (await here.outbox.latest([task.id])).values()
        return [(notice.state, notice.attempts, notice.last_status) for notice in found] == [(state, attempts, status)]

    await eventually(stands)
    return found[0]


class Sender:
    """One of the processes that send, without its loop."""

    def __init__(self, house: House, **more: Any) -> None:
        self.house = house
        self.outbox = SqlOutboxStore(house.db, house.hub, house.clock)
        hooks = more.pop("post", None) or Webhooks(private=True)
        tools = (self.outbox, house.store, house.questions, hooks, house.hub, house.clock)
        self.callbacks = Callbacks(*tools, spread=lambda: 0.0, **more)

    async def send(self) -> None:
        await self.callbacks.send_due(self.house.clock.now() + 1)

    async def ended(self, url: str, **fields: Any) -> Task:
        return await self.house.store.settle(await self.house.run(callback=Callback(url=url), **fields), DONE)

    async def notice(self, task: Task) -> Notice:
        return (await self.outbox.latest([task.id]))[task.id]


def test_a_task_that_ends_is_told_at_once_and_signed(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        async with running(program(state_dir)) as here:
            task = await ended(here, await submit(here, callback={"url": url, "secret": SECRET}))
            got = await receiver.next()
            told = Webhook(SECRET).verify(got.body, got.headers)
            assert (told["type"], told["data"]["id"], told["data"]["result"]["text"]) == ("task.completed", task.id, "Done.")
            await sent(here, task, NoticeState.DELIVERED, 1)
            log = await here.store.events(task.id, 0, 100)
            assert log[-1].type is EventType.COMPLETED
            assert got.headers["webhook-id"] == f"{task.id}-{log[-1].seq}"

    live(story)


def test_it_fails_four_times_and_is_taken_then(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        clock = SteppedClock()
        receiver.answers = [500, Response(status_code=302, headers={"Location": url}), 429, 404]
        async with running(program(state_dir, clock=clock)) as here:
            task = await ended(here, await submit(here, callback={"url": url}))
            got: list[Got] = [await receiver.next()]
            for attempts, status in enumerate((500, 302, 429, 404), 1):
                notice = await sent(here, task, NoticeState.WAITING, attempts, status)
                assert notice.due_at and DELAYS[attempts] <= notice.due_at - clock.time <= DELAYS[attempts] * 1.2 + 0.01
                await clock.advance(notice.due_at - clock.time + 1)
                got.append(await receiver.next())
            await sent(here, task, NoticeState.DELIVERED, 5)
            assert {(one.headers["webhook-id"], one.body) for one in got} == {(got[0].headers["webhook-id"], got[0].body)}
            assert len({one.headers["webhook-timestamp"] for one in got}) == 5

    live(story)


def test_after_ten_attempts_it_is_given_up(open_sqlite: OpenDb) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        sender = Sender(a_house(open_sqlite()))
        receiver.answers = [503] * 20
        task = await sender.ended(url)
        for attempts in range(1, 11):
            await sender.send()
            assert len(receiver.got) == attempts
            sender.house.clock.time = (await sender.outbox.next_due()) or 0.0
        notice = await sender.notice(task)
        assert (notice.state, notice.attempts, notice.last_status) == (NoticeState.GIVEN_UP, 10, 503)

    live(story)


def test_an_answer_says_when_to_come_back(open_sqlite: OpenDb) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        sender = Sender(a_house(open_sqlite()))
        receiver.answers = [Response(status_code=503, headers={"Retry-After": "90"})]
        await sender.ended(url)
        began = sender.house.clock.time
        await sender.send()
        assert await sender.outbox.next_due() == began + 90

    live(story)


def test_410_ends_it_for_good(open_sqlite: OpenDb) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        sender = Sender(a_house(open_sqlite()))
        receiver.answers = [410]
        task = await sender.ended(url)
        await sender.send()
        notice = await sender.notice(task)
        assert (notice.state, notice.attempts, notice.last_status) == (NoticeState.GIVEN_UP, 1, 410)
        assert await sender.outbox.next_due() is None

    live(story)


def test_nobody_there_counts_as_a_failure(open_sqlite: OpenDb) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        sender = Sender(a_house(open_sqlite()))
        task = await sender.ended("http://127.0.0.1:1/")
        await sender.send()
        notice = await sender.notice(task)
        assert (notice.state, notice.attempts, notice.last_status) == (NoticeState.WAITING, 1, None)

    live(story)


def test_two_senders_at_once_send_once(open_db: OpenDb) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        first = Sender(a_house(open_db()))
        second = Sender(a_house(open_db(), first.house.clock))
        tasks = [await first.ended(url) for _ in range(30)]
        await asyncio.gather(first.send(), second.send())
        assert sorted(got.told["data"]["id"] for got in receiver.got) == [task.id for task in tasks]

    live(story)


def test_another_process_sends_what_one_left_behind(open_db: OpenDb, state_dir: Path) -> None:
    """And hears of it at once: nothing moves the clock."""

    async def story(receiver: Receiver, url: str) -> None:
        async with AsyncExitStack() as stack:
            there = await stack.enter_async_context(running(program(state_dir, db=open_db(), clock=SteppedClock())))
            here = await stack.enter_async_context(running(program(state_dir, db=open_db(), alone=True)))
            task = await ended(here, await submit(here, callback={"url": url}))
            assert (await receiver.next()).told["data"]["id"] == task.id
            await sent(there, task, NoticeState.DELIVERED, 1)

    live(story)


def test_what_was_left_behind_is_sent_at_the_next_start(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        async with running(program(state_dir, alone=True)) as here:
            task = await ended(here, await submit(here, callback={"url": url}))
        async with running(program(state_dir)) as here:
            await sent(here, task, NoticeState.DELIVERED, 1)
        assert len(receiver.got) == 1

    live(story)


def test_the_cron_sends_what_is_due(open_db: OpenDb, state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        house = a_house(open_db())
        task = await Sender(house).ended(url)
        await send_due(a_settings(state_dir, callback_private_addresses=True), house.db, house.hub, house.clock)
        assert (await Sender(house).notice(task)).state is NoticeState.DELIVERED
        await send_due(a_settings(state_dir), house.db, house.hub, house.clock)
        assert len(receiver.got) == 1

    live(story)


def test_an_attempt_that_broke_off_is_made_again(open_sqlite: OpenDb) -> None:
    class Breaking(Webhooks):
        async def post(self, *_: Any) -> Any:
            raise RuntimeError("in the middle of it")

    async def story(receiver: Receiver, url: str) -> None:
        house = a_house(open_sqlite())
        task = await Sender(house).ended(url)
        await Sender(house, post=Breaking()).send()
        await Sender(house).send()
        assert receiver.got == []
        house.clock.time += LEASE
        await Sender(house).send()
        notice = await Sender(house).notice(task)
        assert (notice.state, notice.attempts, len(receiver.got)) == (NoticeState.DELIVERED, 2, 1)

    live(story)


def test_a_slow_receiver_keeps_nobody_waiting(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        slow = Receiver(hang=True)
        async with receiving(slow) as elsewhere, running(program(state_dir)) as here:
            await submit(here, callback={"url": elsewhere})
            await slow.next()
            task = await submit(here, callback={"url": url})
            assert (await receiver.next()).told["data"]["id"] == task.id

    live(story)


async def hidden(host: str, port: int) -> list[str]:
    """A name service whose every name is this machine."""
    return ["127.0.0.1"]


def asking() -> Work:
    async def work(brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        answer = await ask(Question(text="Where to?"))
        yield Result(text=answer.words)

    return work


async def asked_and_left(here: Parts, clock: SteppedClock, url: str) -> Task:
    """A task whose question its caller has not answered in time."""
    task = await submit(here, callback={"url": url})

    async def parked() -> bool:
        return any(event.type is EventType.PARKED for event in await here.store.events(task.id, 0, 100))

    await eventually(parked)
    await clock.advance(DAY)
    return task


def test_a_question_that_the_caller_leaves_open_reaches_the_human_behind_the_callback(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        clock = SteppedClock()
        async with running(program(state_dir, works={"noop": asking()}, clock=clock, question_hold_seconds=0)) as here:
            task = await asked_and_left(here, clock, url)
            told = (await receiver.next()).told
            [asked] = (await here.questions.page(QuestionFilter(task_id=task.id), None, 10)).items
            assert (told["type"], told["data"]["id"], told["data"]["text"]) == ("question.asked", asked.id, "Where to?")
            assert told["data"]["to"] == "human"
            await here.answering.answer(asked, Answer(action=Action.ACCEPT, text="There."))
            told = (await receiver.next()).told
            assert (told["type"], told["data"]["result"]["text"]) == ("task.completed", "There.")

    live(story)


def test_without_a_callback_there_is_no_human_to_be_asked(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        clock = SteppedClock()
        async with running(program(state_dir, works={"noop": asking()}, clock=clock, question_hold_seconds=0)) as here:
            task = await submit(here)

            async def failed() -> bool:
                await clock.advance(DAY)
                return (await here.store.get(task.id)).status is Status.FAILED

            await eventually(failed)
            kinds = [event.type for event in await here.store.events(task.id, 0, 100)]
            assert EventType.QUESTION_PASSED_ON not in kinds
            assert receiver.got == []

    live(story)


def test_a_question_that_is_answered_meanwhile_is_not_sent(open_sqlite: OpenDb) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        house = a_house(open_sqlite())
        run = await house.run(callback=Callback(url=url))
        asked = await house.questions.ask(run, "k", Question(text="Where to?"), QuestionRules())
        passed = await house.questions.pass_on(asked, PassOn(1, house.clock.time + 900))
        assert passed
        await house.questions.answer(asked.id, Answer(action=Action.ACCEPT, text="There."))
        sender = Sender(house)
        await sender.send()
        assert (await sender.notice(run.task)).state is NoticeState.WITHDRAWN
        assert receiver.got == []

    live(story)


def test_a_name_that_leads_to_a_private_address_is_refused_and_the_task_says_so(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        clock, there = SteppedClock(), url.replace("127.0.0.1", "hooks.example")
        post = Webhooks(resolve=hidden)
        works = {"noop": asking()}
        async with running(parts(state_dir, works=works, clock=clock, post=post, question_hold_seconds=0)) as here:
            task = await asked_and_left(here, clock, there)
            notice = await sent(here, task, NoticeState.REFUSED, 1, None)
            warning = (await here.store.events(task.id, 0, 100))[-1]
            assert (warning.type, warning.data["code"]) == (EventType.WARNING, "callback_refused")
            assert "hooks.example, which is at a loopback address" in warning.data["message"]
            await here.store.request_cancel(task.id)

            async def refused_again() -> bool:
                latest = (await here.outbox.latest([task.id]))[task.id]
                return latest.state is NoticeState.REFUSED and latest.seq > notice.seq

            await eventually(refused_again)
            assert (await here.store.events(task.id, 0, 100))[-1].type is EventType.CANCELLED
            assert receiver.got == []

    live(story)


def test_a_program_that_closes_lets_an_attempt_be_answered(state_dir: Path) -> None:
    async def story(receiver: Receiver, url: str) -> None:
        async with running(program(state_dir)) as here:
            await submit(here, callback={"url": url})
            await receiver.next()
        async with running(program(state_dir, clock=SteppedClock(time.time() + 2 * LEASE))):
            pass
        assert len(receiver.got) == 1

    live(story)
