"""The server on this machine: `agents serve`, as a process, with a state and an environment of its own."""

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.stories.house import ROOT, collect_skills

AGENTS = [sys.executable, "-c", "from agents.src.cli.main import main; main()"]
REHEARSAL = ROOT / "agents" / "skills" / "planning" / "rehearsals" / "plan.yaml"
PATIENCE = 30
NONE: Mapping[str, str] = MappingProxyType({})


class LocalServer:
    """Implements `Place`. It can be ended and started again, at the same address and with the same state."""

    def __init__(
        self,
        folder: Path,
        skills: Path,
        database_url: str | None = None,
        shared_memory: Mapping[str, str] = NONE,
        settings: Mapping[str, str] = NONE,
    ) -> None:
        self.token = secrets.token_urlsafe(32)
        self.shared_memory = shared_memory
        self.database_url = database_url
        self.state_dir = folder / "state"
        self._port = free_port()
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder / "home"),
            "MODAL_INVOKE_STATE_DIR": str(self.state_dir),
            "MODAL_INVOKE_SKILLS_DIR": str(skills),
            "MODAL_INVOKE_TOKEN": self.token,
            "MODAL_INVOKE_REHEARSAL": str(REHEARSAL),
            "CALLBACK_PRIVATE_ADDRESSES": "true",  # of a story, on this machine
            **({"DATABASE_URL": database_url} if database_url else {}),
            **shared_memory,
            **settings,
        }
        (folder / "home").mkdir(parents=True)
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> Path:
        return self._folder / "server.log"

    def start(self) -> None:
        """Returns once it answers."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*AGENTS, "serve", "--port", str(self._port)],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"Listening on {self.url}\n", self.log.read_text()

    def end(self, number: signal.Signals) -> int:
        """Sends the signal; the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.communicate(timeout=PATIENCE)
        finally:
            self._process.kill()
        return self._process.returncode

    def lose(self, worker: int, processes: Set[int]) -> None:
        """The run's processes live on: to end them is for the server that comes back."""
        assert self._process is not None
        assert worker == self._process.pid
        self.end(signal.SIGKILL)
        self.start()

    def agents(self, *words: str) -> str:
        command = [*AGENTS, *words]
        return subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout


@contextmanager
def served(
    folder: Path,
    database_url: str | None = None,
    shared_memory: Mapping[str, str] = NONE,
    settings: Mapping[str, str] = NONE,
) -> Iterator[LocalServer]:
    """A server that answers. It must stop when it is told to, have met no error of its own, and have kept its token to itself."""
    server = LocalServer(folder, collect_skills(folder / "skills"), database_url, shared_memory, settings)
    server.start()
    try:
        yield server
    finally:
        code = server.end(signal.SIGTERM)
    assert code == -signal.SIGTERM
    assert not [word for word in ("Traceback", server.token) if word in server.log.read_text()]


def free_port() -> int:
    """Below the range that the system hands out, where nobody takes the port while the server is away."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) != 0:
                return port
