"""`modal-invoke inbox` and `monitor`: what ended or was asked while its caller was away, or does something else."""

from __future__ import annotations

import os
import select
import sys
import threading
from argparse import Namespace
from contextlib import suppress
from typing import Any

from modal_invoke import settings
from modal_invoke.output import Screen, put, put_json, put_table
from modal_invoke.server import Server
from modal_invoke.stop import Exit, Stop

PATIENCE = 3.0
"""Seconds that the beginning of a session waits."""
LONGEST = 300
"""Characters of what a task says, in one line."""


ASKS = """\
Task {task} ({skill}) asks the user: {text}{offered} Put this to the user with AskUserQuestion, as it stands; then run \
`modal-invoke answer {id} --choice LABEL`, or with their own words in place of --choice. Do not answer it yourself."""
ENDED = "Task {task} ({skill}) has ended, {headline} `modal-invoke watch {task}` fetches the whole result and its files."


def inbox(server: Server, args: Namespace, screen: Screen) -> Exit:
    if args.seen:
        server.seen(args.seen)
        return Exit.DONE
    found = server.inbox(args.peek)
    if args.json:
        put_json(found)
    elif found:
        put_table((entry["id"], entry["skill"], headline(entry)) for entry in found)
    else:
        screen.note("There is nothing new.")
    return Exit.DONE


def inbox_hook(_args: Namespace, _screen: Screen) -> Exit:
    """When a session of Claude Code begins: one line, which the model reads. Never fails, and waits for no slow server."""
    found: list[dict[str, Any]] = []

    def look() -> None:
        with suppress(Stop, OSError):
            found.extend(Server(settings.read(insecure=False)).inbox(peek=False))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(PATIENCE)
    if found:
        put(f"modal-invoke, while nobody was here: {' '.join(told(entry) for entry in found)}")
    return Exit.DONE


def monitor(server: Server, _args: Namespace, _screen: Screen) -> Exit:
    """A line for each thing that happens to the caller's tasks, until it is ended or nobody reads it any more."""
    threading.Thread(target=end_with_the_reader, daemon=True).start()
    try:
        for entry in server.announcements().entries():
            put(told(entry))
    except BrokenPipeError:  # a write was quicker than the thread
        os._exit(Exit.DONE)
    return Exit.DONE


def end_with_the_reader() -> None:
    """Ends this process once its output leads nowhere: Claude Code that is killed ends nothing that it began."""
    if hasattr(select, "poll"):
        reader = select.poll()
        reader.register(sys.stdout, 0)  # an error and a hang-up are told all the same
        reader.poll()
        os._exit(Exit.DONE)


def headline(entry: dict[str, Any]) -> str:
    """`asks: …`, or `completed: …`."""
    what = "asks" if entry["kind"] == "question" else entry["status"]
    return f"{what}: {shortened(entry['summary'])}" if entry.get("summary") else str(what)


def told(entry: dict[str, Any]) -> str:
    """What a model is to know of it, and what to do."""
    if entry["kind"] == "question":
        labels = [choice["label"] for choice in (entry.get("question") or {}).get("choices", [])]
        offered = f" Choices: {', '.join(map(repr, labels))}." if labels else ""
        return ASKS.format(**entry, text=shortened(entry["summary"]), offered=offered)
    return ENDED.format(**entry, headline=headline(entry))


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def have_seen(server: Server, ids: list[str]) -> None:
    """What was just shown need not be told again; nothing is lost where that cannot be said."""
    with suppress(Stop):
        server.seen(ids)
