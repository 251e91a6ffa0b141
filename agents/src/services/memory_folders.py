"""Finds the folders of skills in which a memory.md lies, or may come to lie."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.src.errors import InvalidRequest
from agents.src.services.memory_file import NAME as MEMORY

DECLARATIONS = ("SKILL.md", "info.md")
LONGEST_NAME = 64
"""Characters."""
IGNORED = "__pycache__"
HEAD = 65536
"""Bytes of a file in which its frontmatter must lie."""
NAME = re.compile(r"^name:.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SkillFolder:
    """`name` is the skill's: its frontmatter's, or else the folder's own."""

    name: str
    path: Path


def find_skill_folders(places: Iterable[Path]) -> list[SkillFolder]:
    """In each place, a skill's folder or a folder of such; every folder once.

    Raises InvalidRequest for another place, and for a name that is not UTF-8.
    """
    found: dict[Path, SkillFolder] = {}
    for place in places:
        if not place.is_dir():
            raise InvalidRequest(f"{place} is not a folder; give the folder of a skill, or a folder of such.")
        try:
            folders = [*_in(place)]
        except OSError as error:
            raise InvalidRequest(f"{place} cannot be read ({error.strerror}). Its owner has to allow it.") from None
        for folder in folders:
            found.setdefault(folder.path.resolve(), folder)
    return list(found.values())


def find_undeclared(places: Iterable[Path]) -> list[Path]:
    """The memory.md files in these places that belong to no skill: nothing beside them declares one."""
    folders = [folder for place in places if not _declaration(place) for folder in (place, *_folders(place))]
    return [folder / MEMORY for folder in folders if not _declaration(folder) and (folder / MEMORY).is_file()]


def _in(place: Path) -> Iterator[SkillFolder]:
    if declaration := _declaration(place):
        yield SkillFolder(_name(declaration), place)
        return
    for path in _folders(place):
        if declaration := _declaration(path):
            yield SkillFolder(_name(declaration), path)


def _folders(place: Path) -> Iterator[Path]:
    for path in sorted(place.iterdir()):
        if path.is_dir() and path.name != IGNORED and not path.name.startswith("."):
            yield path


def _declaration(folder: Path) -> Path | None:
    return next((folder / name for name in DECLARATIONS if may_be_file(folder / name)), None)


def may_be_file(path: Path) -> bool:
    """Also where that cannot be looked at: then whoever reads the file says so, and other folders are not held up."""
    try:
        return path.is_file()
    except OSError:
        return True


def _name(declaration: Path) -> str:
    """As the frontmatter has it. Without a usable one there, the folder's: a person's own file is read leniently."""
    try:
        with declaration.open("rb") as file:
            text = file.read(HEAD).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    except OSError:
        text = ""
    front = text.removeprefix("---\n").partition("\n---")[0] if text.startswith("---\n") else ""
    line = NAME.search(front)
    return (_value(line[0]) if line else None) or _own_name(declaration)


def _own_name(declaration: Path) -> str:
    """The folder's. Raises InvalidRequest for one that no shared memory can keep."""
    folder = declaration.parent.resolve()
    try:
        folder.name.encode()
    except UnicodeEncodeError:
        advice = f"Rename the folder, or write the skill's name into its {declaration.name}: `name: …`."
        raise InvalidRequest(f"The name of the folder {folder.name!r} in {folder.parent} is not UTF-8. {advice}") from None
    return folder.name


def _value(line: str) -> str | None:
    import yaml

    try:
        said: Any = yaml.load(line, yaml.BaseLoader)["name"]  # noqa: S506  # this loader makes text, lists and mappings only
    except (yaml.YAMLError, KeyError, TypeError):
        return None
    fits = isinstance(said, str) and 0 < len(said) <= LONGEST_NAME and said.isprintable() and " " not in said
    return said if fits else None
