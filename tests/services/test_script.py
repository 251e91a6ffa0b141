"""The `script` engine with real programs, on both event loops."""

import asyncio
import gc
import os
import re
import stat
import textwrap
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import uvloop

from agents.src.clock import Clock
from agents.src.conversations import Role, Said
from agents.src.errors import EngineFailed, ProgramFailed, ProgramRefused, TaskFailed
from agents.src.memory import Recalled, entry_id
from agents.src.services.processes import processes_of
from agents.src.services.script import ScriptEngine
from agents.src.services.script_messages import KEPT_LINES, KEPT_TEXT, LONGEST_LINE, TYPES
from agents.src.tasks import Ask, Brief, Draft, EventType, InputFile, Result, Workspace, unanswered

PYTHON = "import json, os, signal, subprocess, sys, time\ndef say(**message): print(json.dumps(message), flush=True)\n"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Stage:
    """A skill's folder, a workspace, and a loop to run in."""

    def __init__(self, folder: Path, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.skill = folder / "skills" / "trial"
        self.workspace = Workspace(f"{Clock().new_id()}:1", folder / "workspace")
        for made in (self.skill, self.workspace.input, self.workspace.output):
            made.mkdir(parents=True)
        self._loop_factory = loop_factory
        self.ask: Ask = unanswered

    def write(self, program: str, name: str = "main.py") -> str:
        text = PYTHON + textwrap.dedent(program) if name.endswith(".py") else textwrap.dedent(program)
        (self.skill / name).write_text(text)
        return name

    def generator(self, program: str, name: str = "main.py", **brief: Any) -> AsyncGenerator[Draft | Result, None]:
        self.write(program, name)
        brief = {"skill": "trial", "engine": "script", "instruction": "", "prompt": "do it", "timeout": 60, **brief}
        return ScriptEngine(lambda skill: self.skill.parent / skill).run(Brief(program=name, **brief), self.workspace, self.ask)

    def play(self, work: Callable[[], Awaitable[Any]]) -> Any:
        async def scene() -> Any:
            return await work()

        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            ended = runner.run(scene())
            assert processes_of(self.workspace.run_id) == set()
            assert psutil.Process().children() == []  # nor a zombie
        gc.collect()  # an unclosed transport complains here
        return ended

    def run(self, program: str, name: str = "main.py", **brief: Any) -> tuple[list[Draft], Result]:
        async def all_of_it() -> list[Draft | Result]:
            return [item async for item in self.generator(program, name, **brief)]

        *drafts, result = self.play(all_of_it)
        return cast(list[Draft], drafts), cast(Result, result)

    def fail(self, program: str, name: str = "main.py", **brief: Any) -> TaskFailed:
        with pytest.raises(TaskFailed) as caught:
            self.run(program, name, **brief)
        return caught.value


@pytest.fixture(params=LOOPS.values(), ids=list(LOOPS))
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Stage:
    return Stage(tmp_path, request.param)


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def texts(drafts: list[Draft], of: EventType) -> list[str]:
    return [draft.data["text"] for draft in drafts if draft.type is of]


# What goes in


def test_the_program_gets_one_document(stage: Stage) -> None:
    file = InputFile(id="f1", name="clip.mov")
    _, result = stage.run("say(type='result', data=json.load(sys.stdin))", prompt="cut “it”", args={"n": 1}, files=(file,))
    assert result.data == {
        "task": "cut “it”",
        "args": {"n": 1},
        "memory": [],
        "conversation": [],
        "files": [{"name": "clip.mov", "path": str(stage.workspace.input / "clip.mov")}],
        "input_dir": str(stage.workspace.input),
        "output_dir": str(stage.workspace.output),
        "workdir": None,
        "run_id": stage.workspace.run_id,
        "timeout": 60,
    }


def test_in_a_folder_of_the_callers_it_works_there_and_its_own_is_named(stage: Stage, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    stage.workspace = replace(stage.workspace, workdir=project)
    drafts, result = stage.run(
        """
        open("left", "w").close()
        open(os.path.join(os.environ["MODAL_INVOKE_OUTPUT"], "made"), "w").close()
        names = ("MODAL_INVOKE_INPUT", "MODAL_INVOKE_OUTPUT", "HOME", "TMPDIR")
        print(os.getcwd(), os.environ["HOME"], file=sys.stderr)
        say(type="result", data=[json.load(sys.stdin)["workdir"], os.getcwd(), *(os.environ[name] for name in names)])
        """
    )
    own = stage.workspace
    folders = [project, project, own.input, own.output, own.folder, own.folder]
    assert result.data == [str(folder) for folder in folders]
    assert [path.name for path in project.iterdir()] == ["left"]
    assert [path.name for path in own.output.iterdir()] == ["made"]
    assert texts(drafts, EventType.STDERR) == [f"{project} workspace"]


def test_a_program_need_not_read_its_document(stage: Stage) -> None:
    assert stage.run("say(type='result', text='done')", prompt="x" * 3_000_000)[1] == Result(text="done")


def test_the_environment_is_clean(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODAL_INVOKE_TOKEN", "a secret of the server")
    stage.write("say(type='result', data=[dict(os.environ), os.getcwd(), os.getsid(0) == os.getpid()])")
    engine = ScriptEngine(lambda _: stage.skill, {"FONT": "Inter", "MODAL_INVOKE_RUN": "no"})
    brief = Brief(skill="trial", engine="script", instruction="", prompt="", timeout=60, program="main.py")

    async def last() -> Result:
        return [item async for item in engine.run(brief, stage.workspace, unanswered) if isinstance(item, Result)][-1]

    variables, folder, leads_session = stage.play(last).data
    here = str(stage.workspace.folder)
    variables.pop("LC_CTYPE", None)  # Python's own, where the locale is C
    assert variables == {
        "PATH": os.environ["PATH"],
        "HOME": here,
        "TMPDIR": here,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "FONT": "Inter",
        "MODAL_INVOKE_INPUT": str(stage.workspace.input),
        "MODAL_INVOKE_OUTPUT": str(stage.workspace.output),
        "MODAL_INVOKE_RUN": stage.workspace.run_id,
    }
    assert folder == here
    assert leads_session is True


# What comes out


def test_messages_become_drafts(stage: Stage) -> None:
    drafts, result = stage.run(
        """
        say(type="progress", fraction=0.25, message="a quarter")
        say(type="progress")
        say(type="progress", fraction=1.0000001)
        say(type="text", text="hello")
        say(type="remember", text="it rains", topic="weather")
        say(type="result", text="all", data={"a": [1, None]})
        say(type="text", text="afterwards")
        """
    )
    assert drafts == [
        Draft(EventType.PROGRESS, {"fraction": 0.25, "message": "a quarter"}),
        Draft(EventType.PROGRESS, {"fraction": None, "message": ""}),
        Draft(EventType.PROGRESS, {"fraction": 1.0, "message": ""}),
        Draft(EventType.TEXT, {"text": "hello"}),
        Draft(EventType.REMEMBERED, {"action": "add", "id": entry_id("trial", "it rains"), "text": "it rains"}),
        Draft(EventType.TEXT, {"text": "afterwards"}),
    ]
    assert result == Result(text="all", data={"a": [1, None]})


def test_a_program_knows_what_was_learned_and_changes_it(stage: Stage) -> None:
    memory = (Recalled(id="a167aa41ae7e", text="use bcrypt", section="Auth", rev="r1"), Recalled(id="b" * 12, text="b", rev="r2"))
    drafts, result = stage.run(
        """
        known = json.load(sys.stdin)["memory"]
        say(type="remember", action="correct", id=known[0]["id"], text="use argon2")
        say(type="remember", action="forget", id=known[1]["id"])
        say(type="remember", text="use salt", section="Auth")
        say(type="remember", text="use salt")
        say(type="result", data=known)
        """,
        memory=memory,
        review=True,
    )
    assert result.data == [entry.model_dump(exclude={"rev"}) for entry in memory]
    assert [draft.data for draft in drafts] == [
        {"action": "correct", "id": "a167aa41ae7e", "text": "use argon2", "rev": "r1", "held": True},
        {"action": "forget", "id": "b" * 12, "text": "b", "rev": "r2", "held": True},
        {"action": "add", "id": entry_id("trial", "use salt"), "text": "use salt", "section": "Auth", "held": True},
    ]


def test_a_program_knows_what_was_said_before(stage: Stage) -> None:
    said = Said(role=Role.ASSISTANT, author="planning", text="Six steps.\n\n🙂", at="2026-01-31T09:30:00.123Z")
    saying = 'say(type="result", data=json.load(sys.stdin)["conversation"])'
    assert stage.run(saying, conversation=(said,))[1].data == [
        {"role": "assistant", "author": "planning", "text": "Six steps.\n\n🙂", "at": "2026-01-31T09:30:00.123Z"}
    ]
    assert stage.run(saying)[1].data == []


def test_what_cannot_be_remembered_is_a_warning_and_the_run_goes_on(stage: Stage) -> None:
    drafts, result = stage.run(
        """
        say(type="remember", text="password=" + "swordfish")
        say(type="remember")
        say(type="remember", action="forget", id="swordfish")
        say(type="result", text="done")
        """
    )
    assert {(draft.type, draft.data["code"]) for draft in drafts} == {(EventType.WARNING, "not_remembered")}
    said = [draft.data["message"] for draft in drafts]
    assert "looks like a secret (password or key)" in said[0] and "it is empty" in said[1] and "no such entry" in said[2]
    assert not any("swordfish" in line for line in said)
    assert result == Result(text="done")


def test_what_is_no_message_is_text(stage: Stage) -> None:
    lines = {
        b"plain": "plain",
        b"": "",
        b"windows\r": "windows",
        b"[1, 2]": "[1, 2]",
        b'{"type": "surprise"}': '{"type": "surprise"}',
        b'{"type": ["text"]}': '{"type": ["text"]}',
        b"{broken": "{broken",
        b'{"type": "result", "data": NaN}': '{"type": "result", "data": NaN}',
        b"\xff\xfe": "\ufffd\ufffd",
        b"no end": "no end",
    }
    output = b"\n".join(lines)
    drafts, result = stage.run(f"sys.stdout.buffer.write({output!r})")
    assert all(draft.type is EventType.TEXT and draft.data["raw"] for draft in drafts)
    assert "\n".join(draft.data["text"] for draft in drafts) == "\n".join(lines.values())
    assert result == Result(text="\n".join(lines.values()))


def test_without_a_result_the_last_part_of_the_text_is_it(stage: Stage) -> None:
    drafts, result = stage.run("for n in range(9000): say(type='text', text=f'line {n}')")
    assert len(drafts) == 9000
    assert result.text.endswith("line 8998\nline 8999")
    assert len(result.text) == 16 << 10


def test_the_last_result_counts(stage: Stage) -> None:
    assert stage.run("say(type='result', text='first'); say(type='result', data=2)")[1] == Result(data=2)


def test_a_result_may_have_a_summary(stage: Stage) -> None:
    assert stage.run("say(type='result', text='long', summary='short')")[1] == Result(text="long", summary="short")


def test_a_program_that_says_nothing_completes(stage: Stage) -> None:
    assert stage.run("pass") == ([], Result())


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ('{"type": "progress", "fraction": "half"}', "progress.fraction"),
        ('{"type": "progress", "fraction": true}', "progress.fraction"),
        ('{"type": "text"}', "text.text"),
        ('{"type": "result", "summary": 3}', "result.summary"),
        ('{"type": "remember", "text": 1}', "remember.text"),
        ('{"type": "remember", "action": "replace", "text": "x"}', "remember.action"),
        ('{"type": "result", "text": null}', "result.text"),
        ('{"type": "error"}', "error.detail"),
    ],
)
def test_a_malformed_message_fails(stage: Stage, message: str, fault: str) -> None:
    error = stage.fail(f"print({message!r}, flush=True); time.sleep(60)")
    assert isinstance(error, ProgramFailed)
    assert fault in error.detail


def test_long_lines_are_read_whole(stage: Stage) -> None:
    drafts, _ = stage.run("say(type='text', text='x' * 10_000_000); say(type='text', text='y')")
    assert [len(text) for text in texts(drafts, EventType.TEXT)] == [10_000_000, 1]


def test_a_line_without_end_fails(stage: Stage) -> None:
    error = stage.fail("while True: sys.stdout.write('x' * 100_000)")
    assert isinstance(error, ProgramFailed)
    assert "longer than 16 MiB" in error.detail


# How it ends


@pytest.mark.parametrize("code", [0, 1])
def test_an_error_message_is_a_refusal(stage: Stage, code: int) -> None:
    error = stage.fail(f"say(type='error', detail='not today'); say(type='result', text='?'); sys.exit({code})")
    assert isinstance(error, ProgramRefused)
    assert not error.retryable
    assert error.detail == "not today"


def test_a_non_zero_exit_fails_despite_a_result(stage: Stage) -> None:
    error = stage.fail("say(type='result', text='fine'); print('oh no', file=sys.stderr); sys.exit(3)")
    assert isinstance(error, ProgramFailed)
    assert error.detail == "main.py ended with exit code 3. Its last lines:\noh no"
    assert error.members == {"exit_code": 3}


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (35, "35")])
def test_a_signal_is_named(stage: Stage, number: int, name: str) -> None:
    error = stage.fail(f"os.kill(os.getpid(), {number})")
    assert error.detail == f"main.py ended with signal {name}. It wrote nothing to stderr."
    assert error.members == {"exit_code": -number}


def test_only_the_last_lines_are_shown(stage: Stage) -> None:
    error = stage.fail("for n in range(30): print('line', n, file=sys.stderr)\nsys.exit(1)")
    assert error.detail.splitlines()[1:] == [f"line {n}" for n in range(10, 30)]
    error = stage.fail("for n in range(30): print('x' * 1000, file=sys.stderr)\nsys.exit(1)")
    assert 4000 < len(error.detail) < 4200


def test_no_path_of_this_machine_is_told(stage: Stage) -> None:
    drafts: list[Draft | Result] = []

    async def collect() -> None:
        async for item in stage.generator("open(os.getcwd() + '/input/nothing')"):
            drafts.append(item)  # noqa: PERF401  # those before the error, too

    with pytest.raises(ProgramFailed) as caught:
        stage.play(collect)
    told = caught.value.detail + str(drafts)
    assert 'File "trial/main.py", line 3' in told
    assert "./input/nothing" in told
    assert str(stage.skill.parent.parent) not in told


# Programs


def test_a_program_of_any_language(stage: Stage) -> None:
    name = stage.write("", "main.sh")
    (stage.skill / name).chmod(stat.S_IRWXU)
    _, result = stage.run("""#!/bin/sh\necho '{"type": "result", "text": "from a shell"}'""", name)
    assert result.text == "from a shell"


def test_a_missing_program(stage: Stage) -> None:
    stage.write("")
    brief = Brief(skill="trial", engine="script", instruction="", prompt="", timeout=60, program="gone.py")

    async def start() -> None:
        async for _ in ScriptEngine(lambda _: stage.skill).run(brief, stage.workspace, unanswered):
            raise AssertionError

    with pytest.raises(EngineFailed, match=r"no program 'gone\.py'"):
        stage.play(start)


def test_a_program_that_is_not_executable(stage: Stage) -> None:
    error = stage.fail("#!/bin/sh\n", "main.sh")
    assert isinstance(error, EngineFailed)
    assert "chmod +x main.sh" in error.detail


def test_a_program_that_cannot_be_started(stage: Stage) -> None:
    name = stage.write("", "main.sh")
    (stage.skill / name).chmod(stat.S_IRWXU)
    error = stage.fail("#!/no/such/interpreter\n", name)
    assert isinstance(error, EngineFailed)
    assert error.detail == "The program main.sh cannot be started: No such file or directory."


# stderr


def test_stderr_is_kept_in_few_events(stage: Stage) -> None:
    drafts, _ = stage.run("for n in range(2000): print('line', n, file=sys.stderr)")
    said = texts(drafts, EventType.STDERR)
    assert "\n".join(said).splitlines() == [f"line {n}" for n in range(2000)]
    assert len(said) < 40


def test_events_come_as_they_happen(stage: Stage) -> None:
    """The program waits for the test to have seen what it said."""
    program = """
        print("on stderr", file=sys.stderr)
        while not os.path.exists("seen"): time.sleep(0.01)
        say(type="text", text="on stdout")
        while not os.path.exists("seen too"): time.sleep(0.01)
    """

    async def look() -> list[Draft | Result]:
        generator = stage.generator(program)
        first = await anext(generator)
        (stage.workspace.folder / "seen").touch()
        second = await anext(generator)
        (stage.workspace.folder / "seen too").touch()
        return [first, second, *[item async for item in generator]]

    assert stage.play(look) == [
        Draft(EventType.STDERR, {"text": "on stderr"}),
        Draft(EventType.TEXT, {"text": "on stdout"}),
        Result(text="on stdout"),
    ]


# Too much, too long, too late


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_endless_output_waits_for_its_reader(stage: Stage, stream: str) -> None:
    program = f"""
        count = 0
        while True:
            print("x" * 1023, file=sys.{stream})
            count += 1
            os.pwrite(3, f"{{count:9}}".encode(), 0)
    """
    counter = stage.workspace.folder / "count"
    program = 'assert os.open("count", os.O_CREAT | os.O_RDWR) == 3' + textwrap.dedent(program)

    async def stands_still() -> bool:
        before = counter.read_text()
        await asyncio.sleep(0.3)
        return before == counter.read_text()

    async def read_slowly() -> int:
        async with aclosing(stage.generator(program)) as generator:
            await anext(generator)
            deadline = time.monotonic() + 30
            while not await stands_still():
                assert time.monotonic() < deadline
            return int(counter.read_text())

    assert stage.play(read_slowly) << 10 < 4 << 20


LINGERING = """
print("started", flush=True)
if os.fork():
    time.sleep(60)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("daemon", "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["closed", "cancelled", "timed out"])
def test_nothing_is_left_when_the_reader_goes(stage: Stage, how: str) -> None:
    async def read(seen: asyncio.Event) -> None:
        async with aclosing(stage.generator(LINGERING)) as generator:
            await anext(generator)
            await until((stage.workspace.folder / "daemon").exists)
            assert len(processes_of(stage.workspace.run_id)) == 2
            seen.set()
            if how != "closed":
                await anext(generator)

    async def scene() -> None:
        seen = asyncio.Event()
        if how == "timed out":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    asyncio.get_running_loop().create_task(expire(seen, limit))
                    await read(seen)
            return
        reader = asyncio.create_task(read(seen))
        await seen.wait()
        if how == "cancelled":
            reader.cancel()
            await asyncio.sleep(0)
            reader.cancel()  # an impatient caller must not interrupt the ending
        assert isinstance(await asyncio.gather(reader, return_exceptions=True), list)
        assert reader.cancelled() == (how == "cancelled")

    begun = time.monotonic()
    stage.play(scene)
    assert time.monotonic() - begun < 10


async def expire(seen: asyncio.Event, limit: asyncio.Timeout) -> None:
    await seen.wait()
    limit.reschedule(0)


def test_the_run_ends_with_the_program_though_a_child_holds_the_pipes(stage: Stage) -> None:
    program = """
        subprocess.Popen(["sleep", "60"], start_new_session=True)
        say(type="result", text="gone")
    """
    assert stage.run(program)[1] == Result(text="gone")


def test_the_run_ends_though_a_stranger_holds_the_pipes(stage: Stage) -> None:
    """A daemon with another environment and another parent is out of reach; its pipes are not."""
    program = """
        for n in range(300): say(type="text", text=str(n))
        if os.fork():
            while not os.path.exists("daemon"): time.sleep(0.01)  # until then it carries the mark
            os._exit(0)
        os.setsid()
        os.execve("/bin/sh", ["sh", "-c", "echo $$ > tmp; mv tmp daemon; exec sleep 60"], {"PATH": os.environ["PATH"]})
    """

    async def read() -> list[Draft | Result]:
        generator = stage.generator(program)
        items = [await anext(generator)]
        await until((stage.workspace.folder / "daemon").exists)
        async for item in generator:
            items.append(item)  # a slow reader loses nothing
            await asyncio.sleep(0.001)
        return items

    try:
        *drafts, result = stage.play(read)
        assert texts(drafts, EventType.TEXT) == [str(n) for n in range(300)]
        assert isinstance(result, Result)
    finally:
        psutil.Process(int((stage.workspace.folder / "daemon").read_text())).kill()


def test_a_program_that_sheds_the_mark_is_ended_too(stage: Stage) -> None:
    async def close_early() -> None:
        program = "os.execve('/bin/sh', ['sh', '-c', 'echo there; sleep 60'], {})"
        async with aclosing(stage.generator(program)) as generator:
            assert await anext(generator) == Draft(EventType.TEXT, {"text": "there", "raw": True})

    stage.play(close_early)


def test_what_is_printed_in_a_rush_is_few_events(stage: Stage) -> None:
    drafts, result = stage.run("print('y\\n' * 50_000, end='', flush=True)")
    assert sum(draft.data["text"].count("y") for draft in drafts) == 50_000
    assert len(drafts) < 500
    assert result.text.endswith("y")


def test_a_program_that_never_stops_talking_is_stopped(stage: Stage) -> None:
    name = stage.write("while True: print('y' * 1000)")
    brief = Brief(skill="trial", engine="script", instruction="", prompt="talk", timeout=60, program=name)

    async def listen() -> None:
        async for _ in ScriptEngine(lambda _: stage.skill, most_output=1 << 20).run(brief, stage.workspace, unanswered):
            pass

    with pytest.raises(ProgramFailed, match="printed more than 1 MiB"):
        stage.play(listen)


# The page


PAGE = (Path(__file__).parents[2] / "docs" / "script-skills.md").read_text()
IN_PYTHON, IN_SHELL, ASKING_IN_PYTHON, ASKING_IN_SHELL = re.findall(
    r"^```(?:python|sh)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)


def test_the_example_in_python(stage: Stage) -> None:
    (stage.workspace.input / "names.txt").write_text("b\na\n")
    files = (InputFile(id="f1", name="names.txt"),)
    drafts, result = stage.run(IN_PYTHON, files=files)
    assert drafts == [
        Draft(EventType.TEXT, {"text": "names.txt: 2 lines"}),
        Draft(EventType.PROGRESS, {"fraction": 1.0, "message": "names.txt"}),
    ]
    assert result == Result(text="Counted and sorted.", data={"files": 1})
    assert (stage.workspace.output / "names.txt.sorted").read_text() == "a\nb"
    assert isinstance(stage.fail(IN_PYTHON), ProgramRefused)


def test_the_example_in_shell(stage: Stage) -> None:
    (stage.workspace.input / "names.txt").touch()
    (stage.skill / stage.write("", "main.sh")).chmod(stat.S_IRWXU)
    drafts, result = stage.run(IN_SHELL, "main.sh")
    assert drafts == [Draft(EventType.TEXT, {"text": "counting", "raw": True})]
    assert result == Result(text="done", data={"files": 1})
    assert (stage.workspace.output / "listing.txt").read_text() == "names.txt\n"


def test_the_page_names_all_there_is(stage: Stage) -> None:
    _, result = stage.run("say(type='result', data=[list(json.load(sys.stdin)), list(os.environ)])")
    members, variables = result.data
    for name in {*members, *variables, *TYPES} - {"LC_CTYPE"}:
        assert f"`{name}`" in PAGE
    assert f"{KEPT_TEXT:,} characters" in PAGE
    assert f"({KEPT_LINES} at most)" in PAGE
    assert f"{LONGEST_LINE >> 20} MiB" in PAGE
