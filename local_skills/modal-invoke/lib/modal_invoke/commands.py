"""What each command does. Every function gives the exit code."""

from __future__ import annotations

import getpass
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from modal_invoke import settings
from modal_invoke.artifacts import download_all
from modal_invoke.given import given
from modal_invoke.inbox import have_seen
from modal_invoke.output import Screen, computed, last_ones, learned, put, put_fields, put_json, put_table, size, spent
from modal_invoke.questions import put_questions, tell_how
from modal_invoke.server import Server
from modal_invoke.steering import tell_paused
from modal_invoke.stop import Exit, Stop, sentence
from modal_invoke.watch import exit_of, watch


def run(server: Server, args: Namespace, screen: Screen) -> Exit:
    task = submit(server, args, screen)
    if args.detach:
        for warning in task.get("warnings") or []:  # who follows the task is shown the event
            screen.warn(f"warning: {warning.get('message', '')}")
        put_json(task) if args.json else put(task["id"])
        return Exit.DONE
    return finish(server, watch(server, task, screen, args.wait), args, screen)


def submit(server: Server, args: Namespace, screen: Screen) -> dict[str, Any]:
    prompt = given(args.task)
    body: dict[str, Any] = {"skill": args.skill, "task": prompt, "inbox": True}
    if args.args:
        body["args"] = dict(args.args)
    if args.files:
        body["files"] = [upload(server, path, screen) for path in args.files]
    wanted = {
        "timeout": args.timeout,
        "budget_usd": args.budget,
        "priority": args.priority,
        "workdir": args.workdir,
        "conversation": args.conversation,
        "callback": args.callback and {"url": args.callback},
    }
    body.update({name: value for name, value in wanted.items() if value is not None})
    task = server.submit(body, args.key or os.urandom(16).hex())
    screen.note(f"task {task['id']} ({args.skill})")
    return task


def upload(server: Server, path: Path, screen: Screen) -> str:
    screen.note(f"sending {path.name} ({size(path.stat().st_size)})")
    return server.upload(path)


def watch_task(server: Server, args: Namespace, screen: Screen) -> Exit:
    return finish(server, watch(server, server.task(args.id), screen, args.wait), args, screen)


def finish(server: Server, task: dict[str, Any], args: Namespace, screen: Screen) -> Exit:
    """Shows how a task stands, and fetches its artifacts. The result is shown even when they cannot be had."""
    if exit_of(task) is Exit.INPUT_REQUIRED:
        asked = server.questions(task["id"])
        put_questions(task, asked, whole=args.json)
        tell_how(asked, screen)
        tell_paused(task, screen)
        return Exit.INPUT_REQUIRED
    result: dict[str, Any] = task.get("result") or {}
    if not args.json and exit_of(task) is Exit.DONE:
        show_result(result)
    try:
        paths = download_all(server, task, args.out or Path(f"modal-invoke-{task['id']}"))
        for artifact, path in zip(result.get("artifacts", []), paths):
            artifact["path"] = str(path)
            screen.warn(f"saved {path} ({size(artifact['size'])})")
    finally:
        if args.json:
            put_json(task)
    tell_end(task, screen)
    if exit_of(task) in (Exit.DONE, Exit.FAILED):
        have_seen(server, [task["id"]])
    return exit_of(task)


def show_result(result: dict[str, Any]) -> None:
    if result.get("text"):
        put(result["text"])
    elif result.get("data") is not None:
        put_json(result["data"])


def tell_end(task: dict[str, Any], screen: Screen) -> None:
    """The last line on stderr: how it ended, or what to do about a task that did not."""
    end = exit_of(task)
    if end is Exit.DONE:
        screen.note("; ".join(filter(None, ("completed", spent(task)))))
    elif end is Exit.STILL_RUNNING:
        screen.warn(f"Task {task['id']} is still {task['status']}. Wait for it with `modal-invoke watch {task['id']}`.")
    else:
        screen.warn(f"Task {task['id']} {'was ' if task['status'] == 'cancelled' else ''}{outcome(task)}")


def outcome(task: dict[str, Any]) -> str:
    """`failed: title: detail.`, or the status alone."""
    error: dict[str, Any] = task.get("error") or {}
    return sentence(task["status"], error.get("title"), error.get("detail"))


def skills(server: Server, args: Namespace, _: Screen) -> Exit:
    found = server.skills()
    if args.json:
        put_json(found)
    else:
        put_table((skill["name"], skill.get("description") or "") for skill in found)
    return Exit.DONE


def estimate(server: Server, args: Namespace, screen: Screen) -> Exit:
    found = server.estimate(args.skill)
    if args.json:
        put_json(found)
    elif not found["tasks"]:
        screen.warn(f"No task of {args.skill} that you may see has completed yet: there is nothing to go by.")
    else:
        ranges = (("seconds", "seconds", 2), ("model, USD", "cost_usd", 4), ("compute, USD", "compute_usd", 6))
        rows = [(title, *in_digits(found.get(name), digits)) for title, name, digits in ranges]
        put_table([("", "lowest", "median", "highest"), *rows])
        screen.note(f"The last {found['tasks']} completed task{'' if found['tasks'] == 1 else 's'} of {args.skill}.")
    return Exit.DONE


def in_digits(values: dict[str, float] | None, digits: int) -> tuple[str, str, str]:
    if not values:
        return "unknown", "", ""
    return f"{values['lowest']:.{digits}f}", f"{values['median']:.{digits}f}", f"{values['highest']:.{digits}f}"


def tasks(server: Server, args: Namespace, screen: Screen) -> Exit:
    found = server.tasks(args.limit, args.status, args.skill)
    if args.json:
        put_json(found)
    elif found:
        put_table((task["id"], task["status"], task["skill"], task["created_at"], task["task"]) for task in found)
    else:
        screen.note("There are no such tasks.")
    return Exit.DONE


def show(server: Server, args: Namespace, _: Screen) -> Exit:
    task = server.task(args.id)
    if args.json:
        put_json(task)
        return Exit.DONE
    result: dict[str, Any] = task.get("result") or {}
    output: dict[str, Any] = task.get("output") or {}
    rows = [
        ("id", task["id"]),
        ("skill", task["skill"]),
        ("task", task["task"]),
        ("workdir", str(task.get("workdir") or "")),
        ("status", outcome(task).rstrip(".") + (", paused" if task.get("paused") else "")),
        ("attempt", str(task.get("attempt") or "")),
        *((moment, str(task.get(f"{moment}_at") or "")) for moment in ("created", "started", "finished")),
        ("used", spent(task)),
        ("compute", computed(task)),
        *(("artifact", f"{artifact['name']} ({size(artifact['size'])})") for artifact in result.get("artifacts") or []),
        *(("learned", learned(lesson)) for lesson in result.get("remembered") or []),
        *last_ones("error", output.get("errors") or []),
        *last_ones("said", output.get("lines") or []),
    ]
    put_fields(rows)
    if result:
        put("")
        show_result(result)
    return Exit.DONE


def cancel(server: Server, args: Namespace, screen: Screen) -> Exit:
    task = server.cancel(args.id)
    if args.json:
        put_json(task)
    else:
        screen.note(f"Task {args.id} is being cancelled.")
    return Exit.DONE


def login(args: Namespace, screen: Screen) -> Exit:
    """Stores URL and token once the server has accepted them."""
    url = settings.checked_url(args.url or os.environ.get("MODAL_INVOKE_URL") or asked_url(args), args.insecure)
    given = settings.Settings(url, settings.checked_token(asked_token(args)))
    version = str(Server(given, screen.note).status().get("version", ""))
    path = settings.save(given)
    if args.json:
        put_json({"url": url, "version": version, "file": str(path)})
    else:
        screen.note(f"Logged in to {url}" + (f" (version {version})." if version else "."))
    for name in ("MODAL_INVOKE_URL", "MODAL_INVOKE_TOKEN"):
        if os.environ.get(name):
            screen.warn(f"{name} is set and goes before what was stored.")
    return Exit.DONE


def asked_url(args: Namespace) -> str:
    if args.token_stdin or not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "Give the server's URL with --url.")
    print("URL of the server: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def asked_token(args: Namespace) -> str:
    if args.token_stdin:
        return sys.stdin.readline()
    if not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "There is no terminal to ask for the token. Give it on standard input with --token-stdin.")
    return getpass.getpass("Token: ")


def logout(args: Namespace, screen: Screen) -> Exit:
    existed = settings.forget()
    if args.json:
        put_json({"removed": existed})
    else:
        screen.note("Logged out." if existed else "There was nothing stored.")
    return Exit.DONE
