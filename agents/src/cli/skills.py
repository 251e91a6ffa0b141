"""`agents skills`: what can be asked for, whether it is declared well, and how it is built from local skills."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.src.cli.output import AsJson, note, print_json, print_table, print_text
from agents.src.cli.running import state_only, with_parts
from agents.src.errors import InvalidSkill
from agents.src.services import skill_build
from agents.src.services.markdown import examine, read_catalogue, shown
from agents.src.services.skill_build import Comparison, State
from agents.src.services.skill_md import second_opinion
from agents.src.settings import read_settings
from agents.src.skills import Range, Skill, estimate

app = typer.Typer(help="The skills there are, and whether their info.md is right.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The skill's name.")]
Dirs = Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders with a SKILL.md, or folders of such.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The catalogue; default MODAL_INVOKE_SKILLS_DIR.")]
IN_STEP = (State.IN_STEP, State.CLOUDS_OWN)
REFUSED = (State.EDITED, State.HAND_WRITTEN)


@app.command("list")
def list_skills(as_json: AsJson = False) -> None:
    """List the skills of the catalogue."""
    catalogue = read_catalogue(read_settings().skills_dir)
    if as_json:
        print_json([_as_dict(skill) for skill in catalogue])
        return
    print_table(("skill", "engine", "description"), [(skill.name, skill.engine, skill.description) for skill in catalogue])


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show all that one skill declares, and its instruction."""
    skill = read_catalogue(read_settings().skills_dir).get(name)
    if as_json:
        print_json(_as_dict(skill))
        return
    print_table(("key", "value"), [("name", skill.name), *_flat(_as_dict(skill))])
    print_text(f"\n{skill.instruction}")


@app.command("estimate")
def estimate_skill(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The skill's name.")], as_json: AsJson = False
) -> None:
    """Show what a task of a skill will take, going by the last 50 that completed: seconds, and what they cost."""
    skill = read_catalogue(read_settings().skills_dir).get(name)
    found = with_parts(state_only, lambda parts: estimate(parts.store, skill.name, None))
    if as_json:
        print_json({"skill": skill.name, **asdict(found)})
    elif not found.tasks:
        note(f"No task of {skill.name} has completed yet: there is nothing to go by.")
    else:
        ranges = (("seconds", found.seconds, 2), ("model, USD", found.cost_usd, 4), ("compute, USD", found.compute_usd, 6))
        print_table(("", "lowest", "median", "highest"), [(what, *_shown(values, digits)) for what, values, digits in ranges])
        note(f"The last {found.tasks} completed task{'' if found.tasks == 1 else 's'} of {skill.name}.")


def _shown(values: Range | None, digits: int) -> tuple[str, str, str]:
    if values is None:
        return "unknown", "", ""
    return f"{values.lowest:.{digits}f}", f"{values.median:.{digits}f}", f"{values.highest:.{digits}f}"


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="An info.md, a skill's folder, or a folder of skills.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check info.md files: one line for each fault, and exit code 1 if there is one."""
    skills, faults = examine(path or read_settings().skills_dir)
    if as_json:
        print_json({"ok": not faults, "skills": [skill.name for skill in skills], "faults": [asdict(fault) for fault in faults]})
    else:
        for fault in faults:
            print(fault)
        if not faults:
            print(f"OK: {len(skills)} skill{'' if len(skills) == 1 else 's'}")
    if faults:
        raise typer.Exit(1)


@app.command()
def build(
    dirs: Dirs,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a build is due or refused.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also over what was written by hand.")] = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Build cloud skills from local ones: info.md from SKILL.md, with the files beside it.

    The cloud's own keys in info.md, the text beside its markers and its memory.md stay. Exit code 1 if a skill is refused.
    """
    compared = skill_build.compare_all(dirs, out or read_settings().skills_dir)
    _warn(compared)
    results = [_build(one, check=check, force=force) for one in compared]
    ok = all(result["ok"] for result in results)
    if as_json:
        print_json({"ok": ok, "skills": results})
    else:
        _print_results(results)
    if not ok:
        raise typer.Exit(1)


@app.command()
def sync(dirs: Dirs, out: Out = None, as_json: AsJson = False) -> None:
    """Show how local skills and cloud skills differ, both ways, and write nothing. Exit code 1 if they do."""
    skills_dir = out or read_settings().skills_dir
    compared = skill_build.compare_all(dirs, skills_dir)
    compared += skill_build.only_cloud(compared, skills_dir)
    ok = all(one.state in IN_STEP for one in compared)
    if as_json:
        print_json({"ok": ok, "skills": [_compared(one) for one in compared]})
    else:
        print_table(
            ("skill", "state", "local"), [(one.name, one.state, shown(one.local) if one.local else "") for one in compared]
        )
        for one in compared:
            print_text("\n".join(["", *one.why, *_changes(one)])) if one.state not in IN_STEP else None
    if not ok:
        raise typer.Exit(1)


def _warn(compared: list[Comparison]) -> None:
    for one in compared:
        for warning in one.warnings:
            note(f"warning: {warning}")
        for words in second_opinion(one.local.parent) if one.local and one.state != State.FAULTY else []:
            note(f"warning: {shown(one.local) if one.local else one.name}: skills-ref says: {words}")


def _build(one: Comparison, *, check: bool, force: bool) -> dict[str, Any]:
    """What became of one skill: `in step`, `built` with the files that were written or removed, `build due`, or why not."""
    may = one.state in (State.ONLY_LOCAL, State.DUE) or (force and one.state in REFUSED)
    result: dict[str, Any] = {"skill": one.name, "state": one.state, "ok": one.state == State.IN_STEP or (may and not check)}
    result |= {"why": [] if may else list(one.why), "files": [shown(path) for path in skill_build.due(one)] if may else []}
    if may and not check:
        try:
            skill_build.build(one)
            result["state"] = "built"
        except InvalidSkill as problem:
            result |= {"state": State.FAULTY, "ok": False, "why": [problem.detail], "files": []}
    return result


def _print_results(results: list[dict[str, Any]]) -> None:
    for result in results:
        for reason in result["why"]:
            print_text(reason)
        if result["files"]:
            print_text(f"{result['state']}: {', '.join(result['files'])}")
    count = sum(result["state"] == State.IN_STEP for result in results)
    if count == len(results):
        print(f"OK: {count} skill{'' if count == 1 else 's'} in step")


def _compared(one: Comparison) -> dict[str, Any]:
    return {
        "skill": one.name,
        "state": one.state,
        "local": shown(one.local) if one.local else None,
        "cloud": shown(one.cloud),
        "why": list(one.why),
        "files": [shown(path) for path in skill_build.due(one)],
        "diff": one.difference(),
    }


def _changes(one: Comparison) -> list[str]:
    if one.state in (State.EDITED, State.HAND_WRITTEN):
        return [one.difference()]
    if one.state == State.ONLY_CLOUD:
        return [f"{shown(one.cloud)} was built, and none of the folders has its SKILL.md"]
    return [f"{one.state}: {shown(path)}" for path in skill_build.due(one)]


def _as_dict(skill: Skill) -> dict[str, Any]:
    return skill.model_dump(mode="json")


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """What is set, one row each, in the spelling of info.md: `claude.allowed-tools`, `["Read"]`."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict) and key != "arguments":
            rows += _flat(value, f"{prefix}{key}.")
        elif value not in (None, [], "") and key not in ("name", "instruction"):
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{prefix}{key}".replace("_", "-"), shown))
    return rows
