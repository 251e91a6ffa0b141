"""Following a task on the terminal: a progress bar that is rewritten, or plain lines where stderr is no terminal."""

from contextlib import ExitStack
from typing import Any, Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from agents.src.bootstrap import Parts
from agents.src.cli.output import clean, learned, note, stderr
from agents.src.errors import Unavailable
from agents.src.tasks import Event, EventType, Task, tail

STEP = 0.1
"""Of the whole, between two printed lines of progress."""
LONGEST_LINE = 60


class Screen:
    """Shows events to somebody who waits. Quiet where the answer is JSON and nobody watches."""

    def __init__(self, quiet: bool = False) -> None:
        console = stderr()
        self._live = console.is_terminal and not quiet
        self._quiet = quiet
        self._printed = -1.0
        columns = (SpinnerColumn(), BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        self._progress = Progress(*columns, console=console, transient=True)
        self._bar: TaskID | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._live:
            self._open.enter_context(self._progress)
            self._bar = self._progress.add_task("waiting", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def show(self, event: Event) -> None:
        line = describe(event)
        fraction = event.data.get("fraction") if event.type is EventType.PROGRESS else None
        if self._bar is not None:
            self._update(event.type, line, fraction)
        elif line and not self._quiet and self._due(event.type, fraction):
            note(f"{fraction:4.0%} {line}" if fraction is not None else line)

    def _update(self, kind: EventType, line: str, fraction: float | None) -> None:
        assert self._bar is not None  # the caller asked
        if kind in LASTING and line:
            self._progress.console.print(Text(line))
        changes: dict[str, Any] = {"description": line[:LONGEST_LINE]} if line else {}
        if fraction is not None:
            changes |= {"completed": fraction, "total": 1.0}
        self._progress.update(self._bar, **changes)

    def _due(self, kind: EventType, fraction: float | None) -> bool:
        if kind in PASSING:
            return False
        if fraction is None:
            return True
        due = fraction >= self._printed + STEP or fraction < self._printed
        if due:
            self._printed = fraction
        return due


LASTING = frozenset({EventType.WARNING, EventType.REQUEUED, EventType.REMEMBERED})
"""Worth a line of their own beside a progress bar."""
PASSING = frozenset({EventType.TEXT, EventType.STDERR, EventType.TOOL_RESULT})
"""Shown only while they are the newest."""


def describe(event: Event) -> str:
    """A short line for an event; empty for one that nobody needs to see."""
    data = event.data
    match event.type:
        case EventType.STARTED:
            return "started" if data.get("attempt", 1) == 1 else f"started, attempt {data['attempt']}"
        case EventType.PROGRESS | EventType.WARNING:
            line = data.get("message") or ""
        case EventType.TEXT | EventType.STDERR:
            line = data.get("text") or ""
        case EventType.REMEMBERED:
            line = learned(data) + (" (waits for a review)" if data.get("held") else "")
        case EventType.TOOL_CALL:
            line = f"uses {data.get('name', 'a tool')}"
        case EventType.REQUEUED:
            line = f"will be tried again: {data.get('reason', '')}"
        case EventType.CANCEL_REQUESTED:
            line = "is being cancelled"
        case _:
            line = ""
    prefix = "warning: " if event.type is EventType.WARNING else ""
    return prefix + " ".join(clean(str(line)).split()) if line else ""


async def follow(parts: Parts, task_id: str, screen: Screen) -> Task:
    """Shows the task's events from the first on, until its end; the task as it ended. Raises UnknownTask, Unavailable."""
    with screen:
        async for batch in tail(parts.store, parts.hub, task_id):
            for event in batch:
                screen.show(event)
    task = await parts.store.get(task_id)
    if not task.status.ended:
        raise Unavailable(f"Task {task_id} can be followed no longer; it is {task.status}.")
    return task
