"""The engine `script`: the skill's own program does the work. `docs/script-skills.md` is the protocol."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic_core import to_json

from agents.src.errors import EngineFailed, ProgramFailed
from agents.src.memory import Inspect, Notebook
from agents.src.services.child import Child
from agents.src.services.processes import MARK, end_run, to_the_end
from agents.src.services.script_messages import LONGEST_LINE, Transcript
from agents.src.services.script_questions import Dialogue, Query
from agents.src.services.secrets import looks_secret
from agents.src.tasks import Ask, Brief, Draft, EventType, Result, Workspace

CHUNK = 1 << 20  # bytes read at once
DRAFTS_AHEAD = 2  # a draft may hold a line of 16 MiB
STDERR_PAUSE = 0.1  # seconds in which lines of stderr gather into one event
MOST_OUTPUT = 256 << 20  # bytes of stdout and stderr that a run may write
LONGEST_STDERR_LINE = 64 << 10  # bytes; longer ones are cut
SILENCE = 1.0  # seconds without a word after which pipes that somebody still holds are closed

Heard = Draft | Query


class ScriptEngine:
    """Runs a skill's program as a child process, in a session and an environment of its own.

    `folder_of` gives a skill's folder by its name; `environment` is what programs get beside the few variables all have;
    `inspect` says why a text may not be remembered.
    """

    uses_folder = True
    goes_on = False

    def __init__(
        self,
        folder_of: Callable[[str], Path],
        environment: Mapping[str, str] | None = None,
        most_output: int = MOST_OUTPUT,
        inspect: Inspect = looks_secret,
    ) -> None:
        self._most_output = most_output
        self._inspect = inspect
        self._folder_of = folder_of
        self._environment = dict(environment or {})

    async def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]:
        """Raises EngineFailed where the program cannot be started, ProgramFailed and ProgramRefused for how it ended.

        And what `ask` raises, once the program has been ended.
        """
        folder, program = self._folder_of(brief.skill), brief.program or ""
        own = "workspace" if workspace.workdir else "."
        names = {folder: brief.skill, workspace.folder: own, Path(sys.prefix): "python"}
        child = await _start(_command(folder, program), workspace.place, self._variables(workspace))
        transcript = Transcript(Notebook(brief.skill, brief.memory, self._inspect), held=brief.review, asks=brief.asks)
        running = Running(child, workspace.run_id, names, transcript, self._most_output)
        dialogue = Dialogue(ask, child.send, running.fail)
        try:
            child.send(_document(brief, workspace), last=not brief.asks)
            while heard := await running.next():
                if isinstance(heard, Query):
                    dialogue.begin(heard)  # all that was said before is on its way into the log
                else:
                    yield heard
            yield running.transcript.outcome(program, await child.exit())
        finally:
            await to_the_end(_close(dialogue, running))

    def _variables(self, workspace: Workspace) -> dict[str, str]:
        """A clean environment: nothing of the server's own, which holds secrets."""
        folder = str(workspace.folder)
        return {
            "PATH": os.pathsep.join(os.get_exec_path()),
            "HOME": folder,
            "TMPDIR": folder,
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **self._environment,
            "MODAL_INVOKE_INPUT": str(workspace.input),
            "MODAL_INVOKE_OUTPUT": str(workspace.output),
            MARK: workspace.run_id,
        }


def _command(folder: Path, program: str) -> list[str]:
    path = folder / program
    if not path.is_file():
        raise EngineFailed(f"The skill has no program {program!r} beside its info.md.")
    if path.suffix == ".py":
        return [sys.executable, str(path)]
    if not os.access(path, os.X_OK):
        raise EngineFailed(f"The program {program} is not executable: run `chmod +x {program}`, or make it a .py file.")
    return [str(path)]


async def _start(command: list[str], folder: Path, variables: Mapping[str, str]) -> Child:
    try:
        return await Child.start(command, folder, variables)
    except OSError as error:
        raise EngineFailed(f"The program {Path(command[-1]).name} cannot be started: {error.strerror}.") from error


async def _close(dialogue: Dialogue, running: "Running") -> None:
    await dialogue.close()
    await running.close()


def _document(brief: Brief, workspace: Workspace) -> bytes:
    """What the program reads on stdin first: one line."""
    document = to_json(
        {
            "task": brief.prompt,
            "args": brief.args,
            "memory": [entry.model_dump(include={"id", "text", "section"}) for entry in brief.memory],
            "conversation": [said.model_dump(mode="json") for said in brief.conversation],
            "files": [{"name": file.name, "path": str(workspace.input / file.name)} for file in brief.files],
            "input_dir": str(workspace.input),
            "output_dir": str(workspace.output),
            "workdir": str(workspace.workdir) if workspace.workdir else None,
            "run_id": workspace.run_id,
            "timeout": brief.timeout,
        }
    )
    return document + b"\n"


class Running:
    """A program at work: listens to it, and hands on what it says no faster than it is taken."""

    def __init__(self, child: Child, run_id: str, names: Mapping[Path, str], transcript: Transcript, most_output: int) -> None:
        self._most_output = most_output
        self.transcript = transcript
        self._child = child
        self._run_id = run_id
        self._names = sorted(((str(path), name) for path, name in names.items()), reverse=True)  # a folder after what is in it
        self._heard: asyncio.Queue[Heard | BaseException | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(DRAFTS_AHEAD)
        self._taken = self._printed = 0
        self._readers = [asyncio.create_task(self._read_stdout()), asyncio.create_task(self._read_stderr())]
        self._tasks = [*self._readers, asyncio.create_task(self._see_off())]
        self._end = asyncio.gather(*self._tasks)
        self._end.add_done_callback(lambda _: self._heard.put_nowait(None))

    async def next(self) -> Heard | None:
        """The next thing that it said; None when it and its streams have ended. Raises ProgramFailed, and what `fail` got."""
        heard = await self._heard.get()
        if isinstance(heard, BaseException):
            raise heard
        if heard is None:
            await self._end
        self._room.release()
        self._taken += 1
        return heard

    def fail(self, error: BaseException) -> None:
        """Ends the listening, behind what was said already."""
        self._heard.put_nowait(error)

    async def close(self) -> None:
        """Ends whatever still runs."""
        await end_run(self._run_id)
        await self._child.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._end, return_exceptions=True)

    async def _read_stdout(self) -> None:
        async for lines in _lines(self._child.stdout, LONGEST_LINE):
            self._count(lines)
            for heard in gathered(self.transcript.heard(line) for line in lines):
                await self._put(heard)

    async def _read_stderr(self) -> None:
        async for lines in _lines(self._child.stderr, LONGEST_STDERR_LINE):
            self._count(lines)
            await self._put(self.transcript.complained([self._renamed(line.decode(errors="replace")) for line in lines]))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._child.exit(), STDERR_PAUSE)

    def _count(self, lines: list[bytes]) -> None:
        """Raises ProgramFailed where a program never stops talking: its words are kept for good."""
        self._printed += sum(len(line) + 1 for line in lines)
        if self._printed > self._most_output:
            raise ProgramFailed(
                f"The program printed more than {self._most_output >> 20} MiB: write what is so large to a file in output/."
            )

    async def _put(self, heard: Heard) -> None:
        await self._room.acquire()
        self._heard.put_nowait(heard)

    async def _see_off(self) -> None:
        """When the program has ended, ends what it left running. Who holds the pipes even then has shed the run's mark."""
        await self._child.exit()
        await end_run(self._run_id)
        taken = -1
        while (await asyncio.wait(self._readers, timeout=SILENCE))[1]:
            if self._heard.empty() and self._taken == taken:
                self._child.close_pipes()
            taken = self._taken

    def _renamed(self, line: str) -> str:
        """The line without paths of this machine."""
        for path, name in self._names:
            line = line.replace(path, name)
        return line


def gathered(said: Iterable[Heard | None]) -> Iterator[Heard]:
    """What was said, with neighbouring lines that a program just printed in one: a program can print a million a second."""
    printed: list[str] = []
    try:
        for heard in said:
            if isinstance(heard, Draft) and heard.data.get("raw"):
                printed.append(heard.data["text"])
                continue
            if printed:
                yield as_printed(printed)
                printed = []
            if heard:
                yield heard
    except ProgramFailed:
        if printed:
            yield as_printed(printed)
        raise
    if printed:
        yield as_printed(printed)


def as_printed(lines: list[str]) -> Draft:
    return Draft(EventType.TEXT, {"text": "\n".join(lines), "raw": True})


async def _lines(stream: asyncio.StreamReader, longest: int) -> AsyncIterator[list[bytes]]:
    """The lines of a stream, those that arrive together in one list. One that grows over `longest` bytes is cut."""
    rest = bytearray()
    while chunk := await stream.read(CHUNK):
        *lines, tail = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(rest) + lines[0]
            rest.clear()
        rest += tail
        if len(rest) > longest:
            lines.append(bytes(rest))
            rest.clear()
        if lines:
            yield lines
    if rest:
        yield [bytes(rest)]
