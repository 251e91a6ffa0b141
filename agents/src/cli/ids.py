"""Ids that a person has typed a part of."""

from collections.abc import Awaitable, Callable

from agents.src.errors import NotFound

ID_LENGTH = 26
NEWEST = 200
"""Things among which the beginning or end of an id is looked for."""


async def found(text: str, newest: Callable[[int], Awaitable[list[str]]], unknown: type[NotFound], things: str) -> str:
    """A whole id as it is, or the one of the newest that begins or ends so. Raises `unknown` where there is none, or several."""
    if len(text) == ID_LENGTH:
        return text
    fitting = [one for one in await newest(NEWEST) if text and (one.startswith(text) or one.endswith(text))]
    if len(fitting) == 1:
        return fitting[0]
    many = f"{len(fitting)} of the {NEWEST} newest {things} have" if fitting else f"None of the {NEWEST} newest {things} has"
    raise unknown(f"{many} an id that begins or ends with {text!r}; `agents {things} list` shows them.")
