"""Runs the client as its user does: a process of its own, with a clean environment and a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "local_skills" / "modal-invoke" / "bin" / "modal-invoke"
PATIENT = 60  # seconds after which a hanging client fails its test


@dataclass(frozen=True)
class Done:
    """How the client ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Client:
    """The command `modal-invoke` of a user with this home. Works against any server: `Client(home, url, token)`."""

    home: Path
    url: str | None = None
    token: str | None = None
    python: str = sys.executable
    program: Path = PROGRAM
    env: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        known = {"MODAL_INVOKE_URL": self.url, "MODAL_INVOKE_TOKEN": self.token}
        # The bytecode would lie in the plugin's folder, which is being installed by other tests.
        base = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        return base | {name: value for name, value in known.items() if value} | dict(self.env)

    def __call__(self, *args: str, stdin: str | bytes = "") -> Done:
        done = subprocess.run(
            [self.python, self.program, *args],
            cwd=self.home,
            env=self.environment(),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=PATIENT,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def started(self, *args: str, **streams: Any) -> Iterator[subprocess.Popen[str]]:
        """The running client, with pipes unless `streams` says otherwise."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        process = subprocess.Popen(
            [self.python, self.program, *args],
            cwd=self.home,
            env=self.environment(),
            encoding="utf-8",
            start_new_session=True,
            **pipes,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def config(self) -> Path:
        return self.home / ".config" / "modal-invoke" / "config.json"


def mode(path: Path) -> int:
    return os.stat(path).st_mode & 0o777  # noqa: PTH116  # the same call the client's user would make
