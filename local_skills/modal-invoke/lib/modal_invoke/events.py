"""A task's event stream: every event in order, once, over as many connections as it takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from modal_invoke.stop import Exit, Stop
from modal_invoke.transport import ANSWER_SECONDS, LONGEST_PAUSE, Again, Request, Transport

SILENCE_SECONDS = 45.0  # the server sends a comment every 15
STEADY_SECONDS = 10.0  # after which a connection counts as good although nothing new came
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
TERMINAL = frozenset({"completed", "failed", "cancelled"})


class Event(NamedTuple):
    """`seq` counts from 1 without holes; docs/events.md lists the types and their data."""

    seq: int
    type: str
    data: dict[str, Any]


class DeadlinePassed(Exception):
    """The task may go on; the user does not want to wait any longer."""


class Deadline:
    """The moment until which the user wants to wait; without seconds, there is none."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def within(self, seconds: float) -> float:
        """These seconds, or fewer where the deadline comes first. Raises DeadlinePassed when it has come."""
        if self._end is None:
            return seconds
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return min(seconds, left)


class Outage:
    """How long the server has been away, and when to try again."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._tries = 0
        self._since = 0.0

    def over(self) -> None:
        self._tries = 0

    def pause(self, again: Again) -> float:
        """Seconds until the next try. Raises Stop when the patience is at its end."""
        now = time.monotonic()
        if self._tries == 0:
            self._since = now
        if now - self._since > self._patience:
            raise again.stop
        pause = again.after or PAUSES[min(self._tries, len(PAUSES) - 1)]
        self._tries += 1
        return min(pause, LONGEST_PAUSE)


class Stream:
    """Remembers the last event seen, so that `events` can be called again after an interruption."""

    def __init__(self, transport: Transport, task_id: str, patience: float) -> None:
        self._transport = transport
        self._path = f"/api/tasks/{quote(task_id, safe='')}/events"
        self._patience = patience
        self._last = 0

    def events(self, deadline: Deadline) -> Iterator[Event]:
        """What is new, up to the terminal event. Raises Stop when the server stays away for longer than the patience."""
        outage = Outage(self._patience)
        while True:
            try:
                for event in self._connection(deadline, outage):
                    yield event
                    if event.type in TERMINAL:
                        return
            except Again as again:
                time.sleep(deadline.within(outage.pause(again)))

    def _connection(self, deadline: Deadline, outage: Outage) -> Iterator[Event]:
        """What is new on one connection. Raises Again when it ends."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(self._last)} if self._last else {})}
        request = Request("GET", self._path, headers, timeout=deadline.within(ANSWER_SECONDS))
        opened = time.monotonic()
        with self._transport.open(request) as reply:
            for event in parse(reply.lines(lambda: deadline.within(SILENCE_SECONDS))):
                new = event and event.seq > self._last
                if new or time.monotonic() - opened > STEADY_SECONDS:
                    outage.over()
                if event and new:
                    self._last = event.seq
                    yield event
        raise Again(Stop(Exit.UNREACHABLE, "The server ends the event stream before the task has ended."))


class Announcements:
    """What comes into the caller's inbox, over as many connections as it takes. Never ends by itself."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._told: set[str] = set()

    def entries(self) -> Iterator[dict[str, Any]]:
        """Each once, those that wait already first. Raises Stop where the server refuses."""
        pauses = iter(PAUSES)
        while True:
            try:
                for entry in self._connection():
                    pauses = iter(PAUSES)
                    yield entry
            except Again as again:
                time.sleep(min(again.after or next(pauses, PAUSES[-1]), LONGEST_PAUSE))

    def _connection(self) -> Iterator[dict[str, Any]]:
        request = Request("GET", "/api/inbox/events", {"Accept": "text/event-stream"}, timeout=ANSWER_SECONDS)
        with self._transport.open(request) as reply:
            for document in documents(reply.lines(lambda: SILENCE_SECONDS)):
                entry = json.loads(document) if document else {}
                if entry and entry["id"] not in self._told:
                    self._told.add(entry["id"])
                    yield entry
        raise Again(Stop(Exit.UNREACHABLE, "The server ends the stream."))


def parse(lines: Iterable[bytes]) -> Iterator[Event | None]:
    """The events of a stream, and None for each comment: a sign of life."""
    return (None if document is None else read(document) for document in documents(lines))


def documents(lines: Iterable[bytes]) -> Iterator[str | None]:
    """The data of each frame, and None for each comment. A frame that was cut short is left out."""
    data: list[str] = []
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith(":"):
            yield None
        elif text.startswith("data:"):
            data.append(text[5:])
        elif not text and data:
            yield "\n".join(data)
            data = []


def read(text: str) -> Event:
    try:
        event = json.loads(text)
        return Event(int(event["seq"]), str(event["type"]), dict(event.get("data") or {}))
    except (ValueError, KeyError, TypeError):
        raise Stop(Exit.UNREACHABLE, "The server's event stream is not of the documented form.") from None
