"""Follows a task until there is nothing more to wait for, and settles what Ctrl-C means."""

from __future__ import annotations

import sys
from typing import Any

from modal_invoke.events import TERMINAL, Deadline, DeadlinePassed, Stream
from modal_invoke.output import Screen
from modal_invoke.questions import ask_person
from modal_invoke.server import Server
from modal_invoke.stop import Exit, Stop

KNOWN = TERMINAL | {
    "submitted",
    "started",
    "progress",
    "text",
    "tool_call",
    "tool_result",
    "recalled",
    "remembered",
    "stderr",
    "usage",
    "warning",
    "cancel_requested",
    "said",
    "pause_requested",
    "resumed",
    "requeued",
    "question_passed_on",
    "question_answered",
    "question_expired",
    "parked",
}
EXITS = {
    "completed": Exit.DONE,
    "failed": Exit.FAILED,
    "cancelled": Exit.FAILED,
    "input_required": Exit.INPUT_REQUIRED,
}


def exit_of(task: dict[str, Any]) -> Exit:
    return EXITS.get(str(task["status"]), Exit.STILL_RUNNING)


def watch(server: Server, task: dict[str, Any], screen: Screen, seconds: float | None) -> dict[str, Any]:
    """The task as it stands when it has ended, when it waits for an answer, or after so many seconds."""
    deadline = Deadline(seconds)
    stream = server.stream(task["id"])
    while exit_of(task) is Exit.STILL_RUNNING or (exit_of(task) is Exit.INPUT_REQUIRED and ask(server, task, screen)):
        try:
            task = follow(server, task["id"], stream, screen, deadline)
        except DeadlinePassed:
            return server.task(task["id"])
        except KeyboardInterrupt:
            interrupted(server, task["id"], screen)
        except Stop as stop:
            if stop.code is Exit.UNREACHABLE:
                stop.message += f" Whatever becomes of the task is kept: `modal-invoke watch {task['id']}`."
            raise
        finally:
            screen.clear()
    return task


def ask(server: Server, task: dict[str, Any], screen: Screen) -> bool:
    """Whether somebody at the terminal has answered all that the task asks."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return all(ask_person(server, question, screen) for question in reversed(server.questions(task["id"])))


def follow(server: Server, task_id: str, stream: Stream, screen: Screen, deadline: Deadline) -> dict[str, Any]:
    for event in stream.events(deadline):
        screen.show(event)
        if event.type in TERMINAL:
            break
        if event.type not in KNOWN:  # it asks something, is paused, or a newer server has more to say
            task = server.task(task_id)
            if exit_of(task) is Exit.INPUT_REQUIRED:
                return task
    return server.task(task_id)


def interrupted(server: Server, task_id: str, screen: Screen) -> None:
    """Asks what Ctrl-C was meant to do. Returns to wait further; raises Stop to leave the task alone."""
    screen.clear()
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise left_alone(task_id)
    print("\nCancel the task? y: cancel it, n: wait further, Ctrl-C: leave it running [n] ", end="", file=sys.stderr, flush=True)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        raise left_alone(task_id) from None
    if not answer:
        raise left_alone(task_id)
    if answer.strip().lower() in ("y", "yes"):
        cancel(server, task_id)


def cancel(server: Server, task_id: str) -> None:
    try:
        server.cancel(task_id)
    except Stop as stop:
        if stop.status != 409:  # it has ended meanwhile, and how will be told
            raise


def left_alone(task_id: str) -> Stop:
    return Stop(
        Exit.INTERRUPTED,
        f"Task {task_id} goes on. Follow it with `modal-invoke watch {task_id}`, end it with `modal-invoke cancel {task_id}`.",
    )
