"""From an answer to the held run that goes on: what of it is the server's, and what is Claude Code's.

    python benchmarks/answering.py [--tasks 6]

A task of the assembled program asks, with each of the two tools in turn, and is held; the answer comes over HTTP, on an open
connection. Five answers of each task to each tool are counted. The server's part ends when its hook hands the decision to the SDK
of Claude Code; the rest, to the next request of the model, is Claude Code's own. Beside it a tool that asks nobody, Read: from
the request that is answered with the call to the next one. The model is a rehearsal.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # also without the package installed

import httpx
import structlog

from agents.src.api.app import create_app
from agents.src.services.claude_asking import Asker
from agents.src.services.claude_questions import ASK_CALLER, ASK_USER
from agents.src.services.loopback import serve
from agents.src.services.rehearsal import Rehearsal
from agents.src.tasks import Event, EventType
from benchmarks.parking import HELD, TIMES, House

SENT, COMMITTED, ANSWERED, DECIDED, ASKED_MODEL = "sent", "committed", "answered", "decided", "asked the model"
READ = "Read"
STEPS = {
    "answer sent → committed": (SENT, COMMITTED),
    "committed → hook's decision": (COMMITTED, DECIDED),
    "the server's part": (SENT, DECIDED),
    "Claude Code's: decision → next request": (DECIDED, ASKED_MODEL),
    "answer sent → HTTP answer": (SENT, ANSWERED),
    "in all": (SENT, ASKED_MODEL),
}


class Watch:
    """When what happened for the first time since `start`."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.requests: list[float] = []
        """When the model was asked, however often."""
        self.news = asyncio.Event()

    def start(self) -> None:
        self.at = {SENT: time.perf_counter()}

    def mark(self, what: str) -> None:
        self.at.setdefault(what, time.perf_counter())
        self.news.set()

    def hear(self, events: Sequence[Event]) -> None:
        if any(event.type is EventType.QUESTION_ANSWERED for event in events):
            self.mark(COMMITTED)

    async def until(self, what: str) -> None:
        async with asyncio.timeout(60):
            while what not in self.at:
                self.news.clear()
                await self.news.wait()

    def after(self, method: Callable[..., Awaitable[Any]], what: str) -> Callable[..., Awaitable[Any]]:
        """The method, which marks its end."""

        async def watched(*values: Any) -> Any:
            result = await method(*values)
            self.mark(what)
            return result

        return watched

    def before(self, method: Callable[..., Awaitable[Any]], what: str) -> Callable[..., Awaitable[Any]]:
        """The method, which marks its beginning."""

        async def watched(*values: Any) -> Any:
            self.requests.append(time.perf_counter())
            self.mark(what)
            return await method(*values)

        return watched


async def answers(house: House, web: httpx.AsyncClient, watch: Watch, took: dict[str, dict[str, list[float]]]) -> None:
    """Adds milliseconds by tool and step."""
    task = await house.submit()
    for number in range(2 * TIMES):
        await house.when(EventType.QUESTION_ASKED, number + 1)
        await asyncio.sleep(0.3)  # what Claude Code still writes has been written
        asked = await house.pending(task)
        watch.start()
        answer = await web.post(f"/api/questions/{asked.id}/answer", json={"action": "accept", "text": "yes"})
        watch.mark(ANSWERED)
        answer.raise_for_status()
        await watch.until(ASKED_MODEL)
        if number >= 2:  # the first time warms up
            for step, (begin, end) in STEPS.items():
                took[(ASK_CALLER, ASK_USER)[number % 2]][step].append(1000 * (watch.at[end] - watch.at[begin]))
    await house.when(EventType.COMPLETED)
    # After the first request there are three of each round; the last of them follows the Read.
    reads = range(5, 3 * TIMES, 3)
    took[READ]["in all"] += [1000 * (watch.requests[number + 1] - watch.requests[number]) for number in reads]
    watch.requests.clear()


async def measured(state: Path, tasks: int) -> None:
    watch = Watch()
    Asker.hook = watch.after(Asker.hook, DECIDED)  # type: ignore[method-assign, assignment]
    Rehearsal._messages = watch.before(Rehearsal._messages, ASKED_MODEL)  # type: ignore[method-assign, assignment]
    took: dict[str, dict[str, list[float]]] = {tool: {step: [] for step in STEPS} for tool in (ASK_CALLER, ASK_USER)}
    took[READ] = {"in all": []}
    async with House(state, HELD, 60) as house, serve(create_app(house.parts)) as url:
        house.parts.hub.listeners.insert(0, watch.hear)
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {'x' * 40}"}, trust_env=False) as web:
            for _ in range(tasks):
                await answers(house, web, watch, took)
    for tool, steps in took.items():
        print(f"{tool}, ms, p50 (least–most) of {len(steps['in all'])}")
        for step, ms in steps.items():
            print(f"  {step:40} {statistics.median(ms):6.1f} ({min(ms):.1f}–{max(ms):.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=6)
    tasks = parser.parse_args().tasks
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="answering-") as folder:
        asyncio.run(measured(Path(folder), tasks))


if __name__ == "__main__":
    main()
