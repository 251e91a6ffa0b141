"""The `noop` skill: an engine in the process itself that answers at once, so that only the product is measured."""

from collections.abc import AsyncGenerator
from pathlib import Path

from agents.src.bootstrap import Parts, bootstrap
from agents.src.settings import Settings
from agents.src.skills import Catalogue, Skill
from agents.src.tasks import Brief, Draft, Result, Workspace

NOOP = Skill(name="noop", description="Does nothing.", instruction="Do nothing.", folder=Path("noop"))


class NoopEngine:
    """Implements `Engine`."""

    uses_folder = False

    async def run(self, brief: Brief, workspace: Workspace) -> AsyncGenerator[Draft | Result, None]:
        yield Result(text="done")


def noop_parts(settings: Settings) -> Parts:
    """The program with the `noop` skill alone."""
    return bootstrap(settings, catalogue=Catalogue.of([NOOP]), engines={"claude": NoopEngine()})
