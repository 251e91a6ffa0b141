"""Folders of skills with a memory.md, as a person has them."""

import re
from pathlib import Path

from tests.cli.conftest import Agents

MARKER = re.compile(r" <!-- m:([0-9a-f~]+)[^>]*-->")


def skill_folder(place: Path, *facts: str, name: str = "planning", declared: str = "SKILL.md") -> Path:
    """A skill's folder, with a memory.md where there are facts."""
    folder = place / name
    folder.mkdir(parents=True)
    (folder / declared).write_text(f"---\nname: {name}\ndescription: Plans.\n---\nPlan.\n")
    if facts:
        (folder / "memory.md").write_text("# Memory\n\n" + "".join(f"- {fact}\n" for fact in facts))
    return folder


def memory(folder: Path) -> str:
    return (folder / "memory.md").read_text()


def facts(folder: Path) -> list[str]:
    """The entries' first lines, without their markers."""
    return [MARKER.sub("", line).removeprefix("- ") for line in memory(folder).splitlines() if line.startswith("- ")]


def ids(folder: Path) -> list[str]:
    return [found[1] for found in MARKER.finditer(memory(folder))]


def replace(folder: Path, old: str, new: str) -> None:
    """As an editor does."""
    text = memory(folder)
    assert old in text
    (folder / "memory.md").write_text(text.replace(old, new))


def in_conflict(agents: Agents, place: Path) -> tuple[Path, Path]:
    """Two folders of one skill in which one entry was changed to different texts; the second has both."""
    one, two = skill_folder(place / "one", "use bcrypt"), skill_folder(place / "two")
    for folder in (one, two):
        assert agents("memory", "sync", "--dir", str(folder)).exit_code == 0
    replace(one, "use bcrypt", "use argon2")
    replace(two, "use bcrypt", "use scrypt")
    assert agents("memory", "sync", "--dir", str(one)).exit_code == 0
    assert agents("memory", "sync", "--dir", str(two)).exit_code == 1
    return one, two
