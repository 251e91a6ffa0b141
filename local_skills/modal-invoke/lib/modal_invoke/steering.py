"""`modal-invoke pause`, `resume` and `say`: a task that is under way is steered."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import Any

from modal_invoke.given import given
from modal_invoke.output import Screen, put_json
from modal_invoke.server import Server
from modal_invoke.stop import Exit, Stop


def pause(server: Server, args: Namespace, screen: Screen) -> Exit:
    task = server.pause(args.id)
    paused = task["status"] == "input_required"
    return told(task, f"Task {args.id} is {'' if paused else 'being '}paused.", args, screen)


def resume(server: Server, args: Namespace, screen: Screen) -> Exit:
    task = server.resume(args.id)
    waits = " It waits for answers: `modal-invoke questions`." if task.get("questions") else ""
    return told(task, f"Task {args.id} is resumed.{waits}", args, screen)


def say(server: Server, args: Namespace, screen: Screen) -> Exit:
    text = given(args.text)
    if not text.strip():
        raise Stop(Exit.USAGE, "There is nothing to say. Give a TEXT.")
    return told(server.say(args.id, text, os.urandom(16).hex()), f"Said to task {args.id}.", args, screen)


def told(task: dict[str, Any], line: str, args: Namespace, screen: Screen) -> Exit:
    put_json(task) if args.json else screen.note(line)
    return Exit.DONE


def tell_paused(task: dict[str, Any], screen: Screen) -> None:
    if task.get("paused"):
        screen.warn(f"Task {task['id']} is paused. `modal-invoke resume {task['id']}` has it go on.")
