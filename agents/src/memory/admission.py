"""Lets in a text that is to be remembered, or says why not: for who writes a single entry, and can put it otherwise at once."""

import re
from collections.abc import Callable

from agents.src.errors import InvalidMemory, LooksSecret
from agents.src.memory.wording import LONGEST_SECTION, checked, normalised, title

Inspect = Callable[[str], str | None]
"""Why a text must not be shared; None if it may."""
SIGNS = re.compile("^#{1,6} ")
"""How a line that is a heading begins."""


def admitted(text: str, inspect: Inspect) -> str:
    """The text as an entry keeps it. Raises InvalidMemory, LooksSecret."""
    try:
        plain = normalised(text)
    except ValueError as error:
        raise InvalidMemory(f"text: {error}") from None
    return harmless(plain, inspect)


def admitted_section(section: str, inspect: Inspect) -> str:
    """The heading that an entry is to stand under, as a file says it: `C#`, of `## C# ##`. Raises InvalidMemory, LooksSecret."""
    plain = title(SIGNS.sub("", " ".join(section.split())))
    if len(plain) > LONGEST_SECTION:
        raise InvalidMemory(f"section: This has {len(plain):,} characters; a heading has at most {LONGEST_SECTION}.")
    try:
        return harmless(checked(plain), inspect)
    except ValueError as error:
        raise InvalidMemory(f"section: {error}") from None


def harmless(text: str, inspect: Inspect) -> str:
    if why := inspect(text):
        raise LooksSecret(f"It looks like a secret ({why}), and is not shared. Keep it in a vault, and say where it lies.")
    return text
