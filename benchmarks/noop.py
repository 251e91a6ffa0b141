"""Engines in the process itself, so that only the product is measured: `noop` answers at once, `talk` tells the time."""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from agents.src.bootstrap import Parts, bootstrap
from agents.src.settings import Settings
from agents.src.skills import Catalogue, Skill
from agents.src.tasks import Ask, Brief, Draft, EventType, Result, Workspace

NOOP = Skill(name="noop", description="Does nothing.", instruction="", folder=Path("noop"), engine="script", run="noop")
TALK = Skill(name="talk", description="Tells the time 20 times.", instruction="Talk.", folder=Path("talk"))
SENTENCES = 20
PAUSE = 0.23
"""Seconds between two sentences."""
GATHERING = 3.0
"""Seconds before the first, in which followers connect: that they do so is not what is measured."""


class NoopEngine:
    """Implements `Engine`."""

    uses_folder = False
    goes_on = False

    async def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        if brief.skill == TALK.name:
            await asyncio.sleep(GATHERING)
            for _ in range(SENTENCES):
                await asyncio.sleep(PAUSE)
                yield Draft(EventType.PROGRESS, {"sent": time.time()})
        yield Result(text="done")


def noop_parts(settings: Settings) -> Parts:
    """The program with these skills alone."""
    return bootstrap(settings, catalogue=Catalogue.of([NOOP, TALK]), engines=dict.fromkeys(("script", "claude"), NoopEngine()))
