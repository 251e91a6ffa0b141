"""The `claude` engine with the real Claude Code and scripted replies."""

import asyncio
import gc
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from agents.src.clock import Clock
from agents.src.errors import (
    BudgetExhausted,
    CredentialsRefused,
    EngineFailed,
    ModelOverloaded,
    ModelRefused,
    NoCredentials,
    TaskFailed,
    TurnsExhausted,
)
from agents.src.services.claude_code import ClaudeEngine
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.loopback import serve
from agents.src.services.markdown import read_info
from agents.src.services.processes import processes_of
from agents.src.services.rehearsal import Rehearsal, Script, read_script
from agents.src.services.rehearsal_sse import message, stream
from agents.src.tasks import Brief, ClaudeOptions, Draft, EventType, InputFile, Result, Workspace, unanswered

HERE = Path(__file__).parent
PLANNING = HERE.parents[1] / "agents" / "skills" / "planning"
READ = {"name": "Read", "input": {"file_path": "input/notes.txt"}}


def script(*replies: dict[str, Any]) -> Script:
    return Script.model_validate({"name": "trial.yaml", "replies": replies})


def bash(command: str) -> dict[str, Any]:
    return {"tools": [{"name": "Bash", "input": {"command": command}}]}


class Stage:
    """A workspace with one file in it, in an otherwise empty folder, and an engine for it."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(f"{Clock().new_id()}:1", folder / "workspace")
        for made in (self.workspace.input, self.workspace.output):
            made.mkdir(parents=True)
        (self.workspace.input / "notes.txt").write_text("hidden treasure")
        self.folder = folder
        self.nobody = CredentialSource(folder / "no-login", keychain=False)
        self.somebody = replace(self.nobody, api_key=SecretStr("sk-the-real-one"))

    def brief(self, *allowed: str, **options: Any) -> Brief:
        claude = ClaudeOptions(allowed_tools=allowed, **options)
        return Brief(skill="trial", engine="claude", instruction="Do it well.", prompt="Do it.", timeout=60, claude=claude)

    def rehearse(self, played: Script, brief: Brief) -> tuple[list[Draft], Result | TaskFailed]:
        return asyncio.run(self.run(ClaudeEngine(self.nobody, rehearsal=played, retries=1), brief))

    async def run(self, engine: ClaudeEngine, brief: Brief) -> tuple[list[Draft], Result | TaskFailed]:
        """What happened, and how it ended. Afterwards nothing of the run is left but its workspace."""
        happened: list[Draft | Result] = []
        failure: TaskFailed | None = None
        try:
            async for happening in engine.run(brief, self.workspace, unanswered):
                happened.append(happening)  # noqa: PERF401  # what came before a failure counts
        except TaskFailed as error:
            failure = error
        self.check_clean()
        drafts = [happening for happening in happened if isinstance(happening, Draft)]
        endings: list[Result | TaskFailed | None] = [happening for happening in happened if isinstance(happening, Result)]
        [ending] = endings or [failure]
        assert ending is not None
        return drafts, ending

    def check_clean(self) -> None:
        assert processes_of(self.workspace.run_id) == set()
        assert [path.name for path in self.folder.iterdir()] == ["workspace"]
        gc.collect()  # an unclosed transport complains here


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def of_type(drafts: list[Draft], kind: EventType) -> list[dict[str, Any]]:
    return [draft.data for draft in drafts if draft.type == kind]


def outcomes(drafts: list[Draft]) -> list[tuple[str, bool]]:
    """Each tool call with whether it ran, in order of the calls."""
    refused = {data["id"]: data["is_error"] for data in of_type(drafts, EventType.TOOL_RESULT)}
    return [
        (f"{data['name']} {next(iter(data['input'].values()))}", not refused[data["id"]])
        for data in of_type(drafts, EventType.TOOL_CALL)
    ]


def test_a_rehearsal_of_planning_writes_the_plan_and_says_that_it_was_one(stage: Stage) -> None:
    (stage.workspace.input / "notes.txt").unlink()
    skill = read_info(PLANNING / "info.md")
    brief = stage.brief().model_copy(update={"instruction": skill.instruction, "claude": skill.claude})
    drafts, result = stage.rehearse(read_script(PLANNING / "rehearsals" / "plan.yaml"), brief)
    assert isinstance(result, Result)
    assert (drafts[0].type, drafts[0].data["code"]) == (EventType.WARNING, "rehearsal")
    assert result.text.startswith("This was a rehearsal: no model was asked, every reply came from plan.yaml.\n")
    assert result.data == {"rehearsal": True}
    assert (stage.workspace.output / "plan.md").read_text().startswith("# Plan: an authentication system\n")
    used = sum((draft.usage for draft in drafts[1:]), drafts[0].usage)
    assert (used.input_tokens, used.output_tokens) == (5880, 2875)
    assert (used.cache_read_tokens, used.cache_creation_tokens) == (21700, 4100)
    assert used.cost_usd > 0


def test_only_allowed_tools_run_and_only_in_the_workspace(stage: Stage) -> None:
    (stage.workspace.input / "link").symlink_to("/etc/passwd")
    drafts, result = stage.rehearse(
        read_script(HERE / "rehearsals" / "confined.yaml"), stage.brief("Read", "Glob", "Grep", "Write(output/**)")
    )
    assert isinstance(result, Result)
    tried = outcomes(drafts)
    assert [call for call, ran in tried if ran] == ["Read input/notes.txt", "Write output/kept.md"]
    assert len(tried) == 17
    files = sorted(path.relative_to(stage.workspace.folder).as_posix() for path in stage.workspace.folder.rglob("*"))
    assert files == ["input", "input/link", "input/notes.txt", "output", "output/kept.md"]
    assert str(stage.workspace.folder) not in json.dumps([draft.data for draft in drafts])


def test_a_rule_holds_though_claude_code_takes_the_command_for_harmless(stage: Stage) -> None:
    (stage.workspace.folder / "private.txt").write_text("private")
    drafts, _ = stage.rehearse(
        read_script(HERE / "rehearsals" / "commands.yaml"), stage.brief("Bash(git log *)", "Read(input/**)")
    )
    results = {data["id"]: data["text"] for data in of_type(drafts, EventType.TOOL_RESULT)}
    calls = of_type(drafts, EventType.TOOL_CALL)
    ran = [call["input"] for call in calls if "This skill allows" not in results[call["id"]]]
    assert ran == [{"command": "git log --oneline -1"}, {"file_path": "input/notes.txt"}]


def test_a_skill_without_tools_has_none(stage: Stage) -> None:
    drafts, _ = stage.rehearse(script({"tools": [READ]}, {"text": "Done."}), stage.brief())
    assert outcomes(drafts) == [("Read input/notes.txt", False)]


def test_no_secret_of_the_server_reaches_a_tool(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODAL_INVOKE_TOKEN", "DATABASE_URL", "ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sk-the-real-one")
    seen = "env; tr '\\0' '\\n' < /proc/$PPID/environ; cat \"$HOME\"/.claude.json \"$CLAUDE_CONFIG_DIR\"/* 2>&1"

    async def scene() -> tuple[list[Draft], Result | TaskFailed]:
        async with Rehearsal(script(bash(seen), {"text": "Done."})) as service:
            return await stage.run(ClaudeEngine(stage.somebody, service.url), stage.brief("Bash"))

    drafts, result = asyncio.run(scene())
    [told] = of_type(drafts, EventType.TOOL_RESULT)
    assert f"MODAL_INVOKE_RUN={stage.workspace.run_id}" in told["text"]
    assert "sk-the-real-one" not in told["text"]
    assert "DATABASE_URL" not in told["text"]
    assert result == Result(text="Done.")


def test_tools_get_what_the_skill_was_granted_and_it_changes_nothing_of_claude_codes_own(stage: Stage) -> None:
    granted = {"PICTURE_KEY": 'it\'s "mine" $HOME', "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    played = script(bash('echo "$PICTURE_KEY"'), {"text": "Done."})
    engine = ClaudeEngine(stage.nobody, rehearsal=played, environment=granted)
    drafts, result = asyncio.run(stage.run(engine, stage.brief("Bash")))
    assert isinstance(result, Result)
    [told] = of_type(drafts, EventType.TOOL_RESULT)
    assert told["text"] == granted["PICTURE_KEY"]


def test_no_path_of_the_machine_is_told(stage: Stage) -> None:
    (stage.workspace.input / "link").symlink_to(stage.folder)
    calls = {
        "tools": [
            {"name": "Read", "input": {"file_path": "../other/secret.txt"}},
            {"name": "Read", "input": {"file_path": "input/link/secret.txt"}},
            {"name": "Read", "input": {"file_path": "~/.claude.json"}},
            {"name": "Bash", "input": {"command": "pwd; echo $HOME $TMPDIR", "run_in_background": True}},
        ]
    }
    drafts, _ = stage.rehearse(script(calls, {"text": "Done."}), stage.brief("Read", "Bash"))
    told = of_type(drafts, EventType.TOOL_RESULT)
    assert len(told) == 4
    shown = json.dumps([draft.data for draft in drafts])
    assert stage.folder.name not in shown
    assert "~/home/.claude.json is outside ." in shown


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        (CredentialSource(HERE, api_key=SecretStr("secret")), "x-api-key", "secret"),
        (CredentialSource(HERE, oauth_token=SecretStr("secret")), "authorization", "Bearer secret"),
    ],
    ids=["key", "token"],
)
def test_the_service_is_asked_with_the_real_credentials(
    stage: Stage, credentials: CredentialSource, header: str, value: str
) -> None:
    asked: list[dict[str, str]] = []

    async def service(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(dict(Request(scope).headers))
        whole = message("m", 1, [{"type": "text", "text": "Done."}], {"input_tokens": 1, "output_tokens": 1})
        await StreamingResponse(stream(whole), media_type="text/event-stream")(scope, receive, send)

    async def scene() -> tuple[list[Draft], Result | TaskFailed]:
        async with serve(service) as url:
            return await stage.run(ClaudeEngine(credentials, url), stage.brief())

    assert asyncio.run(scene())[1] == Result(text="Done.")
    assert [headers[header] for headers in asked] == [value]
    assert ("oauth-2025-04-20" in asked[0]["anthropic-beta"]) == (header == "authorization")


def test_the_model_gets_the_instruction_and_the_task_as_it_was_written(stage: Stage) -> None:
    words = f"/help Look at @{stage.workspace.input}/notes.txt"
    files = (InputFile(id="1", name="notes.txt"),)
    brief = stage.brief("Read", model="sonnet", effort="low")
    brief = brief.model_copy(update={"prompt": words, "args": {"depth": "größer"}, "files": files})

    async def scene() -> dict[str, Any]:
        async with Rehearsal(script({"text": "Done."})) as service:
            await stage.run(ClaudeEngine(stage.somebody, service.url), brief)
            [request] = service.requests
            return request

    request = asyncio.run(scene())
    asked = json.dumps([part for part in request["messages"] if part["role"] == "user"], ensure_ascii=False)
    assert words in asked
    assert "hidden treasure" not in asked
    assert "größer" in asked
    assert "- input/notes.txt" in asked
    assert "Do it well." in json.dumps(request["system"])
    assert (request["model"], request["output_config"]["effort"]) == ("claude-sonnet-5-5", "low")


@pytest.mark.parametrize(
    ("status", "failure", "says"),
    [
        (401, CredentialsRefused, "run `claude` once and log in again, or set ANTHROPIC_API_KEY"),
        (403, CredentialsRefused, "or set ANTHROPIC_API_KEY to a key that is valid. What the service said."),
        (402, ModelRefused, "HTTP 402): What the service said. Add credit"),
        (404, ModelRefused, "Correct `model`"),
        (413, ModelRefused, "Hand over less"),
        (429, ModelOverloaded, "limits this account (HTTP 429): What the service said. Run the task again"),
        (529, ModelOverloaded, "is overloaded"),
        (400, ModelRefused, "HTTP 400): What the service said."),
    ],
)
def test_what_the_service_says_becomes_the_tasks_error(stage: Stage, status: int, failure: type[TaskFailed], says: str) -> None:
    error = {"error": {"status": status, "type": "some_error", "message": "What the service said."}}
    drafts, ending = stage.rehearse(script(error), stage.brief())
    assert type(ending) is failure
    assert says in str(ending)
    assert "127.0.0.1" not in str(ending)
    assert of_type(drafts, EventType.TEXT) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("Your credit balance is too low to access the Anthropic API.", "Add credit to the account"),
        ("prompt is too long: 300000 tokens > 200000 maximum", "Hand over less"),
    ],
)
def test_a_refusal_says_what_to_do(stage: Stage, words: str, says: str) -> None:
    error = {"error": {"status": 400, "type": "invalid_request_error", "message": words}}
    _, ending = stage.rehearse(script(error), stage.brief())
    assert isinstance(ending, ModelRefused)
    assert says in str(ending)


def test_without_a_network_the_task_says_so(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    _, ending = asyncio.run(stage.run(ClaudeEngine(stage.somebody, nobody, retries=0), stage.brief()))
    assert isinstance(ending, ModelOverloaded)
    assert "cannot be reached" in str(ending)
    assert "network" in str(ending)


@pytest.mark.parametrize(
    ("limit", "failure"),
    [({"max_turns": 2}, TurnsExhausted), ({"budget_usd": 0.001}, BudgetExhausted)],
)
def test_a_limit_ends_the_run_and_what_was_used_is_still_counted(
    stage: Stage, limit: dict[str, Any], failure: type[TaskFailed]
) -> None:
    reply = {"tools": [READ], "usage": {"input": 1000, "output": 100}}
    drafts, ending = stage.rehearse(script(*[reply] * 3), stage.brief("Read", **limit))
    assert type(ending) is failure
    assert drafts[-1].type == EventType.USAGE
    assert drafts[-1].usage.input_tokens >= 1000


def test_a_service_that_recovers_is_asked_again(stage: Stage) -> None:
    overloaded = {"error": {"status": 529, "type": "overloaded_error"}}
    drafts, result = stage.rehearse(script(overloaded, {"text": "Done."}), stage.brief())
    assert isinstance(result, Result)
    assert "529" in of_type(drafts, EventType.PROGRESS)[0]["message"]


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([{"expect": "another task", "text": "Done."}], "trial.yaml: reply 1 expected 'another task', but was asked: 'Do it.'"),
        ([{"text": "Done."}, {"text": "More."}], "trial.yaml: the skill ended after reply 1 of 2"),
        ([{"tools": [READ]}], "trial.yaml: the script ended after reply 1"),
    ],
)
def test_a_run_that_is_not_as_the_script_says_fails(stage: Stage, replies: list[dict[str, Any]], says: str) -> None:
    _, ending = stage.rehearse(script(*replies), stage.brief("Read"))
    assert isinstance(ending, ModelRefused)
    assert str(ending).startswith(says)


def test_without_credentials_nothing_is_started(stage: Stage) -> None:
    drafts, ending = asyncio.run(stage.run(ClaudeEngine(stage.nobody), stage.brief()))
    assert isinstance(ending, NoCredentials)
    assert drafts == []


@pytest.mark.parametrize(("content", "says"), [(None, "is not where it should be"), ("#!/bin/sh\nexit 3\n", "broke off")])
def test_a_claude_code_that_does_not_run_fails_the_task(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory, content: str | None, says: str
) -> None:
    program = tmp_path_factory.mktemp("bin") / "claude"
    if content:
        program.write_text(content)
        program.chmod(0o755)
    _, ending = asyncio.run(stage.run(ClaudeEngine(stage.nobody, rehearsal=script({"text": "a"}), cli=program), stage.brief()))
    assert isinstance(ending, EngineFailed)
    assert says in str(ending)
    assert str(program) not in str(ending)


async def until_started(stage: Stage, happenings: AsyncIterator[Draft | Result]) -> None:
    """Reads on until the tool was called, and waits for its processes."""
    async for happening in happenings:
        if isinstance(happening, Draft) and happening.type == EventType.TOOL_CALL:
            break
    async with asyncio.timeout(20):
        while not (stage.workspace.output / "started").exists():  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.01)
    assert (
        len(processes_of(stage.workspace.run_id)) >= 4
    )  # Claude Code, a shell and three that wait, one of them in a session of its own


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["close", "cancel"])
def test_an_end_from_outside_ends_all_processes(stage: Stage, loop: str, way: str) -> None:
    waiting = bash("{0} & setsid {0} & touch output/started; {0}".format("tail -f /dev/null"))
    engine = ClaudeEngine(stage.nobody, rehearsal=script(waiting))

    async def play(ready: asyncio.Event) -> None:
        async with aclosing(engine.run(stage.brief("Bash"), stage.workspace, unanswered)) as happenings:
            await until_started(stage, happenings)
            ready.set()
            if way == "cancel":
                async for _ in happenings:
                    pass

    async def scene() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(play(ready))
        if way == "cancel":
            await asyncio.wait_for(ready.wait(), 30)
            task.cancel()
        await asyncio.wait({task}, timeout=60)
        assert task.done()
        assert task.cancelled() or task.exception() is None
        assert task.cancelled() == (way == "cancel")

    before = set(psutil.Process().children())
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scene())
        stage.check_clean()
        assert set(psutil.Process().children()) <= before  # nor a zombie is left
