"""YAML as a person means it, with the line of everything in it.

Plain words are read as in YAML 1.2's core schema (`no` and `2026-01-31` are text; `010` is not eight). Anchors, aliases and tags
are refused. So what is read is a tree of text, numbers, true, false and null, and nothing else.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import ComposerError

from agents.src.skills import Place

MAX_DEPTH = 40
TAG = "tag:yaml.org,2002:"


class UnreadableYaml(Exception):
    """`line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Reading:
    """What a text says: its value, the line (from 1) of each place in it, and the places where a key is wrong in itself."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    wrong: list[tuple[int, str, str]] = field(default_factory=list)
    """Line, key, and why."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML adds to a subclass's own
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise ComposerError(None, None, "anchors and aliases are not read; write the value out", event.start_mark)
        if event.tag:
            raise ComposerError(None, None, f"the tag {event.tag[:40]} is not read; leave it out", event.start_mark)
        if self.depth == MAX_DEPTH:
            raise ComposerError(None, None, f"this is nested more than {MAX_DEPTH} deep", event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


# Bounded, so that no number is too long for Python or infinite.
_Loader.add_implicit_resolver(f"{TAG}int", re.compile(r"[-+]?(0|[1-9][0-9]{0,17})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{TAG}float",
    re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]{0,18}([eE][-+]?[0-9]{1,2})?|[eE][-+]?[0-9]{1,2})|\.[0-9]{1,18})$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(f"{TAG}bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{TAG}null", re.compile(r"(null|Null|NULL|~|)$"), ["n", "N", "~", ""])

SCALARS: dict[str, Callable[[str], Any]] = {
    f"{TAG}int": int,
    f"{TAG}float": float,
    f"{TAG}bool": lambda text: text.lower() == "true",
    f"{TAG}null": lambda _: None,
}


def read_yaml(text: str) -> Reading:
    """Raises UnreadableYaml where `text` is not YAML."""
    reading = Reading()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableYaml(mark.line + 1 if mark else 1, f"not readable as YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableYaml(line, "not readable as YAML: it holds a control character") from None
    if node is not None:
        reading.value = _value(node, (), reading)
    return reading


def _value(node: yaml.Node, place: Place, reading: Reading) -> Any:
    reading.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, reading)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, number), reading) for number, item in enumerate(node.value)]
    return SCALARS.get(node.tag, str)(node.value)


def _mapping(node: yaml.MappingNode, place: Place, reading: Reading) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag != f"{TAG}str":
            reading.wrong.append((line, "", f"a key is not text; put it in quotes: {_shown(key_node)}"))
            continue
        key = key_node.value
        if key in mapping:
            first = reading.lines[*place, key]
            reading.wrong.append((line, key, f"stands twice; the first is on line {first}"))
            continue
        reading.lines[*place, key] = line
        mapping[key] = _value(value_node, (*place, key), reading)
    return mapping


def _shown(node: yaml.Node) -> str:
    return f'"{node.value[:60]}"' if isinstance(node, yaml.ScalarNode) else "a list or mapping cannot be one"
