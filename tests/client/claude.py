"""Claude Code as a user of the client has it: the real one, with a home of its own, and a scripted model."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import claude_agent_sdk

from agents.src.services.rehearsal import Rehearsal, Reply, Script, ToolCall
from tests.client.driver import ROOT

CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
TYPED = '/modal-invoke planning "Create auth system plan"'
COMMAND = 'modal-invoke run planning "Create auth system plan"'


@dataclass(frozen=True)
class ClaudeCode:
    """Claude Code with a home of its own, which reaches nothing but loopback."""

    home: Path
    cwd: Path | None = None

    async def __call__(self, *args: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Exit code and standard output."""
        process = await asyncio.create_subprocess_exec(
            CLAUDE,
            *args,
            cwd=self.cwd or self.home,
            env=self._environment() | dict(env or {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, out.decode()

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "CLAUDE_CONFIG_DIR": str(self.home / ".claude"),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "ANTHROPIC_API_KEY": "dummy-key",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "MODAL_INVOKE_AGENTS": "",  # the plugin's hooks are switched off, but for those who test them
        }


def install_plugin(claude: ClaudeCode) -> None:
    """As docs/client.md says."""
    for args in (["marketplace", "add", str(ROOT)], ["install", "modal-invoke@modal-invoke"]):
        code, out = asyncio.run(claude("plugin", *args))
        assert code == 0, out


def bash(command: str) -> Reply:
    return Reply(tools=(ToolCall(name="Bash", input={"command": command, "description": "Runs the skill"}),))


def converse(
    claude: ClaudeCode, url: str, token: str, args: list[str], *replies: Reply, env: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], Rehearsal]:
    """What `claude -p` printed with this modal-invoke server at hand, and the rehearsal it talked to."""

    async def run() -> tuple[dict[str, Any], Rehearsal]:
        async with Rehearsal(Script(replies=replies)) as rehearsal:
            given = {"ANTHROPIC_BASE_URL": rehearsal.url, "MODAL_INVOKE_URL": url, "MODAL_INVOKE_TOKEN": token, **(env or {})}
            code, out = await claude("-p", *args, "--output-format", "json", env=given)
            assert code == 0, out
            return json.loads(out), rehearsal

    return asyncio.run(run())
