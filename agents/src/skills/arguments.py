"""The verb: do these arguments fit the skill's schema?"""

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agents.src.errors import InvalidArguments
from agents.src.skills.schema import reason
from agents.src.skills.skill import Skill

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

MAX_FAULTS = 20


def check_arguments(skill: Skill, args: dict[str, Any]) -> None:
    """Raises InvalidArguments, which names each fault with its JSON pointer, such as `#/args/width`.

    A skill with a schema has it applied to `{}` too: what the schema requires must be given.
    """
    if skill.arguments is None:
        if args:
            raise InvalidArguments(f"The skill {skill.name} takes no arguments; put what you want into the task's text.")
        return
    try:
        errors = list(_validator(json.dumps(skill.arguments)).iter_errors(args))
    except RecursionError:
        raise InvalidArguments(
            f"The arguments for {skill.name} cannot be checked: they, or references in the skill's schema, go too deep."
        ) from None
    errors.sort(key=lambda error: [str(part) for part in error.absolute_path])
    faults = [{"pointer": _pointer(error.absolute_path), "detail": reason(error)} for error in errors[:MAX_FAULTS]]
    if faults:
        listed = "; ".join(f"{fault['pointer']}: {fault['detail']}" for fault in faults)
        more = f"; and {len(errors) - MAX_FAULTS} more" if len(errors) > MAX_FAULTS else ""
        raise InvalidArguments(f"The arguments do not fit the skill {skill.name}: {listed}{more}.", errors=faults)


@lru_cache(maxsize=256)
def _validator(schema: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An empty registry: a reference to elsewhere is never fetched.
    return Draft202012Validator(json.loads(schema), registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def _pointer(path: Any) -> str:
    """RFC 6901, as a fragment."""
    return "/".join(["#/args", *(str(part).replace("~", "~0").replace("/", "~1") for part in path)])
