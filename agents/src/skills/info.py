"""The verb: from what an info.md says to a `Skill`, or to every fault in it. No file is touched here."""

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from agents.src.records import Frozen
from agents.src.skills.fault import Fault
from agents.src.skills.keys import ClaudeKeys, ScriptKeys
from agents.src.skills.question_keys import contradictions
from agents.src.skills.schema import schema_faults
from agents.src.skills.skill import Resources, Skill
from agents.src.tasks import ClaudeOptions, QuestionRules, Retries

Place = tuple[str | int, ...]
"""Where in the frontmatter: `("retries", "max-delay")`, `("pip", 1)`."""

NESTED = {"retries": "RetryKeys", "questions": "QuestionKeys", "questions.choices": "ChoiceKeys"}
"""Where keys stand below another, and what they may be."""

KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a decimal number", list: "a list", dict: "a mapping"}


@cache
def _adapter(engine: str) -> TypeAdapter[Any]:
    return TypeAdapter({"claude": ClaudeKeys, "script": ScriptKeys}[engine])


@cache
def known_keys(engine: str) -> dict[str, str]:
    """Each key that a skill of this engine may have (`cpu`, `retries.max-delay`), with what may be written there."""
    schema = _adapter(engine).json_schema()
    places = {"": schema, **{f"{place}.": schema["$defs"][keys] for place, keys in NESTED.items()}}
    return {place + key: value["description"] for place, keys in places.items() for key, value in keys["properties"].items()}


def read_skill(
    folder: Path, values: Mapping[str, Any], lines: Mapping[Place, int], body: str, *, deep: bool = True
) -> Skill | list[Fault]:
    """The skill that `folder`'s info.md declares, or every fault in it, by line.

    `values` is the frontmatter (every key in it a text), `lines` says on which line each place in it stands. Without
    `deep`, the JSON Schema in `arguments` is taken on trust, which saves importing jsonschema.
    """
    engine = "script" if values.get("engine") == "script" else "claude"
    wrong = list(_wrong_places(folder, values, body, engine, deep=deep))
    if wrong:
        faults = [Fault(_line(lines, place), _key(place), message) for place, message in wrong]
        return sorted(faults, key=lambda fault: fault.line)
    return _skill(folder, _adapter(engine).validate_python(dict(values)), body)


def _wrong_places(folder: Path, values: Mapping[str, Any], body: str, engine: str, *, deep: bool) -> Iterator[tuple[Place, str]]:
    try:
        checked = _adapter(engine).validate_python(dict(values))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield detail["loc"], _message(detail, engine)
    else:
        yield from contradictions(checked.get("questions", {}))
    name, schema = values.get("name"), values.get("arguments")
    if isinstance(name, str) and name != folder.name:
        yield ("name",), f"{_shown(name)} is not the folder's name; write {folder.name}, or rename the folder"
    if deep and isinstance(schema, dict):
        yield from ((("arguments", *place), message) for place, message in schema_faults(schema))
    if engine == "claude" and not body.strip():
        yield (), "there is no text below the frontmatter; write the instruction that Claude is to follow"


def _message(detail: ErrorDetails, engine: str) -> str:
    key, value = _key(detail["loc"]), detail["input"]
    if detail["type"] == "extra_forbidden":
        return _unknown(key, engine)
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    allowed = known_keys(engine)[key]
    if detail["type"] == "missing":
        return f"is missing; write {allowed}"
    if value is None:
        return f"is empty; write {allowed}, or leave the key out"
    kind = KINDS.get(type(value), "something else") if detail["type"].endswith("_type") else "not allowed"
    return f"{_shown(value)} is {kind}; write {allowed}"


def _unknown(key: str, engine: str) -> str:
    other = "script" if engine == "claude" else "claude"
    if key in known_keys(other):
        return f"belongs to the {other} engine; leave it out, or write engine: {other}"
    near = difflib.get_close_matches(key[:60], [*known_keys(engine), *known_keys(other)], n=1)
    return f"there is no such key; did you mean {near[0]}?" if near else "there is no such key; docs/info-md.md lists them all"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _key(place: Place) -> str:
    return ".".join(part for part in place if isinstance(part, str))


def _line(lines: Mapping[Place, int], place: Place) -> int:
    """The line of the place itself, or of the nearest one around it; the first line for what is not there at all."""
    return next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 1)


def _skill(folder: Path, keys: dict[str, Any], body: str) -> Skill:
    """Each key goes into the part of a skill that has a field of its name."""
    keys["retries"] = Retries(**keys.get("retries", {}))
    keys["questions"] = QuestionRules(**keys.get("questions", {}))
    parts: dict[str, type[Frozen]] = {"resources": Resources, "claude": ClaudeOptions}
    for part, model in parts.items():
        keys[part] = model(**{key: keys.pop(key) for key in model.model_fields if key in keys})
    return Skill(folder=folder, instruction=body, **keys)
