"""The noun: what a task's record keeps of what it said. The log of events has all of it."""

from collections import deque

from agents.src.records import Kept
from agents.src.tasks.event import Draft, EventType

LAST_LINES = 200
MOST_ERRORS = 1000
LONGEST_LINE = 2000
"""Characters of a line; a longer one loses its end."""
SAID = frozenset({EventType.TEXT, EventType.STDERR})


class Output(Kept):
    """The last lines of all that was said, and the error lines from the first on.

    `left_out`: how many more error lines there were. Blank ones are none.
    """

    lines: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    left_out: int = 0

    def then(self, later: "Output") -> "Output":
        """Both, one after the other."""
        errors = self.errors + later.errors
        return Output(
            lines=(self.lines + later.lines)[-LAST_LINES:],
            errors=errors[:MOST_ERRORS],
            left_out=self.left_out + later.left_out + len(errors[MOST_ERRORS:]),
        )

    @property
    def told_errors(self) -> tuple[str, ...]:
        """The error lines, and a last line that says how many more the events have."""
        if not self.left_out:
            return self.errors
        return (*self.errors, f"[… {self.left_out} more error lines; the task's events have them all]")


class Listener:
    """Hears what happens in one run, and keeps what belongs into its output."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._errors: list[str] = []
        self._left_out = 0

    def hear(self, draft: Draft) -> None:
        text = str(draft.data.get("text") or "").rstrip("\n")
        if not text:
            return
        if draft.type in SAID:
            # From the end: a program may say millions of lines at once.
            self._lines.extend(map(shortened, text.rsplit("\n", LAST_LINES)[-LAST_LINES:]))
        if draft.type is EventType.STDERR or (draft.type is EventType.TOOL_RESULT and draft.data.get("is_error")):
            errors = [line for line in text.split("\n") if line.strip()]
            room = MOST_ERRORS - len(self._errors)
            self._errors += map(shortened, errors[:room])
            self._left_out += len(errors[room:])

    @property
    def output(self) -> Output | None:
        """None where nothing was said."""
        if not (self._lines or self._errors):
            return None
        return Output(lines=tuple(self._lines), errors=tuple(self._errors), left_out=self._left_out)


def shortened(line: str) -> str:
    """The line as it can be kept: no database keeps half a surrogate pair."""
    line = line.rstrip("\r")
    kept = line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
    return kept.encode(errors="replace").decode()
