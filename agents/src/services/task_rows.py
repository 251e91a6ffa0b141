"""Between rows of the database and the nouns of the tasks room."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from agents.src.services.database import Row
from agents.src.services.task_sql import WIDTH
from agents.src.tasks import (
    Brief,
    Callback,
    Draft,
    Ending,
    Event,
    EventType,
    Failure,
    Inbox,
    Output,
    Result,
    Run,
    Status,
    Task,
    Usage,
    Wishes,
)


def accepted_events(task: Task, warnings: Sequence[Draft]) -> list[Event]:
    """The first ones of a task: that it was submitted, what its caller is warned of, and that it has started, where it has."""
    drafts = (Draft(EventType.SUBMITTED, {"skill": task.skill}), *warnings)
    events = [Event(task.id, seq, draft.type, task.created_at, draft.data) for seq, draft in enumerate(drafts, 1)]
    return [*events, started_event(task, len(events) + 1, task.created_at)] if task.attempt else events


def started_event(task: Task, seq: int, now: float) -> Event:
    goes_on = {"goes_on": True} if task.session not in (None, task.attempt) else {}
    return Event(task.id, seq, EventType.STARTED, now, {"attempt": task.attempt, **goes_on})


def wishes_by_run(rows: list[Row]) -> dict[str, Wishes]:
    return {f"{task_id}:{attempt}": Wishes(bool(cancel), bool(pause), said) for task_id, attempt, cancel, pause, said in rows}


def event_of(row: Row) -> Event:
    return Event(row[0], row[1], EventType(row[2]), row[3], from_json(row[4]))


def event_row(event: Event) -> Row:
    return event.task_id, event.seq, event.type.value, event.at, dumped(event.data)


def dumped(value: dict[str, Any]) -> str:
    return to_json(value).decode()


def usage_row(usage: Usage) -> Row:
    tokens = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_creation_tokens)
    return *tokens, usage.cost_usd


def usage_of(row: Row) -> Usage:
    # PostgreSQL's sum of bigints is a Decimal.
    return Usage(
        input_tokens=int(row[0]),
        output_tokens=int(row[1]),
        cache_read_tokens=int(row[2]),
        cache_creation_tokens=int(row[3]),
        cost_usd=round(row[4], 9),  # sums of floats
        compute_seconds=round(row[5], 2),
        compute_usd=None if row[6] is None else round(row[6], 9),
    )


def ending_row(ending: Ending) -> Row:
    """Its columns: status, result, error."""
    result, error = ending.result and ending.result.model_dump_json(), ending.error and ending.error.model_dump_json()
    return ending.status.value, result, error


def output_of(rows: list[Row]) -> Output | None:
    """Of a task's one row; none is a task that there is not."""
    return next((Output.model_validate_json(kept) for (kept,) in rows if kept), None)


def task_of(row: Row) -> Task:
    return Task(
        id=row[0],
        skill=row[1],
        prompt=row[2],
        caller=row[3],
        created_at=row[4],
        status=Status(row[5]),
        args=from_json(row[6]),
        metadata=from_json(row[7]),
        priority=row[8],
        attempt=row[9],
        result=Result.model_validate_json(row[10]) if row[10] else None,
        error=Failure.model_validate_json(row[11]) if row[11] else None,
        usage=usage_of((*row[12:17], *row[32:34])),
        started_at=row[17],
        finished_at=row[18],
        cancel_requested=bool(row[19]),
        run_at=row[20],
        waiting=row[21],
        resumed=row[22],
        session=row[23],
        inbox=Inbox(row[24]) if row[24] else None,
        callback=Callback.model_validate_json(row[25]) if row[25] else None,
        conversation=row[26],
        workdir=row[27],
        paused=bool(row[28]),
        said=row[29],
        heard=row[30],
        budget_usd=row[31],
    )


def run_of(row: Row, worker: str) -> Run:
    return Run(task_of(row), Brief.model_validate_json(row[WIDTH]), worker)
