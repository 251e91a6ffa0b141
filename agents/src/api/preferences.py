"""The `Prefer` header (RFC 7240): how long the caller waits for the result."""

import re
from dataclasses import dataclass

DEFAULT_WAIT = 30
LONGEST_WAIT = 120
"""Seconds. Modal cuts a request at 150."""
WAIT = re.compile(r'wait\s*=\s*"?(\d+)"?')


@dataclass(frozen=True, slots=True)
class Preference:
    """`wait` in seconds; `applied` is the `Preference-Applied` header, None where nothing was preferred."""

    wait: int
    applied: str | None


def seconds(digits: str) -> int:
    return LONGEST_WAIT if len(digits.lstrip("0")) > len(str(LONGEST_WAIT)) else min(int(digits[-9:]), LONGEST_WAIT)


def read_preference(header: str) -> Preference:
    """Preferences that are unknown or not of the right form are passed over, as the RFC has it."""
    wait: int | None = None
    at_once = False
    for preference in header.split(","):
        name = preference.split(";")[0].strip().lower()
        if match := WAIT.fullmatch(name):
            wait = wait if wait is not None else seconds(match[1])
        elif name == "respond-async":
            at_once = True
    applied = [f"wait={wait}"] if wait is not None else []
    if at_once:
        applied.append("respond-async")
    return Preference(wait if wait is not None else 0 if at_once else DEFAULT_WAIT, ", ".join(applied) or None)
