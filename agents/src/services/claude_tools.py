"""What a skill's `allowed-tools` mean to Claude Code, and a guard for what it would allow beyond them.

Claude Code offers only the tools named (`--tools`), asks nobody (`dontAsk`) and keeps file tools inside the working folder
(`--restricted`). Still it would let a scoped rule's tool do more than the rule says: read anywhere in the folder, and
run any command that only reads. So each call passes the guard too.

A run in a folder of the caller's has its `input/` and `output/` elsewhere. A rule that begins with one of these names is about
that place and no other; any other rule is about the caller's folder, and about that place too.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_ARGUMENT = {"Read": "file_path", "Write": "file_path", "Edit": "file_path", "NotebookEdit": "notebook_path"}
FOLDER_ARGUMENT = {"Glob": "path", "Grep": "path"}
PATH_ARGUMENT = FILE_ARGUMENT | FOLDER_ARGUMENT
WRITES = frozenset({"Write", "NotebookEdit"})
EVERYTHING = "*"
HANDED = ("input", "output")
OLDER_NAMES = {"Task": "Agent"}
"""What Claude Code still takes for a tool that it now calls something else."""
SHELL_PIECE = re.compile(r"""(?P<operator>[;&|]+)|(?P<space>[ \t]+)|'[^']*'|"[^"]*"|[^'";&| \t]+""")
"""An operator between two commands, or a piece of one. A quotation may begin within a word; it holds to the next such mark."""


@dataclass(frozen=True, slots=True)
class ToolRules:
    """The allowed tools, each with the patterns it is limited to; no patterns, no limit."""

    patterns: dict[str, tuple[str, ...]]
    folder: Path
    handed: Path | None = None
    """Where `input/` and `output/` lie, if not in `folder`."""

    @property
    def names(self) -> list[str]:
        return list(self.patterns)

    @property
    def allowed(self) -> list[str]:
        """The rules as Claude Code reads them: it knows one kind of rule, `Edit`, for all tools that write files."""
        return [
            f"{'Edit' if name in WRITES else name}({pattern})" if pattern else name
            for name, patterns in self.patterns.items()
            for pattern in (self._spelled(name, patterns) if patterns else ("",))
        ]

    def _spelled(self, tool: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
        """The patterns as they are seen from the folder: `//` begins a path from the root on."""
        if self.handed is None or tool not in PATH_ARGUMENT:
            return patterns
        there = tuple(f"/{self.handed}/{_plain(pattern)}" for pattern in patterns)
        return (*(pattern for pattern in patterns if not _is_of_handed(pattern)), *there)

    def refusal(self, tool: str, arguments: dict[str, Any]) -> str | None:
        """Why this call may not happen, in words for the model; None if it may."""
        if tool not in self.patterns:
            return f"This skill does not allow the tool {tool}."
        patterns = self.patterns[tool]
        if not patterns or self._fits(tool, arguments, patterns):
            return None
        where = f" ({' and '.join(HANDED)} are in {self.handed})" if self.handed and tool in PATH_ARGUMENT else ""
        return f"This skill allows {tool} only for: {', '.join(patterns)}{where}"

    def _fits(self, tool: str, arguments: dict[str, Any], patterns: tuple[str, ...]) -> bool:
        if tool == "Bash":
            found = commands(str(arguments.get("command", "")))
            return bool(found) and all(_matches_command(command, patterns) for command in found)
        if argument := PATH_ARGUMENT.get(tool):
            return self._is_inside(str(arguments.get(argument) or "."), patterns)
        return True  # rules of other tools (WebFetch's domains, Agent's types) are Claude Code's to judge

    def _is_inside(self, path: str, patterns: tuple[str, ...]) -> bool:
        folder = self.folder.resolve()
        try:
            place = (folder / path).resolve()
        except (OSError, ValueError):  # no path at all
            return False
        if self.handed and any(place.is_relative_to(self.handed / name) for name in HANDED):
            folder = self.handed
        elif self.handed:
            patterns = tuple(pattern for pattern in patterns if not _is_of_handed(pattern))
        inner = place.relative_to(folder).as_posix() if place.is_relative_to(folder) else None
        return inner is not None and any(_path_pattern(pattern).fullmatch(inner) for pattern in patterns)


def read_rules(allowed_tools: Iterable[str], folder: Path, handed: Path | None = None) -> ToolRules:
    """Rules such as `Read`, `Write(output/**)`, `Bash(git log *)`; paths are relative to `folder`, or to `handed` (see there)."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for rule in allowed_tools:
        name, _, rest = rule.partition("(")
        name = name.strip()
        found[OLDER_NAMES.get(name, name)].append(rest.removesuffix(")").strip() or EVERYTHING)
    return ToolRules({name: () if EVERYTHING in rules else tuple(rules) for name, rules in found.items()}, folder, handed)


def commands(line: str) -> list[str]:
    """The commands that a shell line is made of; none where it holds what cannot be taken apart for certain."""
    if re.search(r"[`\\\n()<>]|\$[({]", line):
        return []
    found: list[list[str]] = [[]]
    end = 0
    while piece := SHELL_PIECE.match(line, end):
        end = piece.end()
        found.append([]) if piece["operator"] else found[-1].append(" " if piece["space"] else piece[0])
    if end < len(line):  # a quotation without an end
        return []
    return [command for pieces in found if (command := "".join(pieces).strip(" "))]


def _matches_command(command: str, patterns: tuple[str, ...]) -> bool:
    return any(_command_pattern(pattern).fullmatch(command) for pattern in patterns)


def _command_pattern(pattern: str) -> re.Pattern[str]:
    """`git log *` and the older `git log:*` match `git log` with or without arguments."""
    start = re.sub(r"(:| )\*$", "", pattern)
    rest = r"( .*)?" if start != pattern else ""
    return re.compile(".*".join(map(re.escape, start.split("*"))) + rest)


def _path_pattern(pattern: str) -> re.Pattern[str]:
    """`*` within one name, `**` across folders; `output/**` is the folder too."""
    parts = re.split(r"(/\*\*$|\*\*/|\*\*|\*)", _plain(pattern))
    meaning = {"/**": "(/.*)?", "**/": "(.*/)?", "**": ".*", "*": "[^/]*"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts))


def _plain(pattern: str) -> str:
    return pattern.removeprefix("./").removeprefix("/")


def _is_of_handed(pattern: str) -> bool:
    """Whether it is about nothing but `input/` or `output/`."""
    return _plain(pattern).partition("/")[0] in HANDED
