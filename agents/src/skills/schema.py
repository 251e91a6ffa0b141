"""Whether a JSON Schema in `arguments` can be used. jsonschema takes 60 ms to import, so it is imported when needed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_MESSAGE = 200


def schema_faults(schema: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with a schema: the place in it, and why."""
    from jsonschema import Draft202012Validator

    if schema.get("type") != "object":
        yield ("type",) if "type" in schema else (), "arguments are a mapping; write type: object"
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in meta.iter_errors(schema):
        yield tuple(error.absolute_path), f"is no JSON Schema: {reason(error)}"
    for place, key, value in _walk(schema):
        if key == "$id":
            yield (*place, key), "a schema in info.md has no address; leave $id out"
        elif key in ("$ref", "$dynamicRef") and not _resolves(schema, value):
            yield (*place, key), f"there is no {value!r:.60} in this schema; write a reference such as '#/$defs/size'"


def reason(error: "ValidationError") -> str:
    """Why something does not fit, in one short line: of several alternatives, the one that was nearest."""
    from jsonschema.exceptions import best_match

    best = best_match([error]) or error
    text = " or ".join(sorted({child.message for child in best.context or [best]}))
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 1]}…"


def _walk(node: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Every key with a text below `node`."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str):
                yield place, key, value
            yield from _walk(value, (*place, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _walk(value, (*place, number))


def _resolves(schema: dict[str, Any], reference: str) -> bool:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    if not reference.startswith("#"):
        return False
    try:
        Registry().resolver_with_root(DRAFT202012.create_resource(schema)).lookup(reference)
    except Unresolvable:
        return False
    return True
