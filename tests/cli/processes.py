"""The command as a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast

COMMAND = [sys.executable, "-c", "from agents.src.cli.main import main; main()"]
ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-tests-that-is-long-enough"
PATIENCE = 30.0


def start(*words: str, **env: str) -> subprocess.Popen[str]:
    """`agents WORDS…`, with pipes for stdout and stderr."""
    return subprocess.Popen(
        [*COMMAND, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], number: signal.Signals | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr, after the signal if one is given."""
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@contextmanager
def closing(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Ends the process however the test goes."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def server(*words: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that answers, and its URL."""
    with closing(start("serve", "--port", "0", *words, **{"MODAL_INVOKE_TOKEN": TOKEN, **env})) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"Listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found, (line, process.stderr.read() if process.stderr and not line else "")
        yield process, found[1]


def call(url: str, path: str, body: dict[str, Any] | None = None, token: str = TOKEN, **headers: str) -> HTTPResponse:
    data = json.dumps(body).encode() if body else None
    all_headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(url + path, data=data, headers=all_headers)
    return cast(HTTPResponse, urllib.request.urlopen(request, timeout=PATIENCE))


def fetch(url: str, path: str, body: dict[str, Any] | None = None, token: str = TOKEN, **headers: str) -> dict[str, Any]:
    with call(url, path, body, token, **headers) as response:
        document: dict[str, Any] = json.load(response)
    return document
