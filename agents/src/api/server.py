"""The uvicorn server as this program runs it: one process, on a socket that listens already."""

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

from uvicorn import Config, Server

from agents.src.api.app import create_app, spare_the_collector
from agents.src.bootstrap import Parts

GRACE = 5
"""Seconds that requests under way get when the server is told to stop."""


class ClosingServer(Server):
    """Ends the event streams as soon as it is told to stop; uvicorn alone would wait for them."""

    def __init__(self, config: Config, parts: Parts, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._parts = parts
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a closed terminal; under nohup it is ignored, and stays so
            signal.signal(signal.SIGHUP, self.handle_exit)
        await super().startup(sockets)
        spare_the_collector()
        for listener in sockets or []:
            self._ready(url_of(listener))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        asyncio.get_running_loop().call_soon_threadsafe(self._parts.hub.close)


def serve_parts(parts: Parts, listener: socket.socket, ready: Callable[[str], None], log_requests: bool = False) -> None:
    """Serves until a signal says stop; open streams end then, and tasks under way go back to the queue.

    `ready` is called with the server's URL once it answers.
    """
    config = Config(
        create_app(parts),
        loop="auto",  # uvloop where there is one
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=log_requests,
        proxy_headers=False,  # an address that a client may choose limits nobody's guessing
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    ClosingServer(config, parts, ready).run(sockets=[listener])


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
