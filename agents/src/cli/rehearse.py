"""`agents rehearse`: a skill in the real Claude Code, with scripted replies in place of a model."""

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from agents.src.cli.invoke import pair
from agents.src.cli.output import AsJson, print_json
from agents.src.cli.running import quiet_settings
from agents.src.clock import Clock
from agents.src.errors import InvalidRequest, TaskFailed, TimedOut
from agents.src.services.claude_code import ClaudeEngine, announcement
from agents.src.services.claude_credentials import CredentialSource
from agents.src.services.files import keep as keep_artifacts
from agents.src.services.markdown import read_catalogue
from agents.src.services.rehearsal import ScriptedAnswers, read_script
from agents.src.skills import SkillRequest, brief_for, check_arguments
from agents.src.tasks import Ask, Brief, Draft, InputFile, Result, Usage, Workspace, distinct, safe_name

WIDTH = 200  # characters of an event's data on its line

Tell = Callable[[Draft], None]


@dataclass
class Outcome:
    """What a rehearsal came to."""

    drafts: list[Draft] = field(default_factory=list)
    result: Result | None = None
    failure: TaskFailed | None = None
    artifacts: list[str] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        return sum((draft.usage for draft in self.drafts), Usage())


def rehearse(
    skill: Annotated[str, typer.Argument(metavar="SKILL", help="The skill's name.")],
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="The script of the model's replies, a YAML file.")],
    task: Annotated[str, typer.Option(metavar="TEXT", help="What the caller asks for.")] = "This is a rehearsal.",
    file: Annotated[list[Path] | None, typer.Option(metavar="PATH", help="A file to hand over; repeatable.")] = None,
    arg: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A structured argument; V is JSON, or else text; repeatable.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(metavar="FOLDER", help="A folder to copy the artifacts to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a skill in Claude Code with scripted replies.

    Needs no key and costs nothing. Exit code 1 if the task fails.
    """
    settings = quiet_settings()
    found = read_catalogue(settings.skills_dir).get(skill)
    if found.engine != "claude":
        raise InvalidRequest(f"{found.name} runs a program and asks no model; run it with `agents invoke`.")
    played, args = read_script(script), dict(pair(text) for text in arg or [])
    check_arguments(found, args)
    engine = ClaudeEngine(CredentialSource(settings.claude_config_dir), rehearsal=played)
    with TemporaryDirectory(prefix="rehearsal-", ignore_cleanup_errors=True) as folder:
        workspace = Workspace(f"{Clock().new_id()}:1", Path(folder, "workspace"))
        files = _hand_over(file or [], workspace)
        brief = brief_for(found, SkillRequest(skill=skill, task=task, args=args), files, settings.task_timeout_seconds)
        outcome = asyncio.run(_play(engine, brief, workspace, ScriptedAnswers(played), _silent if as_json else _told))
        outcome.artifacts = _artifacts(workspace.output, keep or Path(folder, "kept"))
    if as_json:
        print_json(_document(skill, played.name, outcome))
    else:
        print(_summary(outcome, announcement(played)))
    if outcome.failure:
        raise typer.Exit(1)


def _hand_over(files: list[Path], workspace: Workspace) -> tuple[InputFile, ...]:
    for made in (workspace.input, workspace.output):
        made.mkdir(parents=True)
    names = distinct([safe_name(file.name) for file in files])
    for file, name in zip(files, names, strict=True):
        if not file.is_file():
            raise InvalidRequest(f"There is no file {file}.")
        shutil.copyfile(file, workspace.input / name)
    return tuple(InputFile(id=name, name=name) for name in names)


async def _play(engine: ClaudeEngine, brief: Brief, workspace: Workspace, ask: Ask, tell: Tell) -> Outcome:
    outcome = Outcome()
    try:
        async with asyncio.timeout(brief.timeout), aclosing(engine.run(brief, workspace, ask)) as happenings:
            async for happening in happenings:
                if isinstance(happening, Result):
                    outcome.result = happening
                else:
                    outcome.drafts.append(happening)
                    tell(happening)
    except TaskFailed as failure:
        outcome.failure = failure
    except TimeoutError:
        outcome.failure = TimedOut(f"The skill was not done after {brief.timeout:g} seconds.")
    return outcome


def _told(draft: Draft) -> None:
    data = json.dumps(draft.data, ensure_ascii=False)
    print(f"{draft.type:<12} {data if len(data) <= WIDTH else data[: WIDTH - 1] + '…'}", flush=True)


def _silent(_: Draft) -> None:
    pass


def _artifacts(output: Path, folder: Path) -> list[str]:
    """The names of what the skill left, as a task's artifacts have them; the files are then in `folder`."""
    try:
        return [artifact.name for artifact in keep_artifacts(output, folder)]
    except OSError as error:
        raise InvalidRequest(f"--keep: cannot write into {folder} ({error.strerror}).") from None


def _summary(outcome: Outcome, note: str) -> str:
    lines = [f"{'artifact':<12} {name}" for name in outcome.artifacts]
    if outcome.failure:
        lines += ["", note, "", f"Failed: {outcome.failure.detail}"]
    elif outcome.result:
        lines += ["", outcome.result.text]  # begins with the note
    return "\n".join(lines)


def _document(skill: str, script: str, outcome: Outcome) -> dict[str, Any]:
    failure = outcome.failure
    return {
        "rehearsal": True,
        "skill": skill,
        "script": script,
        "status": "failed" if failure else "completed",
        "result": outcome.result.model_dump(include={"text", "data"}) if outcome.result else None,
        "error": {"type": failure.slug(), "title": failure.title(), "detail": failure.detail} if failure else None,
        "artifacts": outcome.artifacts,
        "usage": outcome.usage.model_dump(),
        "events": [{"type": draft.type, "data": draft.data} for draft in outcome.drafts],
    }
