"""How commands answer: JSON or tables on stdout, all else on stderr."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from agents.src.tasks import Artifact, Output, Task, Usage

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
UNITS = ("kB", "MB", "GB", "TB")
FEW = 5
"""Lines that are shown of many."""
LONGEST_FIELD = 200


def stdout() -> Console:
    """For text that is shown as it stands: nothing in it is markup."""
    return Console(markup=False, highlight=False)


def stderr() -> Console:
    return Console(stderr=True, markup=False, highlight=False)


def note(text: str) -> None:
    """A line for the reader, not for a pipe. What went to stdout before comes before it, also where both go to one place."""
    sys.stdout.flush()
    stderr().print(clean(text), soft_wrap=True)


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_text(text: str) -> None:
    """To a pipe as it is, to a terminal without what could take the terminal over."""
    print(clean(text) if sys.stdout.isatty() else text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns. Fitted to a terminal, where the first two are never cut; in a pipe one line each however long."""
    cells = [[" ".join(clean(cell).split()) for cell in row] for row in rows]
    console = stdout()
    if not console.is_terminal:
        print_aligned([columns, *cells])
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for column in table.columns[:2]:
        column.no_wrap = True  # names and ids: half of one is of no use
    for row in cells:
        table.add_row(*row)
    console.print(table)


def print_aligned(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_fields(rows: Iterable[tuple[str, str]]) -> None:
    """`name  value` on a line each, without those that have no value."""
    for name, value in rows:
        if value:
            print_text(f"{name:<10}{value}")


def print_result(task: Task) -> None:
    """A result's text, or else its data as JSON."""
    if task.result and task.result.text:
        print_text(task.result.text)
    elif task.result and task.result.data is not None:
        print_json(task.result.data)


def task_document(task: Task) -> dict[str, Any]:
    """The task as the HTTP interface gives it."""
    from agents.src.api.views import TaskView  # brings FastAPI, which only this needs

    return TaskView.of(task).model_dump(mode="json")


def whole_document(task: Task, output: Output | None) -> dict[str, Any]:
    """As `task_document`, with what the task said."""
    from agents.src.api.task_views import OutputView, WholeTaskView

    return WholeTaskView.of(task, output=OutputView.of(output)).model_dump(mode="json")


def last_ones(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Fields for the last few of many lines, each cut to one of the terminal's."""
    hidden = len(lines) - FEW
    rows = [(name, clean(line)[:LONGEST_FIELD]) for line in lines[-FEW:]]
    return [(name, f"({hidden} earlier ones are not shown)"), *rows] if hidden > 0 else rows


def outcome(task: Task) -> str:
    """`failed: detail`, `input_required, paused`, or the status alone."""
    if task.error:
        return f"{task.status}: {task.error.detail or task.error.title}"
    return f"{task.status}, paused" if task.paused else task.status.value


def spent(usage: Usage) -> str:
    """`1,234 tokens in, 567 out, $0.0123`; empty where nothing was used."""
    read = usage.input_tokens + usage.cache_read_tokens + usage.cache_creation_tokens
    return f"{read:,} tokens in, {usage.output_tokens:,} out, ${usage.cost_usd:.4f}" if read or usage.output_tokens else ""


def computed(usage: Usage) -> str:
    """`12.3 s`, with what they cost where somebody is billed for them; empty where there were none."""
    price = "at an unknown price" if usage.compute_usd is None else f"${usage.compute_usd:.6f}" if usage.compute_usd else ""
    return ", ".join(filter(None, (f"{usage.compute_seconds:,.2f} s", price))) if usage.compute_seconds else ""


def learned(lesson: Mapping[str, Any]) -> str:
    """`remembered: text`, `corrected: text` or `forgot: text`."""
    verb = {"correct": "corrected", "forget": "forgot"}.get(lesson.get("action", ""), "remembered")
    return f"{verb}: {lesson.get('text') or lesson.get('id', '')}"


def sized(artifact: Artifact) -> str:
    return f"{artifact.name} ({size(artifact.size)})"


def size(count: int) -> str:
    """`12 bytes`, `3.4 kB`, `5.6 MB`, …"""
    if count < 1000:
        return f"{count} bytes"
    exponent = min((len(str(count)) - 1) // 3, len(UNITS))
    return f"{count / 1000**exponent:.1f} {UNITS[exponent - 1]}"


def moment(seconds: float | None) -> str:
    """In the reader's own time zone: `2026-01-31 09:30:00`; empty for None."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def clean(text: str) -> str:
    """Without control characters and sequences."""
    return CONTROL.sub("", text)
