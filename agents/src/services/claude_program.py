"""The program that starts Claude Code, with a way to the model on which the key stays here."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agents.src.services.claude_credentials import Credentials
from agents.src.services.claude_environment import find_claude, launcher
from agents.src.services.messages_proxy import messages_proxy
from agents.src.services.processes import MARK

QUIET = {
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
}


@dataclass(frozen=True, slots=True)
class ClaudeProgram:
    """`cli`: the `claude` program; None finds it. `environment`: what its processes get beside the few variables all have."""

    cli: Path | None
    retries: int
    environment: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def opened(self, url: str, credentials: Credentials, folder: Path, run_id: str) -> AsyncIterator[Path]:
        """Opens the way to the model at `url`, and gives the program that starts Claude Code on it, beside `folder`.

        Raises EngineFailed where there is no `claude`.
        """
        async with messages_proxy(url, credentials.secret) as entrance:
            environment = {
                **self.environment,
                **QUIET,
                MARK: run_id,
                "ANTHROPIC_BASE_URL": entrance.url,
                credentials.variable: entrance.key,
                "CLAUDE_CODE_MAX_RETRIES": str(self.retries),
            }
            with launcher(self.cli or find_claude(), folder, environment) as program:
                yield program
