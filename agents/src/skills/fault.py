"""The noun: what is wrong with an info.md, where, and what is allowed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake. `line` counts from 1; `key` is empty where it concerns the whole file."""

    line: int
    key: str
    message: str
    file: str = "info.md"

    def __str__(self) -> str:
        """One line: `agents/skills/x/info.md:5: cpu: "2" is text; write a number of cores, 0.125 to 64`."""
        line = ": ".join(part for part in (f"{self.file}:{self.line}", self.key, self.message) if part)
        return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
