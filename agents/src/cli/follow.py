"""Following a task on the terminal: a progress bar that is rewritten, or plain lines where stderr is no terminal."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from typing import Any, Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from agents.src.bootstrap import Parts
from agents.src.cli.output import clean, learned, note, stderr
from agents.src.errors import Unavailable
from agents.src.tasks import Event, EventType, Task, dollars, tail

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
        self.unsaid: frozenset[EventType] = frozenset()
        """What somebody else tells."""

    def __enter__(self) -> Self:
        if self._live:
            self._open.enter_context(self._progress)
            self._bar = self._progress.add_task("waiting", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While somebody types."""
        self._progress.stop() if self._live else None
        try:
            yield
        finally:
            self._progress.start() if self._live and self._bar is not None else None

    def show(self, event: Event) -> None:
        if event.type in self.unsaid:
            return
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


QUESTIONS = frozenset(
    {
        *(EventType.QUESTION_ASKED, EventType.QUESTION_PASSED_ON, EventType.QUESTION_ANSWERED, EventType.QUESTION_EXPIRED),
        EventType.BUDGET_RAISED,
    }
)
STEERED = frozenset({EventType.SAID, EventType.PAUSED, EventType.RESUMED})
LASTING = frozenset({EventType.WARNING, EventType.REQUEUED, EventType.REMEMBERED, *QUESTIONS, *STEERED})
"""Worth a line of their own beside a progress bar."""
PASSING = frozenset({EventType.TEXT, EventType.STDERR, EventType.TOOL_RESULT})
"""Shown only while they are the newest."""


FIXED = {
    EventType.PARKED: "waits for an answer; its process has ended",
    EventType.PAUSE_REQUESTED: "is being paused",
    EventType.PAUSED: "is paused; its process has ended",
    EventType.RESUMED: "is resumed",
    EventType.CANCEL_REQUESTED: "is being cancelled",
}
"""What is said of events that say no more."""


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
        case kind if kind in QUESTIONS:
            line = of_question(event)
        case EventType.SAID:
            line = f"{data.get('by', 'the caller')} says: {data.get('text', '')}"
        case EventType.REQUEUED:
            line = f"will be tried again: {data.get('reason', '')}"
        case kind:
            line = FIXED.get(kind, "")
    prefix = "warning: " if event.type is EventType.WARNING else ""
    return prefix + " ".join(clean(str(line)).split()) if line else ""


def of_question(event: Event) -> str:
    """What was asked, of whom, and what came of it."""
    data = event.data
    match event.type:
        case EventType.QUESTION_ASKED:
            labels = " | ".join(choice.get("label", "") for choice in data.get("choices", ()))
            return f"asks: {data.get('text', '')}" + (f" [{labels}]" if labels else "")
        case EventType.QUESTION_PASSED_ON:
            return f"asks the {data.get('to')} now"
        case EventType.QUESTION_ANSWERED:
            said = ", ".join([*data.get("choices", ()), *filter(None, [data.get("text")])]) or data.get("action", "")
            return f"answered by {data.get('by')}: {said}"
        case EventType.BUDGET_RAISED:
            return f"the {data.get('whose')}'s budget is raised to {dollars(data.get('to_usd', 0.0))}"
        case _:
            return "nobody has answered"


async def each(batches: AsyncIterator[Sequence[Event]]) -> AsyncIterator[Event]:
    async for batch in batches:
        for event in batch:
            yield event


async def never(_: Event) -> bool:
    return False


async def follow(parts: Parts, task_id: str, screen: Screen, heard: Callable[[Event], Awaitable[bool]] = never) -> Task:
    """Shows the task's events from the first on, until its end; the task as it ended. Raises UnknownTask, Unavailable.

    `heard` is told of each, and may say that it is enough; then it is the task as it stands.
    """
    with screen:
        async with aclosing(tail(parts.store, parts.hub, task_id)) as batches:
            async for event in each(batches):
                screen.show(event)
                if await heard(event):
                    return await parts.store.get(task_id)
    task = await parts.store.get(task_id)
    if not task.status.ended:
        raise Unavailable(f"Task {task_id} can be followed no longer; it is {task.status}.")
    return task
