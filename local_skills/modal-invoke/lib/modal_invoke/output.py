"""What is shown: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from modal_invoke.events import Event

CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
STEP = 0.1  # of the whole, between two printed lines of progress
PAUSE = 5.0  # seconds after which progress is printed anyway
UNITS = ("kB", "MB", "GB", "TB")
FEW = 5  # lines that are shown of many
LONGEST_FIELD = 200  # characters of such a line
CLEAR = "\r\x1b[2K"
FIXED = {
    "parked": "parked until it is answered",
    "pause_requested": "is being paused",
    "paused": "is paused",
    "resumed": "is resumed",
    "cancel_requested": "is being cancelled",
}


class Screen:
    """Progress and notices on stderr: one line that is rewritten on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._live = sys.stderr.isatty() and not quiet
        self._started = time.monotonic()
        self._fraction = 0.0
        self._printed = float("-inf")

    def note(self, text: str) -> None:
        """A line that stays."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """A line that stays, even when quiet."""
        self.clear()
        print(clean(text), file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._live:
            print(CLEAR, end="", file=sys.stderr, flush=True)

    def show(self, event: Event) -> None:
        """What an event has to say to somebody who waits."""
        if event.type == "progress":
            self._progress(event.data)
        elif event.type in ("text", "tool_call", "tool_result", "stderr") and not self._verbose:
            self._status(brief(event))
        elif line := describe(event):
            self.note(line)

    def _progress(self, data: dict[str, Any]) -> None:
        fraction = data.get("fraction")
        share = f"{fraction:4.0%} " if isinstance(fraction, (int, float)) else ""
        line = f"{share}{data.get('message') or ''}".rstrip()
        if self._live:
            self._status(line)
        elif line and self._due(fraction):
            self.note(line)

    def _due(self, fraction: Any) -> bool:
        now = time.monotonic()
        share = fraction if isinstance(fraction, (int, float)) else self._fraction
        if abs(share - self._fraction) < STEP and now - self._printed < PAUSE:
            return False
        self._fraction, self._printed = share, now
        return True

    def _status(self, text: str) -> None:
        if self._live:
            width = shutil.get_terminal_size().columns - 10
            line = " ".join(clean(text).split())[: max(width, 10)]
            print(f"{CLEAR}{time.monotonic() - self._started:4.0f} s  {line}", end="", file=sys.stderr, flush=True)


def describe(event: Event) -> str:
    """A line for an event, or nothing for one that its reader need not see."""
    data = event.data
    if event.type == "started":
        attempt = data.get("attempt", 1)
        return "started" if attempt == 1 else f"started, attempt {attempt}"
    if event.type == "requeued":
        return f"will be tried again: {data.get('reason', '')}"
    if event.type == "warning":
        return f"warning: {data.get('message', '')}"
    if event.type == "question_asked":
        return f"asks: {data.get('text', '')}"
    if event.type == "question_passed_on":
        return f"the question was passed on: to the {data.get('to', 'next')}"
    if event.type == "question_answered":
        said = "; ".join(filter(None, (", ".join(data.get("choices") or []), data.get("text"))))
        return f"answered by the {data.get('by', 'caller')}: {said or data.get('action', '')}"
    if event.type in FIXED:
        return FIXED[event.type]
    if event.type == "said":
        return f"{data.get('by', 'the caller')} says: {data.get('text', '')}"
    return brief(event)


def brief(event: Event) -> str:
    data = event.data
    if event.type == "tool_call":
        return f"uses {data.get('name', 'a tool')}"
    if event.type == "tool_result":
        return "the tool failed" if data.get("is_error") else ""
    if event.type == "remembered":
        return learned(data) + (" (waits for a review)" if data.get("held") else "")
    return str(data.get("text", "")) if event.type in ("text", "stderr") else ""


def learned(lesson: dict[str, Any]) -> str:
    """`remembered: text`, `corrected: text` or `forgot: text`."""
    verb = {"correct": "corrected", "forget": "forgot"}.get(lesson.get("action", ""), "remembered")
    return f"{verb}: {lesson.get('text') or lesson.get('id', '')}"


def clean(text: str) -> str:
    """Without the control characters and sequences that would let a server write anywhere on the terminal."""
    return CONTROL.sub("", text)


def put(text: str) -> None:
    print(clean(text) if sys.stdout.isatty() else text, flush=True)


def put_json(document: object) -> None:
    put(json.dumps(document, indent=2, ensure_ascii=False))


def put_fields(rows: Iterable[tuple[str, str]]) -> None:
    """`name  value`, each on a line, without those that have no value."""
    for name, value in rows:
        if value:
            put(f"{name:<10}{clean(value)}")


def last_ones(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Rows for `put_fields`: the last few of many lines, each cut."""
    hidden = len(lines) - FEW
    rows = [(name, line[:LONGEST_FIELD]) for line in lines[-FEW:]]
    return [(name, f"({hidden} earlier ones are not shown)"), *rows] if hidden > 0 else rows


def put_table(rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned; on a terminal, lines are cut to its width."""
    table = [[" ".join(clean(cell).split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        put(line if len(line) <= room else line[: room - 1] + "…")


def spent(task: dict[str, Any]) -> str:
    """`1,234 tokens in, 567 out, $0.0123`, or nothing where nothing was used."""
    usage = task.get("usage") or {}
    if not usage.get("input_tokens") and not usage.get("output_tokens"):
        return ""
    read = sum(usage.get(f"{kind}_tokens") or 0 for kind in ("input", "cache_read", "cache_creation"))
    return f"{read:,} tokens in, {usage.get('output_tokens', 0):,} out, ${usage.get('cost_usd') or 0:.4f}"


def computed(task: dict[str, Any]) -> str:
    """`12.30 s, $0.000123`, or nothing where no run held a worker."""
    usage = task.get("usage") or {}
    seconds, usd = usage.get("compute_seconds") or 0, usage.get("compute_usd")
    price = "at an unknown price" if usd is None else f"${usd:.6f}" if usd else ""
    return ", ".join(filter(None, (f"{seconds:,.2f} s", price))) if seconds else ""


def size(count: int) -> str:
    """`12 bytes`, `3.4 kB`, `5.6 MB`, …"""
    if count < 1000:
        return f"{count} bytes"
    exponent = min((len(str(count)) - 1) // 3, len(UNITS))
    return f"{count / 1000**exponent:.1f} {UNITS[exponent - 1]}"
