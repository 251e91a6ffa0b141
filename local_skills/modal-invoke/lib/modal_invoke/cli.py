"""The command line: declares and parses."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from modal_invoke import __version__, commands, inbox, memory, questions, settings, steering
from modal_invoke.memory_hook import memory_hook
from modal_invoke.output import Screen
from modal_invoke.server import Server
from modal_invoke.stop import Exit, Stop

EPILOG = """\
exit codes:
  0    done
  1    the task failed or was cancelled, or the server refused the request
  2    the command line or the configuration is wrong
  3    the task waits for an answer, or is paused
  4    not authorised: the token is missing or wrong (`modal-invoke login`), or this is not allowed
  5    the server cannot be reached
  124  the task is still running after --wait
  130  interrupted; the task goes on

environment:
  MODAL_INVOKE_URL, MODAL_INVOKE_TOKEN   go before what `modal-invoke login` stored
  MODAL_INVOKE_INSECURE=1                as --insecure
  MODAL_INVOKE_PATIENCE                  seconds that a lost server is sought while a task is followed (120)
"""
STATUSES = ("queued", "running", "input_required", "completed", "failed", "cancelled")


def main() -> int:
    """Runs the command and gives its exit code."""
    forgive_encodings()
    args = parser().parse_args()
    screen = Screen(args.quiet, args.verbose)
    try:
        return int(dispatch(args, screen))
    except Stop as stop:
        screen.warn(stop.message)
        return int(stop.code)
    except KeyboardInterrupt:
        screen.warn("Interrupted. If a task was accepted already, `modal-invoke tasks` shows it.")
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.FAILED)


def forgive_encodings() -> None:
    """What the terminal's encoding lacks is shown as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def dispatch(args: argparse.Namespace, screen: Screen) -> Exit:
    if args.command in (commands.login, commands.logout, memory_hook, inbox.inbox_hook):
        result: Exit = args.command(args, screen)
        return result
    server = Server(settings.read(args.insecure), screen.note)
    code: Exit = args.command(server, args, screen)
    return code


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="modal-invoke",
        description="Runs skills on a modal-invoke server, here or on Modal.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"modal-invoke {__version__}")
    sub = top.add_subparsers(metavar="COMMAND", required=True)
    declare_run(sub)
    declare_tasks(sub)
    declare_questions(sub)
    declare_memory(sub)
    declare_login(sub)
    declare_hook(sub)
    return top


def declare_run(sub: Any) -> None:
    run = command(sub, "run", commands.run, "run a skill and wait for its result")
    run.add_argument("skill", metavar="SKILL", help="its name, as `modal-invoke skills` lists it")
    run.add_argument("task", metavar="TASK", help="what to do, in words; - reads it from standard input")
    run.add_argument("--file", dest="files", metavar="F", type=file, action="append", help="a file to hand over; repeatable")
    run.add_argument(
        "--arg", dest="args", metavar="K=V", type=pair, action="append", help="an argument; V is JSON, or else text; repeatable"
    )
    run.add_argument(
        "--workdir",
        metavar="DIR",
        type=whole,
        help="the folder to work in; the server must be on this machine, and allow it",
    )
    run.add_argument(
        "--conversation", metavar="NAME", help="the conversation that it belongs to, and is told; made where there is none"
    )
    run.add_argument("--callback", metavar="URL", help="where its end, and what it asks, is sent to as well")
    run.add_argument("--timeout", metavar="SECONDS", type=seconds, help="the time limit of each attempt")
    run.add_argument("--budget", metavar="USD", type=dollars, help="US dollars that the task may spend")
    run.add_argument("--priority", metavar="N", type=int, help="higher runs sooner (default 0)")
    run.add_argument(
        "--key", metavar="KEY", type=key, help="idempotency key: the same key and request give the same task (default: random)"
    )
    group = run.add_mutually_exclusive_group()
    group.add_argument("--async", dest="detach", action="store_true", help="print the task's id and do not wait")
    declare_waiting(group, run)


def declare_tasks(sub: Any) -> None:
    command(sub, "skills", commands.skills, "list the skills that the token may use")
    guess = command(sub, "estimate", commands.estimate, "show what a task of a skill will take, going by the last ones")
    guess.add_argument("skill", metavar="SKILL", help="its name, as `modal-invoke skills` lists it")
    tasks = command(sub, "tasks", commands.tasks, "list tasks, the newest first")
    tasks.add_argument("--status", choices=STATUSES)
    tasks.add_argument("--skill", metavar="S")
    tasks.add_argument("--limit", metavar="N", type=positive, default=20, help="how many at most (default 20)")
    show = command(sub, "show", commands.show, "show a task as it stands")
    show.add_argument("id", metavar="ID", type=whole_id)
    watch = command(sub, "watch", commands.watch_task, "follow a task and fetch its result, as run does")
    watch.add_argument("id", metavar="ID", type=whole_id)
    declare_waiting(watch, watch)
    cancel = command(sub, "cancel", commands.cancel, "cancel a task")
    cancel.add_argument("id", metavar="ID", type=whole_id)
    pause = command(sub, "pause", steering.pause, "have a task stand still until it is resumed")
    pause.add_argument("id", metavar="ID", type=whole_id)
    resume = command(sub, "resume", steering.resume, "have a paused task go on where it was")
    resume.add_argument("id", metavar="ID", type=whole_id)
    say = command(sub, "say", steering.say, "say something to a task that is under way")
    say.add_argument("id", metavar="ID", type=whole_id)
    say.add_argument("text", metavar="TEXT", help="in words; - reads it from standard input")


def declare_questions(sub: Any) -> None:
    asked = command(sub, "questions", questions.questions, "list what tasks ask, or show one question")
    asked.add_argument("id", metavar="ID", nargs="?", type=whole_id, help="the question to show")
    asked.add_argument("--task", metavar="ID", type=whole_id, help="only those of this task")
    asked.add_argument("--all", action="store_true", help="also those that no longer wait for an answer")
    answer = command(sub, "answer", questions.answer, "answer a question of a task")
    answer.add_argument("id", metavar="ID", type=whole_id, help="the question's id")
    answer.add_argument("text", metavar="TEXT", nargs="?", help="the answer in words; - reads it from standard input")
    answer.add_argument(
        "--choice",
        dest="choices",
        metavar="LABEL",
        action="append",
        help="one of the offered choices; repeatable where several may be",
    )
    group = answer.add_mutually_exclusive_group()
    group.add_argument("--decline", dest="action", action="store_const", const="decline", help="say that there will be no answer")
    group.add_argument(
        "--dismiss", dest="action", action="store_const", const="cancel", help="put the question away without a word"
    )
    told = command(sub, "inbox", inbox.inbox, "list what ended or was asked and has not been seen")
    told.add_argument("--peek", action="store_true", help="do not count it as told")
    told.add_argument("--seen", metavar="ID", nargs="+", type=whole_id, help="do not tell of these any more")
    command(sub, "monitor", inbox.monitor, "print a line for each question and each end, as they come")


def declare_memory(sub: Any) -> None:
    summary = "find what skills have learned, and teach them"
    top = sub.add_parser("memory", help=summary, description=summary[0].upper() + summary[1:] + ".")
    inner = top.add_subparsers(metavar="COMMAND", required=True)
    search = command(inner, "search", memory.search, "find the facts that fit some words best")
    search.add_argument("query", metavar="QUERY", help="words, or a question")
    search.add_argument("--skill", metavar="S", help="only what this skill has learned")
    search.add_argument(
        "--limit", metavar="N", type=positive, default=10, help="how many at most (default 10; the server's most is 50)"
    )
    add = command(inner, "add", memory.add, "teach a skill a fact, and print its id")
    add.add_argument("skill", metavar="SKILL", help="its name, as `modal-invoke skills` lists it")
    add.add_argument("text", metavar="TEXT", help="the fact, in a sentence or two; - reads it from standard input")
    add.add_argument("--section", metavar="HEADING", default="", help="the heading in memory.md that it belongs under")


def declare_login(sub: Any) -> None:
    login = command(sub, "login", commands.login, "check and store the server's URL and token")
    login.add_argument("--url", metavar="URL", help="such as https://example.modal.run")
    login.add_argument("--token-stdin", action="store_true", help="read the token from standard input instead of asking for it")
    command(sub, "logout", commands.logout, "forget the stored URL and token")


def declare_hook(sub: Any) -> None:
    """For the plugin's hooks, so the help does not list it."""
    word = sub.add_parser("inbox-hook")
    word.set_defaults(command=inbox.inbox_hook, quiet=True, verbose=False)
    hook = sub.add_parser("memory-hook")
    hook.set_defaults(command=memory_hook, quiet=True, verbose=False)
    hook.add_argument("direction", choices=("pull", "push"))
    hook.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)


def declare_waiting(group: Any, command: argparse.ArgumentParser) -> None:
    group.add_argument("--wait", metavar="SECONDS", type=seconds, help="stop waiting after so long (exit code 124)")
    command.add_argument(
        "--out", metavar="DIR", type=Path, help="where artifacts go (default ./modal-invoke-ID); no file is ever overwritten"
    )


def command(sub: Any, name: str, function: Any, summary: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = sub.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    made.set_defaults(command=function)
    made.add_argument("--json", action="store_true", help="print JSON on standard output")
    made.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")
    made.add_argument("-v", "--verbose", action="store_true", help="all that the task says, on standard error")
    made.add_argument(
        "--insecure",
        action="store_true",
        default=os.environ.get("MODAL_INVOKE_INSECURE") == "1",
        help="send the token over plain http to another machine",
    )
    return made


def file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    if not os.access(path, os.R_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be read")
    return path


def whole(text: str) -> str:
    """An absolute path is the server's affair; what else is written is a folder of this machine, as it is without links."""
    path = Path(text)
    return text if path.is_absolute() else str(path.resolve())


def pair(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form K=V")
    try:
        return name, json.loads(value, parse_constant=float_is_not_json)
    except ValueError:
        return name, value


def float_is_not_json(text: str) -> object:
    raise ValueError(text)  # NaN and Infinity are Python's own


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def dollars(text: str) -> float:
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars, such as 2.50")
    return value


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def key(text: str) -> str:
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}", text):
        raise argparse.ArgumentTypeError("1 to 255 ASCII characters, without spaces, quotes and backslashes")
    return text


def whole_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-z]{26}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole id, which has 26 characters")
    return text
