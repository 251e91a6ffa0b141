"""Server processes under measurement, on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

HERE = Path(__file__).parent
TOKEN = "benchmark-token-benchmark-token-benchmark"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_up(port: int, seconds: float = 20) -> None:
    """Returns when the port takes connections. Raises TimeoutError."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


@contextmanager
def served(
    arguments: list[str], state: Path, cap: int = 64, database_url: str | None = None
) -> Iterator[tuple[psutil.Process, int]]:
    """A server process of this folder, and its port; stopped at the end."""
    port = free_port()
    settings = {"MODAL_INVOKE_TOKEN": TOKEN, "MODAL_INVOKE_STATE_DIR": str(state), "MAX_CONCURRENT_TASKS": str(cap)}
    settings |= {"DATABASE_URL": database_url} if database_url else {}
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:], "--port", str(port)]
    server = subprocess.Popen(command, env={**os.environ, **settings})
    try:
        wait_until_up(port)
        yield psutil.Process(server.pid), port
    finally:
        server.terminate()
        server.wait()


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)
