"""The real Claude Code as a person has it: in a terminal, with keys to press and a screen to read."""

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.client.claude import CLAUDE, ClaudeCode

ROWS, COLUMNS = 50, 160
PATIENCE = 60.0
"""Seconds after which a test that waits gives up."""
STEERING = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[()][A-B0-2]")
RULES = {"permissions": {"allow": ["Skill(modal-invoke)", "Bash(modal-invoke *)"]}}


def settle_in(claude: ClaudeCode, folder: Path) -> None:
    """What a person has done once: the welcome, the key, trust in this folder, and the rules that docs/client.md names."""
    config = claude.home / ".claude" / ".claude.json"
    known = json.loads(config.read_text())
    known |= {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": ["dummy-key"], "rejected": []},
    }
    known.setdefault("projects", {})[str(folder)] = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    config.write_text(json.dumps(known))
    settings = claude.home / ".claude" / "settings.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), **RULES}))


class Terminal:
    """What was written to it is `text`, without what steers the cursor; so words may stand without the spaces between them."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._seen = b""
        self._grown = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        with suppress(OSError):
            self._seen += os.read(self._master, 1 << 16)
        self._grown.set()

    @property
    def text(self) -> str:
        return STEERING.sub(b"", self._seen).decode(errors="replace")

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def until(self, shown: str | Callable[[], bool]) -> None:
        """Waits until these words are on the screen, or something else is so."""
        there = shown if callable(shown) else lambda: squeezed(shown) in squeezed(self.text)
        try:
            async with asyncio.timeout(PATIENCE):
                while not there():
                    self._grown.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._grown.wait(), 0.2)
        except TimeoutError:
            raise AssertionError(f"waited for {shown!r}; the screen's end: {self.text[-2000:]}") from None


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@asynccontextmanager
async def session(claude: ClaudeCode, folder: Path, env: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """Claude Code in a terminal, until this is left."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = claude._environment() | {"TERM": "xterm-256color", **env}
    # The other modes begin with an offer of a mode that asks a service, which a scripted model is not.
    command = [str(CLAUDE), "--permission-mode", "acceptEdits"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    try:
        yield Terminal(master)
    finally:
        asyncio.get_running_loop().remove_reader(master)
        process.kill()
        await process.wait()
        os.close(master)
