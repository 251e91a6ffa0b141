"""How strictly the keys of info.md are read, and the short forms that some have."""

from typing import Any

from pydantic import AfterValidator, ConfigDict

from agents.src.skills.resources import unique

# Exactly the stated types ("2" is no number, 512.0 no whole one), hyphens in the names of keys, and nothing unknown.
STRICT = ConfigDict(strict=True, extra="forbid", alias_generator=lambda name: name.replace("_", "-"))
Unique = AfterValidator(unique)


def one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value
