"""Loopback ports of servers under measurement."""

import socket
import time


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_up(port: int, seconds: float = 20) -> float:
    """Seconds until the port takes connections. Raises TimeoutError."""
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return time.perf_counter() - started
    raise TimeoutError(f"nothing listens on port {port}")
