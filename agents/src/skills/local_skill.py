"""The noun: a skill as it lies on a person's machine: a folder with a SKILL.md, after the Agent Skills specification."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.src.skills.fault import Fault
from agents.src.skills.info import known_keys
from agents.src.skills.keys import NAME_LIMIT

SKILL_MD = "SKILL.md"
SKILL_PREFIX = "modal-invoke-"
"""Before a key of info.md in SKILL.md's `metadata`, where the specification has other programs put theirs."""

CLOUD_NAME = re.compile(rf"(?=.{{1,{NAME_LIMIT}}}$)[a-z0-9]+(-[a-z0-9]+)*")
SPECIFIED_NAME = re.compile(r"(?=.{1,64}$)[^\W_A-Z]+(-[^\W_A-Z]+)*")
MARKER = re.compile(r"^<!-- skill:(start|end)\b", re.MULTILINE)
FILLED_IN = re.compile(r"\$ARGUMENTS\b|\$\d\b|\$\{CLAUDE_\w+\}|^!`", re.MULTILINE)
LONGEST = {"description": 1024, "compatibility": 500}
"""Characters."""
SPECIFIED = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
CLAUDES = {
    "agent", "argument-hint", "arguments", "background", "context", "disable-model-invocation", "disallowed-tools", "effort",
    "hooks", "model", "paths", "shell", "user-invocable", "version", "when_to_use",
}  # fmt: skip
"""What Claude Code reads besides."""


@dataclass(frozen=True, slots=True)
class Default:
    """A key for info.md that SKILL.md's metadata has: the YAML that is to stand there, and what it says."""

    text: str
    value: Any


@dataclass(frozen=True, slots=True)
class LocalSkill:
    """What SKILL.md says. `warnings` tell what is not as the specification has it and can be lived with."""

    folder: Path
    name: str
    description: str
    allowed_tools: str | None
    defaults: Mapping[str, Default]
    body: str
    warnings: tuple[Fault, ...] = ()


def read_local(
    folder: Path, values: Mapping[str, Any], lines: Mapping[str, int], defaults: Mapping[str, Default], body: str
) -> LocalSkill | list[Fault]:
    """The skill that a SKILL.md declares, or why it cannot become a cloud skill.

    `values` is the frontmatter with every scalar a text, `lines` says where its keys stand, `defaults` is what
    `metadata_texts` found, read as YAML.
    """
    wrong = [*_wrong(folder, values, body), *_wrong_defaults(defaults)]
    if wrong:
        return [Fault(lines.get(key.partition(".")[0], 1), key, message, SKILL_MD) for key, message in wrong]
    warnings = [Fault(lines.get(key, 1), key, message, SKILL_MD) for key, message in _odd(folder, values, body)]
    tools = defaults.get("allowed-tools")
    return LocalSkill(
        folder=folder,
        name=_name(folder, values),
        description=str(values["description"]).strip(),
        allowed_tools=str(tools.value) if tools else tools_of(values.get("allowed-tools")),
        defaults={key: default for key, default in defaults.items() if key != "allowed-tools"},
        body=body.rstrip().lstrip("\n"),
        warnings=tuple(warnings),
    )


def metadata_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"cpu": "2"}` for `metadata: {modal-invoke-cpu: "2"}`."""
    metadata = values.get("metadata")
    entries = metadata.items() if isinstance(metadata, dict) else ()
    return {key.removeprefix(SKILL_PREFIX): value for key, value in entries if str(key).startswith(SKILL_PREFIX)}


def tools_of(value: Any) -> str | None:
    """The specification's spelling (spaces between tools), also for the list and the commas that Claude Code takes."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    spaced, depth = "", 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        spaced += " " if letter == "," and not depth else letter
    return " ".join(spaced.split()) or None


def _name(folder: Path, values: Mapping[str, Any]) -> str:
    return str(values.get("name") or folder.name).strip()


def _wrong(folder: Path, values: Mapping[str, Any], body: str) -> Iterator[tuple[str, str]]:
    description = values.get("description")
    if not isinstance(description, str) or not description.strip():
        yield "description", "is missing; say in 1 to 1024 characters what the skill does and when to use it"
    elif len(description.strip()) > LONGEST["description"]:
        yield "description", f"has {len(description.strip())} characters; write {LONGEST['description']} at most"
    if not CLOUD_NAME.fullmatch(_name(folder, values)):
        yield "name", f'"{_name(folder, values)[:80]}" cannot be a cloud skill\'s name; write {known_keys("claude")["name"]}'
    if MARKER.search(body):
        yield "", "the text has a line that begins with <!-- skill:start or <!-- skill:end; take it out, these mark it in info.md"


def _wrong_defaults(defaults: Mapping[str, Default]) -> Iterator[tuple[str, str]]:
    known = {key for engine in ("claude", "script") for key in known_keys(engine) if "." not in key} - {"name", "description"}
    for key in defaults.keys() - known:
        yield f"metadata.{SKILL_PREFIX}{key}", f"info.md has no key {key[:60]}; docs/info-md.md lists them all"


def _odd(folder: Path, values: Mapping[str, Any], body: str) -> Iterator[tuple[str, str]]:
    name = values.get("name")
    if not name:
        yield "name", f"is missing; {folder.name}, the folder's, is taken"
    elif name != folder.name:
        yield "name", f'"{name}" is not the folder\'s name, {folder.name}; the skill is called {name}'
    elif not SPECIFIED_NAME.fullmatch(str(name)):
        yield "name", "is not as the specification has it"
    if len(str(values.get("compatibility", ""))) > LONGEST["compatibility"]:
        yield "compatibility", f"is longer than {LONGEST['compatibility']} characters"
    if not isinstance(values.get("metadata", {}), dict):
        yield "metadata", "is not a mapping, and not read"
    for key in values.keys() - SPECIFIED - CLAUDES:
        yield str(key), f"is not a key of the specification; other programs' go into metadata, ours as {SKILL_PREFIX}{key}"
    if found := FILLED_IN.search(body):
        yield "", f"the text has {found[0]}, which only Claude Code on this machine fills in"
