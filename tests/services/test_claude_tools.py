"""What `allowed-tools` let through. What Claude Code itself makes of them is in test_claude_code.py."""

from pathlib import Path
from typing import Any

import pytest

from agents.src.services.claude_tools import commands, read_rules


def test_rules_are_gathered_by_tool_and_written_as_claude_code_reads_them(tmp_path: Path) -> None:
    rules = read_rules(["Read", "Write(output/**)", "Bash(git log *)", "Bash(git diff *)", "Grep(input/**)", "Read(x)"], tmp_path)
    assert rules.names == ["Read", "Write", "Bash", "Grep"]
    assert rules.allowed == ["Read", "Edit(output/**)", "Bash(git log *)", "Bash(git diff *)", "Grep(input/**)"]


@pytest.mark.parametrize(
    ("rule", "tool", "arguments", "runs"),
    [
        ("Read", "Read", {"file_path": "anything"}, True),
        ("Read", "Write", {"file_path": "output/a"}, False),
        ("Write(output/**)", "Write", {"file_path": "output/a/b.md"}, True),
        ("Write(output/**)", "Write", {"file_path": "output"}, True),
        ("Write(output/**)", "Write", {"file_path": "outputs/a"}, False),
        ("Write(output/**)", "Write", {"file_path": "output/../a"}, False),
        ("Write(output/**)", "Write", {"file_path": "/output/a"}, False),
        ("Write(output/**)", "Write", {"file_path": "a\0b"}, False),
        ("Write(./output/*.md)", "Write", {"file_path": "output/a.md"}, True),
        ("Write(./output/*.md)", "Write", {"file_path": "output/b/a.md"}, False),
        ("Write(**/*.md)", "Write", {"file_path": "a.md"}, True),
        ("Write(**/*.md)", "Write", {"file_path": "b/c/a.md"}, True),
        ("Grep(input/**)", "Grep", {"pattern": "x", "path": "input"}, True),
        ("Grep(input/**)", "Grep", {"pattern": "x"}, False),
        ("NotebookEdit(output/**)", "NotebookEdit", {"notebook_path": "input/a.ipynb"}, False),
        ("WebFetch(domain:example.org)", "WebFetch", {"url": "http://example.com"}, True),  # Claude Code's to judge
        ("Bash", "Bash", {"command": "a; b > c"}, True),
        ("Bash(*)", "Bash", {"command": "a; b > c"}, True),
        ("Bash(git log *)", "Bash", {"command": "git log"}, True),
        ("Bash(git log *)", "Bash", {"command": "git log --oneline | git log -1 && git log"}, True),
        ("Bash(git log:*)", "Bash", {"command": "git log -1"}, True),
        ("Bash(git log *)", "Bash", {"command": "git logs"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log | head"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log; id"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log&id"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log -1 2>/dev/null"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log\nid"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log `id`"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log $(id)"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log 'unclosed"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log ;; id"}, False),
        ("Bash(git log *)", "Bash", {"command": "git log a#; id"}, False),
        ("Bash(git log *)", "Bash", {"command": 'git log "\\"" ; id "\\""'}, False),
        ("Bash(git log *)", "Bash", {"command": "git log x' ' ; id ; 'y'"}, False),
        ("Bash(git log *)", "Bash", {"command": 'git log x" " ; id ; "y"'}, False),
        ("Bash(git log *)", "Bash", {"command": "git log a'; b'\"& c\"d"}, True),
        ("Bash(git log *)", "Bash", {"command": "  git \t log"}, True),
        ("Bash(git log *)", "Bash", {"command": ""}, False),
        ("Bash(git log *)", "Bash", {}, False),
    ],
)
def test_a_rule_lets_through_what_it_says(tmp_path: Path, rule: str, tool: str, arguments: dict[str, Any], runs: bool) -> None:
    refusal = read_rules([rule], tmp_path).refusal(tool, arguments)
    assert (refusal is None) == runs


@pytest.mark.parametrize(
    ("rule", "tool", "path", "runs"),
    [
        ("Write(src/**)", "Write", "src/a", True),
        ("Write(src/**)", "Write", "{project}/src/a", True),
        ("Write(src/**)", "Write", "{own}/src/a", False),
        ("Write(src/**)", "Write", "{own}/output/a", False),
        ("Write(output/**)", "Write", "{own}/output/a", True),
        ("Write(output/**)", "Write", "{own}/input/a", False),
        ("Write(output/**)", "Write", "output/a", False),
        ("Write(./output/*.md)", "Write", "{own}/output/a.md", True),
        ("Write(./output/*.md)", "Write", "output/a.md", False),
        ("Write(outputs/**)", "Write", "outputs/a", True),
        ("Write(**)", "Write", "output/a", True),
        ("Write(**)", "Write", "{own}/output/a", True),
        ("Write(**)", "Write", "{own}/a", False),
        ("Write(**)", "Write", "{own}", False),
        ("Write(**)", "Write", "../a", False),
        ("Read(**/*.md)", "Read", "{own}/input/a.md", True),
        ("Grep(input/**)", "Grep", "{own}/input", True),
        ("Grep(input/**)", "Grep", ".", False),
    ],
)
def test_in_a_folder_of_the_callers_input_and_output_are_elsewhere(
    tmp_path: Path, rule: str, tool: str, path: str, runs: bool
) -> None:
    project, own = tmp_path / "project", tmp_path / "own"
    argument = "path" if tool == "Grep" else "file_path"
    refusal = read_rules([rule], project, own).refusal(tool, {argument: path.format(project=project, own=own)})
    assert (refusal is None) == runs
    assert refusal is None or f"input and output are in {own}" in refusal


def test_claude_code_is_told_of_both_places() -> None:
    rules = read_rules(["Write(output/**)", "Edit(./src/**)", "Read", "Bash(git log *)"], Path("/project"), Path("/own"))
    assert rules.allowed == ["Edit(//own/output/**)", "Edit(./src/**)", "Edit(//own/src/**)", "Read", "Bash(git log *)"]


def test_a_tool_is_known_by_its_older_name_too(tmp_path: Path) -> None:
    rules = read_rules(["Task"], tmp_path)
    assert rules.names == ["Agent"]
    assert rules.refusal("Agent", {"prompt": "help"}) is None


def test_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    (tmp_path / "output" / "link").symlink_to(tmp_path / "input")
    assert read_rules(["Write(output/**)"], tmp_path).refusal("Write", {"file_path": "output/link/a"})


def test_a_shell_line_is_taken_apart_at_its_operators_but_not_within_quotes() -> None:
    assert commands("a 'b; c' && d|e") == ["a 'b; c'", "d", "e"]
