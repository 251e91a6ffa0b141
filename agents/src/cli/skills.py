"""`agents skills`: what can be asked for, and whether it is declared well."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.src.cli.output import AsJson, print_json, print_table, print_text
from agents.src.services.markdown import examine, read_catalogue
from agents.src.settings import read_settings
from agents.src.skills import Skill

app = typer.Typer(help="The skills there are, and whether their info.md is right.", no_args_is_help=True)


@app.command("list")
def list_skills(as_json: AsJson = False) -> None:
    """List the skills of the catalogue."""
    catalogue = read_catalogue(read_settings().skills_dir)
    if as_json:
        print_json([_as_dict(skill) for skill in catalogue])
        return
    print_table(("skill", "engine", "description"), [(skill.name, skill.engine, skill.description) for skill in catalogue])


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="The skill's name.")], as_json: AsJson = False) -> None:
    """Show all that one skill declares, and its instruction."""
    skill = read_catalogue(read_settings().skills_dir).get(name)
    if as_json:
        print_json(_as_dict(skill))
        return
    print_table(("key", "value"), [("name", skill.name), *_flat(_as_dict(skill))])
    print_text(f"\n{skill.instruction}")


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
