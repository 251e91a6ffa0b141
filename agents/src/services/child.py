"""A child process with three pipes.

Unlike `asyncio.subprocess.Process` it tells of the program's exit though somebody else still holds a pipe (a daemon that the
program left behind), and it closes without leaving anything to the garbage collector.
"""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

BUFFER = 256 << 10  # bytes; asyncio reads up to twice as many ahead, and then lets the program wait
STDIN, STDOUT, STDERR = 0, 1, 2


class _Watch(asyncio.SubprocessProtocol):
    """What the event loop calls."""

    def __init__(self) -> None:
        self.streams = {STDOUT: asyncio.StreamReader(limit=BUFFER), STDERR: asyncio.StreamReader(limit=BUFFER)}
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()
        self._open = {STDIN, STDOUT, STDERR}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        for fd, stream in self.streams.items():
            if pipe := cast(asyncio.SubprocessTransport, transport).get_pipe_transport(fd):
                stream.set_transport(pipe)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.streams[fd].feed_data(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  # a broken pipe ends like any other
        if fd in self.streams:
            self.streams[fd].feed_eof()
        self._open.discard(fd)
        if not self._open:
            self.closed.set()

    def process_exited(self) -> None:
        self.exited.set()


class Child:
    """A started program, the leader of a session of its own."""

    def __init__(self, transport: asyncio.SubprocessTransport, watch: _Watch) -> None:
        self.stdout = watch.streams[STDOUT]
        self.stderr = watch.streams[STDERR]
        self._transport = transport
        self._watch = watch

    @classmethod
    async def start(cls, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "Child":
        """Raises OSError where the command cannot be run."""
        loop = asyncio.get_running_loop()
        return cls(
            *await loop.subprocess_exec(
                _Watch, *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=folder, env=environment, start_new_session=True
            )
        )

    def send(self, data: bytes, *, last: bool = False) -> None:
        """Gives the program something on its stdin, and the end of the file behind the `last`. It need not read it."""
        pipe = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(STDIN))
        with suppress(RuntimeError):  # uvloop's word for a pipe whose reader has already gone
            pipe.write(data)
            if last:
                pipe.write_eof()

    async def exit(self) -> int:
        """Waits for the program to end: its exit code, or the negative number of the signal that ended it."""
        await self._watch.exited.wait()
        return cast(int, self._transport.get_returncode())

    def close_pipes(self) -> None:
        """Closes the pipes of a program that has ended. What was read ahead can still be read, then comes the end."""
        self._transport.close()

    async def close(self) -> None:
        """Ends the program, where it has not ended, with its process group; and closes the pipes."""
        if not self._watch.exited.is_set():
            with suppress(ProcessLookupError):  # it has just ended, and word of it is on its way
                os.killpg(self._transport.get_pid(), signal.SIGKILL)
        await self._watch.exited.wait()  # first: a transport that is closed before takes the exit code from asyncio
        self._transport.close()
        await self._watch.closed.wait()
