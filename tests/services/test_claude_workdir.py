"""The `claude` engine in a folder of the caller's, with the real Claude Code and scripted replies."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.src.bootstrap import Parts
from agents.src.services.claude_code import ClaudeEngine
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.database import open_database
from agents.src.services.rehearsal import Rehearsal
from agents.src.services.transcript_store import SqlTranscriptStore
from agents.src.tasks import ClaudeOptions, EventType, Result, Status
from tests.building import a_skill, ended, parts, running, submit
from tests.rooms.test_asking import parked, pending
from tests.services.test_claude_code import Stage, of_type, outcomes, script
from tests.services.test_claude_questions import DATABASE, POSTGRES, results, user


def call(name: str, **given: Any) -> dict[str, Any]:
    return {"name": name, "input": given}


def write(path: str) -> dict[str, Any]:
    return call("Write", file_path=path, content="written")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what would configure Claude Code, and a link that leads out. Beside it lies a secret."""
    folder = tmp_path / "project"
    for name in ("src", ".git/hooks", ".claude"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("a secret")
    (folder / "src" / "app.py").write_text("old = 1\n")
    (folder / "src" / "link").symlink_to(tmp_path / "secret.txt")
    touch = f"touch {tmp_path}/ran"
    hook = {"matcher": "*", "hooks": [{"type": "command", "command": touch}]}
    settings = {"hooks": {"PreToolUse": [hook], "SessionStart": [hook]}, "permissions": {"allow": ["Bash"]}}
    (folder / ".claude" / "settings.json").write_text(json.dumps(settings))
    (folder / ".mcp.json").write_text(json.dumps({"mcpServers": {"own": {"command": "sh", "args": ["-c", touch]}}}))
    (folder / "CLAUDE.md").write_text("The magic word is xyzzy.")
    return folder


@pytest.fixture
def stage(tmp_path: Path, project: Path) -> Stage:
    stage = Stage(tmp_path / "state")
    stage.workspace = replace(stage.workspace, workdir=project)
    return stage


def files_in(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def test_it_reads_and_edits_there_what_the_skill_allows_and_nothing_outside(stage: Stage, project: Path, tmp_path: Path) -> None:
    own = stage.workspace.folder
    allowed = [
        call("Read", file_path="src/app.py"),
        call("Read", file_path=f"{project}/CLAUDE.md"),
        call("Read", file_path=f"{own}/input/notes.txt"),
        call("Glob", pattern="**/*.py"),
        call("Glob", pattern="*", path=f"{own}/input"),
        call("Grep", pattern="old", path="src"),
    ]
    edited = [
        call("Edit", file_path="src/app.py", old_string="old", new_string="new"),
        write("src/new.py"),
        write(f"{own}/output/report.md"),
    ]
    refused = [
        call("Read", file_path="/etc/passwd"),
        call("Read", file_path="../secret.txt"),
        call("Read", file_path="src/link"),
        call("Read", file_path=f"{own}/../state.db"),
        call("Glob", pattern="*", path=".."),
        call("Grep", pattern="secret", path=f"{tmp_path}/secret.txt", output_mode="content"),
        call("Edit", file_path="CLAUDE.md", old_string="xyzzy", new_string="abracadabra"),
        call("Bash", command="touch ran"),
        *map(write, ("README.md", "output/report.md", "src/../stray.md", "../stray.md", "src/link", ".git/hooks/pre-commit")),
        *map(write, (f"{own}/input/stray.md", f"{own}/stray.md")),
    ]
    before = files_in(project)
    rules = ("Read", "Glob", "Grep", "Edit(src/**)", "Write(src/**)", "Write(output/**)")
    replies = [{"tools": tools} for tools in (allowed, edited, refused)]
    drafts, result = stage.rehearse(script(*replies, {"text": "Done."}), stage.brief(*rules))
    assert isinstance(result, Result)
    assert [ran for _, ran in outcomes(drafts)] == [True] * len(allowed + edited) + [False] * len(refused)
    assert files_in(project) == before | {"src/app.py": "new = 1\n", "src/new.py": "written"}
    assert files_in(own) == {"input/notes.txt": "hidden treasure", "output/report.md": "written"}
    assert (tmp_path / "secret.txt").read_text() == "a secret"
    assert not (tmp_path / "ran").exists()


def test_a_tool_without_a_rule_is_bound_to_the_folder_and_keeps_its_hands_off_what_configures_programs(
    stage: Stage, project: Path
) -> None:
    own = stage.workspace.folder
    written = [write(path) for path in ("README.md", "output/a.md", f"{own}/output/b.md")]
    refused = [
        *map(write, ("../stray.md", f"{own}/stray.md", f"{own}/../stray.md")),
        *map(write, (".git/hooks/pre-commit", ".git/config", ".claude/settings.json", ".mcp.json")),
    ]
    drafts, _ = stage.rehearse(script({"tools": written}, {"tools": refused}, {"text": "Done."}), stage.brief("Write"))
    assert [ran for _, ran in outcomes(drafts)] == [True] * len(written) + [False] * len(refused)
    assert set(files_in(project)) >= {"README.md", "output/a.md"}
    assert ".git/hooks/pre-commit" not in files_in(project)


def test_others_read_the_callers_folder_by_its_path_and_no_other_of_this_machine(stage: Stage, project: Path) -> None:
    tried = [
        write(f"{stage.workspace.folder}/output/report.md"),
        call("Read", file_path=f"{stage.workspace.folder}/../other.txt"),
        call("Bash", command="pwd; echo $HOME $TMPDIR"),
    ]
    drafts, _ = stage.rehearse(script({"tools": tried}, {"text": "Done."}), stage.brief("Read", "Write", "Bash"))
    first, second, third = [data["text"] for data in of_type(drafts, EventType.TOOL_RESULT)]
    assert "workspace/output/report.md" in first
    assert f"outside {project}, workspace/input, workspace/output" in second
    assert third.split() == [str(project), "~/home", "~/tmp"]
    assert str(stage.folder) not in json.dumps([draft.data for draft in drafts])


def test_it_is_told_where_everything_is_and_the_folder_tells_it_nothing(stage: Stage, project: Path, tmp_path: Path) -> None:
    async def scene() -> dict[str, Any]:
        async with Rehearsal(script({"text": "Done."})) as service:
            await stage.run(ClaudeEngine(stage.somebody, service.url), stage.brief("Read"))
            [request] = service.requests
            return request

    request = asyncio.run(scene())
    system = "\n".join(block["text"] for block in request["system"])
    own = stage.workspace.folder
    assert f"Files that were handed over with the task are in `{own}/input`." in system
    assert f"What you leave in `{own}/output` is" in system
    assert str(project) in json.dumps(request)
    assert "xyzzy" not in json.dumps(request)
    assert [tool["name"] for tool in request["tools"] if "own" in tool["name"]] == []
    assert not (tmp_path / "ran").exists()


def a_house(state_dir: Path, project: Path, *replies: dict[str, Any]) -> Parts:
    """The program as one process has it; a question is parked at once."""
    db = open_database(None, state_dir)
    nobody = CredentialSource(state_dir / "no-login", keychain=False)
    claude = ClaudeEngine(nobody, rehearsal=script(*replies), retries=1, transcripts=SqlTranscriptStore(db))
    options = ClaudeOptions(allowed_tools=("Read", "Edit(src/**)", "Write(output/**)"))
    skill = a_skill("asking", engine="claude", run=None, arguments=None, claude=options)
    more: dict[str, Any] = {"question_hold_seconds": 0, "workdirs": (project.parent,)}
    return parts(state_dir, engines={"claude": claude}, skills=[skill], db=db, **more)


def test_a_parked_conversation_goes_on_there_in_another_process(state_dir: Path, project: Path) -> None:
    # Claude Code edits only what it has read: so it remembers.
    replies = (
        {"tools": [call("Read", file_path="src/app.py")]},
        {"tools": [user(DATABASE)]},
        {"expect": "Postgres", "tools": [call("Edit", file_path="src/app.py", old_string="old", new_string="postgres")]},
        {"text": "Asked enough."},
    )

    async def story() -> None:
        async with running(a_house(state_dir, project, *replies)) as here:
            task = await submit(here, "asking", workdir=str(project))
            await parked(here, task)
            [asked] = await pending(here, task)
        async with running(a_house(state_dir, project, *replies)) as here:
            await here.answering.answer(asked, POSTGRES)
            done = await ended(here, task)
            assert (done.status, done.attempt, done.resumed) == (Status.COMPLETED, 2, 1), done.error
            assert [is_error for _, is_error in await results(here, task)] == [False, False, False]
        assert (project / "src" / "app.py").read_text() == "postgres = 1\n"
        assert [path.name for path in (state_dir / "work").iterdir()] == []

    asyncio.run(story())
