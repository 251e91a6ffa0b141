"""`modal-invoke questions` and `answer`: what tasks ask, and what they are told."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from modal_invoke.given import given
from modal_invoke.output import Screen, clean, put_fields, put_json, put_table
from modal_invoke.server import Server
from modal_invoke.stop import Exit, Stop


def questions(server: Server, args: Namespace, screen: Screen) -> Exit:
    if args.id:
        return show(server.question(args.id), args)
    found = server.questions(args.task, None if args.all else "pending")
    if args.json:
        put_json(found)
    elif found:
        put_table((question["id"], question["skill"], question["state"], question["text"]) for question in found)
    else:
        screen.note("Nothing is asked." if args.all else "Nothing waits for an answer.")
    return Exit.DONE


def show(question: dict[str, Any], args: Namespace) -> Exit:
    if args.json:
        put_json(question)
        return Exit.DONE
    answer = question.get("answer") or {}
    said = "; ".join(filter(None, (", ".join(answer.get("choices", [])), answer.get("text"))))
    rows = [("id", question["id"]), ("task", question["task_id"]), ("skill", question["skill"])]
    rows += [("asks", question["text"]), *(("choice", as_line(choice)) for choice in question["choices"])]
    rows += [("default", ", ".join(question["default"])), ("state", question["state"]), ("until", question.get("due_at") or "")]
    rows += [("answer", said or answer.get("action", "")), ("by", answer.get("by", ""))]
    put_fields(rows)
    return Exit.DONE


def as_line(choice: dict[str, Any]) -> str:
    return f"{choice['label']}: {choice['description']}" if choice.get("description") else str(choice["label"])


def answer(server: Server, args: Namespace, screen: Screen) -> Exit:
    text = given(args.text or "")
    document: dict[str, Any] = {"action": args.action or "accept"}
    if text:
        document["text"] = text
    if args.choices:
        document["choices"] = args.choices
    if document["action"] == "accept" and len(document) == 1:
        raise Stop(Exit.USAGE, "Give the answer: a TEXT, --choice LABEL, --decline or --dismiss.")
    question = server.answer(args.id, document)
    if args.json:
        put_json(question)
    else:
        screen.note(f"Answered. `modal-invoke watch {question['task_id']}` follows the task.")
    return Exit.DONE


def ask_person(server: Server, question: dict[str, Any], screen: Screen) -> bool:
    """Asks whoever sits at the terminal, and gives their answer; False where they leave the question open (Ctrl-D)."""
    screen.clear()
    print(f"\n{clean(question['text'])}", file=sys.stderr)
    for number, choice in enumerate(question["choices"], 1):
        print(f"  {number}. {clean(as_line(choice))}", file=sys.stderr)
    while True:
        print(prompt_of(question), end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return False
        document = answer_from(line.strip(), question)
        if not document:
            continue
        try:
            server.answer(question["id"], document)
        except Stop as stop:
            if stop.status not in {403, 422}:
                raise
            screen.warn(stop.message)  # it does not fit, or is not theirs to give: once more
        else:
            return True


def prompt_of(question: dict[str, Any]) -> str:
    several = ", several separated by commas" if question["several"] else ""
    what = f"A number{several}" if question["choices"] else "Your answer"
    words = " or your own words" if question["choices"] and question["free_text"] else ""
    default = f" [{', '.join(question['default'])}]" if question["default"] else ""
    return f"{what}{words}{default} (Ctrl-D: later): "


def answer_from(line: str, question: dict[str, Any]) -> dict[str, Any]:
    """The answer that a typed line means; empty where it means none."""
    labels = [choice["label"] for choice in question["choices"]]
    given = [line] if line else list(question["default"])
    if line and all(part.strip().isdecimal() and 0 < int(part) <= len(labels) for part in line.split(",")):
        given = [labels[int(part) - 1] for part in line.split(",")]
    if not given:
        return {}
    if set(given) <= set(labels):
        return {"action": "accept", "choices": given}
    return {"action": "accept", "text": "\n".join(given)}


def put_questions(task: dict[str, Any], asked: list[dict[str, Any]], whole: bool) -> None:
    """For a caller that is no person: what the task asks, as JSON."""
    put_json({**(task if whole else {"task": task["id"], "status": task["status"]}), "asks": asked})


def tell_how(asked: list[dict[str, Any]], screen: Screen) -> None:
    for question in asked:
        screen.warn(f"It asks: {question['text']} Answer with `modal-invoke answer {question['id']} …`.")
