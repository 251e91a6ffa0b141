"""How a command that meets a problem ends: one line on stderr, and an exit code."""

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from agents.src.errors import Invalid, Misconfigured, Problem, Refused, Unavailable

FAILED, USAGE, REFUSED, UNREACHABLE = 1, 2, 3, 5


class Telling(TyperGroup):
    """Turns a `Problem` of any command into `error: …` on stderr and an exit code."""

    codes: ClassVar[Mapping[type[Problem], int]] = {Invalid: USAGE, Misconfigured: USAGE}

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            print(f"error: {told(problem)}", file=sys.stderr)
            raise typer.Exit(self.code_of(problem)) from None

    @classmethod
    def code_of(cls, problem: Problem) -> int:
        return next((code for kind, code in cls.codes.items() if isinstance(problem, kind)), FAILED)


class TellingOfMemory(Telling):
    """Of the commands of `agents memory`: what was refused, and what could not be reached, have codes of their own."""

    codes: ClassVar[Mapping[type[Problem], int]] = {**Telling.codes, Refused: REFUSED, Unavailable: UNREACHABLE}


def told(problem: Problem) -> str:
    """What was refused bears the name of what refused it."""
    return f"{type(problem).__name__}: {problem.detail}" if isinstance(problem, Refused) else problem.detail
