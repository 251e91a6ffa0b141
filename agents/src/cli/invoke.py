"""`agents invoke`: one skill, once, in this process. The same run as on a server, without one."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from agents.src.bootstrap import Parts
from agents.src.cli.asking import listener, pending, tell_waiting
from agents.src.cli.follow import Screen, describe, follow
from agents.src.cli.output import AsJson, note, outcome, print_json, print_result, size, spent, task_document
from agents.src.cli.running import author, with_parts, with_skills
from agents.src.errors import AlreadyEnded, InvalidRequest
from agents.src.skills import SkillRequest
from agents.src.tasks import ROOT, Asked, Caller, Status, Task

CHUNK = 1 << 20
ASKS, INTERRUPTED = 3, 130
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def invoke(
    skill: Annotated[str, typer.Argument(metavar="SKILL", help="The skill's name.")],
    task: Annotated[str, typer.Argument(metavar="TASK", help="What to do, in words.")],
    arg: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A structured argument; V is JSON, or else text; repeatable.")
    ] = None,
    file: Annotated[list[Path] | None, typer.Option(metavar="F", help="A file to hand over; repeatable.")] = None,
    workdir: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to work in. [default: one of its own]")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Seconds that each attempt may take.")] = None,
    budget: Annotated[float | None, typer.Option(metavar="USD", help="US dollars that it may spend.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where artifacts go. [default: ./modal-invoke-ID]")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a skill here, without a server.

    The result goes to stdout, progress to stderr. Ctrl-C cancels the task and ends its processes (exit code 130). Exit code 1 if
    the task fails. If it asks something, you are asked; without a terminal, the question waits, and the exit code is 3.
    """
    args, paths = dict(pair(text) for text in arg or []), checked_files(file or [])
    place = checked_folder(workdir) if workdir else None

    async def run(parts: Parts) -> Invoked:
        files = [await hand_over(parts, path) for path in paths]
        more = {"timeout": timeout, "budget_usd": budget, "workdir": place}
        request = request_of({"skill": skill, "task": task, "args": args, "files": tuple(files), **more})
        return await invoked(parts, request, out, quiet=as_json)

    done = with_parts(with_skills, run)
    tell(done, as_json)
    if code := done.exit_code:
        raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class Invoked:
    """The task as it ended, or as it waits for answers that nobody here gives; copies of its artifacts."""

    task: Task
    copied: list[Path]
    waiting: tuple[Asked, ...]
    stopped: bool

    @property
    def exit_code(self) -> int:
        if self.task.status is Status.COMPLETED:
            return 0
        return ASKS if not self.task.status.ended else INTERRUPTED if self.stopped else 1


async def invoked(parts: Parts, request: SkillRequest, out: Path | None, *, quiet: bool) -> Invoked:
    """Runs a task in this process, and shows what happens to whoever sits at the terminal."""
    task_id, screen = parts.clock.new_id(), Screen(quiet=quiet)
    with stop_signals() as stopped:
        dispatched = await parts.dispatcher.dispatch(request, Caller(ROOT), task_id)
        for warning in dispatched.warnings if quiet else ():  # else the screen shows the event
            note(describe(warning))
        parts.escalation.open(task_id)
        cancelling = asyncio.create_task(cancel_when(stopped, parts, task_id))
        done = await follow(parts, task_id, screen, listener(parts, screen, author()).heard)
        cancelling.cancel()
    copied = await copy_artifacts(parts, done, out or Path(f"modal-invoke-{task_id}"))
    return Invoked(done, copied, await pending(parts, task_id), stopped.is_set())


def pair(text: str) -> tuple[str, Any]:
    """`width=640` → ("width", 640). Raises InvalidRequest."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InvalidRequest(f"--arg: {text!r} is not of the form K=V.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def checked_files(paths: list[Path]) -> list[Path]:
    for path in paths:
        if not path.is_file():
            raise InvalidRequest(f"--file: there is no file {path}.")
    return paths


def checked_folder(path: Path) -> str:
    if not path.is_dir():
        raise InvalidRequest(f"--workdir: there is no folder {path}.")
    return str(path.resolve())


def request_of(fields: dict[str, Any]) -> SkillRequest:
    """Raises InvalidRequest, which names every fault."""
    try:
        return SkillRequest.model_validate(fields)
    except ValidationError as error:
        faults = [f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise InvalidRequest("; ".join(faults)) from None


async def hand_over(parts: Parts, path: Path) -> str:
    """Puts a file into the store; its id there."""
    return (await parts.files.put(ROOT, path.name, None, chunks(path))).id


async def chunks(path: Path) -> AsyncIterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk
    except OSError as error:
        raise InvalidRequest(f"--file: {path} cannot be read ({error.strerror}).") from None


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """While the block lasts, a signal to stop sets the event and does nothing else."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in STOPPING:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)


async def cancel_when(stopped: asyncio.Event, parts: Parts, task_id: str) -> None:
    """The task's end, which follows, is what ends the command."""
    await stopped.wait()
    with suppress(AlreadyEnded):
        await parts.store.request_cancel(task_id)


async def copy_artifacts(parts: Parts, task: Task, folder: Path) -> list[Path]:
    """Copies of the task's artifacts, in their order. No file is ever overwritten."""
    copied = []
    for artifact in task.result.artifacts if task.result else ():
        source = await parts.files.artifact(task.id, artifact.name)
        copied.append(await asyncio.to_thread(copy, source, folder, artifact.name))
    return copied


def copy(source: Path, folder: Path, name: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = free_name(folder / name)
        shutil.copyfile(source, target)
    except OSError as error:
        raise InvalidRequest(f"--out: cannot write into {folder} ({error.strerror}). The task itself has ended.") from None
    return target


def free_name(wanted: Path) -> Path:
    """The wanted path, or `name-2`, `name-3`, … where there is a file already; taken by an empty file."""
    path = wanted
    for number in count(2):
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            break
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return path


def tell(done: Invoked, as_json: bool) -> None:
    if not done.task.status.ended:
        tell_waiting(done.task, done.waiting)
    if as_json:
        document = task_document(done.task)
        for artifact, path in zip((document["result"] or {}).get("artifacts", []), done.copied, strict=True):
            artifact["path"] = str(path)
        print_json(document)
        return
    print_result(done.task)
    for artifact, path in zip(done.task.result.artifacts if done.task.result else (), done.copied, strict=True):
        note(f"saved {path} ({size(artifact.size)})")
    note("; ".join(filter(None, (outcome(done.task), spent(done.task.usage)))))
