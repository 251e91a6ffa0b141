"""Reads SKILL.md files, as leniently as the Agent Skills specification asks of its clients. None is ever written."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from agents.src.services.memory_folders import may_be_file
from agents.src.services.yaml_lines import Reading, UnreadableYaml, read_yaml
from agents.src.skills import SKILL_MD, SKILL_PREFIX, Default, Fault, LocalSkill, metadata_texts, read_local

FRONT = re.compile(r"(-{3,}[ \t]*\n)(.*?)(^-{3,}[ \t]*(?:\n|\Z))(.*)", re.DOTALL | re.MULTILINE)
"""The four parts of a file: a line of ---, the frontmatter, another such line, and the body."""

UNQUOTED = re.compile(r"""^([\w-]+):[ \t]+([^\s"'|>\[{&*!%@`#].*(?:\n[ \t]+.*)*)$""", re.MULTILINE)


def find_skill_md(folder: Path) -> Path | None:
    return next((folder / name for name in (SKILL_MD, SKILL_MD.lower()) if may_be_file(folder / name)), None)


def read_skill_md(path: Path) -> LocalSkill | list[Fault]:
    """The skill that a SKILL.md declares, or why it cannot become a cloud skill."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError):
        return [Fault(1, "", "this cannot be read; make it a readable text file in UTF-8", SKILL_MD)]
    split = FRONT.match(text)
    if not split:
        return [Fault(1, "", "there is no frontmatter; begin with it, between two lines of ---", SKILL_MD)]
    try:
        values, lines = _values(split[2])
    except UnreadableYaml as error:
        return [Fault(error.line + 1, "", str(error), SKILL_MD)]
    defaults: dict[str, Default] = {}
    faults = [fault for key, said in metadata_texts(values).items() for fault in _default(key, said, lines, defaults)]
    return faults or read_local(path.parent, values, lines, defaults, split[4])


def second_opinion(folder: Path) -> list[str]:
    """What the specification's own validator says of a folder, where it is installed. It refuses what Claude Code has added."""
    try:
        import skills_ref  # type: ignore[import-untyped]
    except ImportError:
        return []
    try:
        return [" ".join(error.split()) for error in skills_ref.validate(folder)]
    except (OSError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        return [f"it failed: {type(error).__name__}"]


def _default(key: str, said: Any, lines: dict[str, int], defaults: dict[str, Default]) -> Iterator[Fault]:
    """Puts what the metadata says of one key of info.md among the defaults, or tells what is wrong with it."""
    text = _as_yaml(key, said) if isinstance(said, str) else ""
    why = "is not one value of YAML in quotes; write it as it should stand in info.md"
    try:
        reading = read_yaml(text)
    except UnreadableYaml as error:
        reading, why = Reading(), str(error)
    if isinstance(reading.value, dict) and list(reading.value) == [key] and not reading.wrong:
        defaults[key] = Default(text, reading.value[key])
    else:
        yield Fault(lines.get("metadata", 1), f"metadata.{SKILL_PREFIX}{key}", why, SKILL_MD)


def _as_yaml(key: str, said: str) -> str:
    """`cpu: 2`, or a value of several lines below its key."""
    value = said.strip("\n")
    if "\n" not in value:
        return f"{key}: {value.strip()}"
    return "\n".join([f"{key}:", *(f"  {line}" if line.strip() else "" for line in value.split("\n"))])


def _values(front: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The frontmatter with every scalar a text, and the line of each key. What colons without quotes spoil is read once more."""
    try:
        return _read(front)
    except UnreadableYaml:
        quoted = _with_quotes(front)
        if quoted == front:
            raise
        return _read(quoted)


def _read(front: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        # BaseLoader knows texts, lists and mappings only, so 1.10, yes and 2026-01-31 stay what they look like.
        node, values = yaml.compose(front, Loader=yaml.BaseLoader), yaml.load(front, Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableYaml(mark.line + 1 if mark else 1, f"not readable as YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError):
        raise UnreadableYaml(1, "not readable as YAML: it holds a control character, or goes too deep") from None
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        raise UnreadableYaml(1, "the frontmatter is not a mapping; write lines such as name: planning")
    # Line 1 of the file is the one above.
    return values, {str(key.value): key.start_mark.line + 2 for key, _ in node.value}


def _with_quotes(front: str) -> str:
    """`description: Use when: …` is what people write and YAML does not read: such texts get quotes, and keep their lines."""

    def quoted(found: re.Match[str]) -> str:
        if not re.search(r":(\s|$)", found[2]):
            return found[0]
        text = " ".join(found[2].split()).replace("'", "''")
        return f"{found[1]}: '{text}'" + "\n" * found[2].count("\n")

    return UNQUOTED.sub(quoted, front)
