"""GPUs, packages and secrets. Modal's client takes any word for them; a mistake would show only at the deploy, or never."""

import difflib
import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

GPUS = {
    "ANY": 4,  # whichever of L4, A10 and T4 is free first
    "T4": 8,
    "L4": 8,
    "A10": 4,
    "A10G": 4,
    "L40S": 8,
    "A100": 8,
    "A100-40GB": 8,
    "A100-80GB": 8,
    "RTX-PRO-6000": 8,
    "H100": 8,
    "H100!": 8,
    "H200": 8,
    "B200": 8,
    "B200+": 8,
}
"""The GPUs that Modal offers, and how many of one kind a container can have."""


def _gpu(text: str) -> str:
    """`h100:2` → `H100:2`: Modal's own spelling."""
    name, colon, count = text.upper().partition(":")
    if name not in GPUS:
        near = difflib.get_close_matches(name, GPUS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f'"{text[:60]}" is no GPU that Modal has; {hint}write one of {", ".join(GPUS)}')
    if colon and not (re.fullmatch("[1-8]", count) and int(count) <= GPUS[name]):
        raise ValueError(f'"{text[:60]}" is not allowed; write {name} for one, or up to {name}:{GPUS[name]} for several')
    return f"{name}{colon}{count}"


def unique(words: list[str]) -> list[str]:
    for number, word in enumerate(words):
        if word in words[:number]:
            raise ValueError(f"{word} is listed twice; write it once")
    return words


_EXTRAS = r"(\[[A-Za-z0-9._,-]+\])?"
_VERSION = r"(===|~=|==|!=|<=|>=|<|>)[0-9][A-Za-z0-9.!+_-]*(\.\*)?"

Gpu = Annotated[str, AfterValidator(_gpu)]
AptPackage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9][A-Za-z0-9.+:~-]*)?$", max_length=200)]
PipRequirement = Annotated[
    str,
    StringConstraints(pattern=rf"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?{_EXTRAS}({_VERSION}(,{_VERSION})*)?$", max_length=200),
]
SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]
