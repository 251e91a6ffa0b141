"""`agents invoke`: one skill, once, in this process. The same run as on a server, without one."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from agents.src.bootstrap import Parts
from agents.src.cli.follow import Screen, follow
from agents.src.cli.output import AsJson, note, outcome, print_json, print_result, size, spent, task_document
from agents.src.cli.running import with_parts, with_skills
from agents.src.errors import AlreadyEnded, InvalidRequest
from agents.src.skills import SkillRequest
from agents.src.tasks import ROOT, Caller, Status, Task

CHUNK = 1 << 20
INTERRUPTED = 130
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def invoke(
    skill: Annotated[str, typer.Argument(metavar="SKILL", help="The skill's name.")],
    task: Annotated[str, typer.Argument(metavar="TASK", help="What to do, in words.")],
    arg: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A structured argument; V is JSON, or else text; repeatable.")
    ] = None,
    file: Annotated[list[Path] | None, typer.Option(metavar="F", help="A file to hand over; repeatable.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Seconds that each attempt may take.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where artifacts go. [default: ./modal-invoke-ID]")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a skill here, without a server.

    The result goes to stdout, progress to stderr. Ctrl-C cancels the task and ends its processes (exit code 130). Exit code 1 if
    the task fails.
    """
    args, paths = dict(pair(text) for text in arg or []), checked_files(file or [])

    async def run(parts: Parts) -> tuple[Task, list[Path], bool]:
        files = [await hand_over(parts, path) for path in paths]
        request = request_of({"skill": skill, "task": task, "args": args, "files": tuple(files), "timeout": timeout})
        task_id = parts.clock.new_id()
        with stop_signals() as stopped:
            await parts.dispatcher.dispatch(request, Caller(ROOT), task_id)
            cancelling = asyncio.create_task(cancel_when(stopped, parts, task_id))
            done = await follow(parts, task_id, Screen(quiet=as_json))
            cancelling.cancel()
        return done, await copy_artifacts(parts, done, out or Path(f"modal-invoke-{task_id}")), stopped.is_set()

    done, copied, stopped = with_parts(with_skills, run)
    tell(done, copied, as_json)
    if done.status is not Status.COMPLETED:
        raise typer.Exit(INTERRUPTED if stopped else 1)


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


def tell(task: Task, copied: list[Path], as_json: bool) -> None:
    if as_json:
        document = task_document(task)
        for artifact, path in zip((document["result"] or {}).get("artifacts", []), copied, strict=True):
            artifact["path"] = str(path)
        print_json(document)
        return
    print_result(task)
    for artifact, path in zip(task.result.artifacts if task.result else (), copied, strict=True):
        note(f"saved {path} ({size(artifact.size)})")
    note("; ".join(filter(None, (outcome(task), spent(task.usage)))))
