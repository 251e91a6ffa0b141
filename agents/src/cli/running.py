"""What every command does around its own work: read the settings, set up the log, open the state, close it again."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from agents.src.bootstrap import Parts, bootstrap
from agents.src.services.logs import configure_logs
from agents.src.settings import Settings, read_settings
from agents.src.skills import Catalogue

T = TypeVar("T")
Assemble = Callable[[Settings], Parts]


def quiet_settings() -> Settings:
    """The settings of a command that answers on stdout; its log tells of warnings only. Raises Misconfigured."""
    settings = read_settings()
    configure_logs(settings, at_least="warning")
    return settings


def with_skills(settings: Settings) -> Parts:
    """All parts; only tasks that are submitted here run here, in any folder: whoever names it is at home on this machine."""
    anywhere = settings.model_copy(update={"workdirs": (Path("/"),)})
    return bootstrap(anywhere, alone=True, author=author())


def state_only(settings: Settings) -> Parts:
    """Parts without skills and engines: what is kept can be looked at though a skill is broken."""
    return bootstrap(settings, alone=True, catalogue=Catalogue.of(()), engines={})


def author() -> str:
    """Who uses the command line, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name
        return "local"


def with_parts(assemble: Assemble, work: Callable[[Parts], Awaitable[T]]) -> T:
    """Runs `work` on parts that are opened before it and closed after it."""
    settings = quiet_settings()

    async def run() -> T:
        parts = assemble(settings)
        try:
            await parts.open()
            return await work(parts)
        finally:
            await parts.close()

    return asyncio.run(run())
