"""Reads info.md files and folders of them. `docs/info-md.md` is the specification."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from frontmatter.default_handlers import YAMLHandler

from agents.src.errors import InvalidSkill
from agents.src.services.yaml_lines import UnreadableYaml, read_yaml
from agents.src.skills import Catalogue, Fault, Place, Skill, read_skill

INFO = "info.md"
IGNORED = "__pycache__"


def read_info(path: Path) -> Skill:
    """The skill that an info.md declares. Raises InvalidSkill with every fault in it."""
    skills, faults = _examine_files([path], deep=True)
    _refuse(faults)
    return skills[0]


def read_catalogue(folder: Path, *, deep: bool = True) -> Catalogue:
    """Every skill in a folder. Raises InvalidSkill with every fault in any of them, or when there is none.

    Without `deep`, JSON Schemas are taken on trust: for a process whose catalogue was checked before, when it was deployed.
    """
    skills, faults = _examine_catalogue(folder, deep=deep)
    _refuse(faults)
    return Catalogue.of(skills)


def examine(path: Path) -> tuple[list[Skill], list[Fault]]:
    """The skills and the faults in an info.md, in the folder of one skill, or in a folder of skills."""
    path = path.resolve() if ".." in path.parts else path  # a skill is known by its folder's name
    if path.name == INFO or path.is_file():
        return _examine_files([path], deep=True)
    if (path / INFO).exists():
        return _examine_files([path / INFO], deep=True)
    return _examine_catalogue(path, deep=True)


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise InvalidSkill("\n".join(map(str, faults)))


def _examine_catalogue(folder: Path, *, deep: bool) -> tuple[list[Skill], list[Fault]]:
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    skills = [path for path in inside if path.is_dir() and path.name != IGNORED and not path.name.startswith(".")]
    if skills:
        return _examine_files([path / INFO for path in skills], deep=deep)
    why = "there is no skill in this folder" if folder.is_dir() else "there is no such folder"
    advice = f"{why}; make a folder for a skill in it, with an {INFO}, or set MODAL_INVOKE_SKILLS_DIR"
    return [], [Fault(1, "", advice, shown(folder))]


def _examine_files(paths: Iterable[Path], *, deep: bool) -> tuple[list[Skill], list[Fault]]:
    skills: list[Skill] = []
    faults: list[Fault] = []
    for path in paths:
        found = _read(path, deep=deep)
        if isinstance(found, Skill):
            skills.append(found)
        else:
            faults += [replace(fault, file=shown(path)) for fault in found]
    return skills, faults


def _read(path: Path, *, deep: bool) -> Skill | list[Fault]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [Fault(1, "", f"there is no {INFO} here; write one, or take the folder away")]
    except (UnicodeDecodeError, OSError):
        return [Fault(1, "", "this cannot be read; make it a readable text file in UTF-8")]
    return read_text(path, text, path.absolute().parent, deep=deep)


def read_text(path: Path, text: str, beside: Path, *, deep: bool = True) -> Skill | list[Fault]:
    """The skill that this text would declare as the info.md at `path`, with its program in the folder `beside`."""
    try:
        front, body = _split(text)
        reading = read_yaml(front)
    except UnreadableYaml as error:
        return [Fault(error.line, "", str(error))]
    if not isinstance(reading.value, dict | None):
        return [Fault(reading.lines[()], "", "the frontmatter is not a mapping; write lines such as name: planning")]
    skill = read_skill(path.absolute().parent, reading.value or {}, reading.lines, body, deep=deep)
    faults = [Fault(*wrong) for wrong in reading.wrong] + (
        skill if isinstance(skill, list) else _program_faults(skill, beside, reading.lines)
    )
    return sorted(faults, key=lambda fault: fault.line) or skill


def _split(text: str) -> tuple[str, str]:
    """The frontmatter, on the same lines as in the file, and the body."""
    handler = YAMLHandler()
    if not handler.detect(text):
        raise UnreadableYaml(1, "the first line is not ---; begin with frontmatter between two lines of ---")
    try:
        front, body = handler.split(text)
    except ValueError:
        raise UnreadableYaml(1, "the frontmatter has no end; put a line of --- below it") from None
    above = text.count("\n", 0, text.index(front, 3))
    return "\n" * above + front, body.strip()


def _program_faults(skill: Skill, beside: Path, lines: dict[Place, int]) -> list[Fault]:
    if skill.run is None:
        return []
    program = beside / skill.run
    if not program.is_file():
        return [Fault(lines["run",], "run", f"there is no file {skill.run} beside {INFO}; write it, or correct the name")]
    if program.suffix != ".py" and not os.access(program, os.X_OK):
        return [Fault(lines["run",], "run", f"{skill.run} cannot be executed; chmod +x it")]
    return []


def shown(path: Path) -> str:
    """The path as seen from the working directory, if it is below that."""
    here, path = Path.cwd(), path.absolute()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)
