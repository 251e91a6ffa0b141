"""The noun: who asks. A token is a caller; the root token is one that may do all."""

from dataclasses import dataclass

from agents.src.errors import SkillNotAllowed
from agents.src.settings import Rate

ROOT = "root"


@dataclass(frozen=True, slots=True)
class Caller:
    """`skills` is the allowlist (None: all), `rate` how often it may submit (None: without limit)."""

    name: str
    skills: frozenset[str] | None = None
    rate: Rate | None = None

    @property
    def is_root(self) -> bool:
        return self.name == ROOT

    @property
    def sees(self) -> str | None:
        """Whose tasks and files it sees: its own, or (None) everybody's."""
        return None if self.is_root else self.name

    def check_skill(self, skill: str) -> None:
        """Raises SkillNotAllowed."""
        if self.skills is not None and skill not in self.skills:
            raise SkillNotAllowed(f"This token does not allow the skill {skill!r}; it allows {', '.join(sorted(self.skills))}.")
