"""What is told of a task and of a question to those who did not ask. Pure."""

from typing import Any
from urllib.parse import quote

from pydantic_core import to_json

from agents.src.clock import iso
from agents.src.conversations import cut, first_paragraph
from agents.src.tasks.notice import Notice
from agents.src.tasks.question import Asked
from agents.src.tasks.task import Result, Task

LARGEST_BODY = 64 * 1024
"""Bytes."""
LENGTHS = (16_000, 4_000, 1_000, 500)
"""Characters that a text of a body may have, the shorter ones where it does not fit otherwise."""
ESSENTIAL = ("id", "task_id", "skill", "caller", "status", "error", "text", "created_at", "started_at", "finished_at", "asked_at")
"""What is left of a task or a question that does not fit with all its texts shortened."""


def summary_of(task: Task) -> str:
    """Of a task that has ended: how, in a line; empty where there is nothing to say."""
    return first_paragraph(task.error.detail) if task.error else summary_of_result(task.result)


def summary_of_result(result: Result | None) -> str:
    """The engine's own, or else the first paragraph of its text."""
    return first_paragraph(result.summary or result.text) if result else ""


def told_of_task(task: Task) -> dict[str, Any]:
    """As HTTP lists it, but for its callback, which changes with each attempt to tell."""
    return {
        "id": task.id,
        "skill": task.skill,
        "task": task.prompt,
        "args": task.args,
        "status": task.status.value,
        "result": told_of_result(task.id, task.result) if task.result else None,
        "error": task.error.model_dump(mode="json") if task.error else None,
        "usage": task.usage.model_dump(mode="json"),
        "caller": task.caller,
        "conversation": task.conversation,
        "workdir": task.workdir,
        "budget_usd": task.budget_usd,
        "attempt": task.attempt,
        "questions": task.waiting,
        "paused": task.paused,
        "priority": task.priority,
        "metadata": task.metadata,
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at) if task.started_at else None,
        "finished_at": iso(task.finished_at) if task.finished_at else None,
    }


def told_of_result(task_id: str, result: Result) -> dict[str, Any]:
    told = result.model_dump(mode="json") | {"summary": summary_of_result(result)}
    for artifact in told["artifacts"]:
        artifact["url"] = f"/api/tasks/{task_id}/artifacts/{quote(artifact['name'], safe='')}"
    return told


def told_of_question(asked: Asked) -> dict[str, Any]:
    turn = asked.whose_turn
    return {
        "id": asked.id,
        "task_id": asked.task_id,
        "skill": asked.skill,
        **asked.question.model_dump(mode="json"),
        "to": turn.value if turn else None,
        "asked_at": iso(asked.asked_at),
        "due_at": iso(asked.due_at) if asked.due_at else None,
    }


def body_of(notice: Notice, task: Task, asked: Asked | None) -> bytes:
    """What a callback is sent: JSON of at most 64 KiB. Where something was left out, `shortened` says so."""
    told = {"type": notice.kind.value, "timestamp": iso(notice.at)}
    data = told_of_question(asked) if asked else told_of_task(task)
    body = as_json({**told, "data": data})
    for longest in LENGTHS:
        if len(body) <= LARGEST_BODY:
            return body
        body = as_json({**told, "shortened": True, "data": with_texts_of(data, longest)})
    if len(body) <= LARGEST_BODY:
        return body
    essential = {name: with_texts_of(data[name], LENGTHS[-1]) for name in ESSENTIAL if name in data}
    return as_json({**told, "shortened": True, "data": essential})


def with_texts_of(value: Any, longest: int) -> Any:
    """The same with no text longer than that; the names of members stay."""
    if isinstance(value, str):
        return cut(value, longest)
    if isinstance(value, dict):
        return {name: with_texts_of(inner, longest) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [with_texts_of(inner, longest) for inner in value]
    return value


def as_json(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="null")
