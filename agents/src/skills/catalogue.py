"""The noun: the skills there are. A name is only ever looked up here, never joined into a path."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from agents.src.errors import UnknownSkill
from agents.src.skills.skill import Skill


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Skills by name, in the order of their names."""

    skills: Mapping[str, Skill]

    @classmethod
    def of(cls, skills: Iterable[Skill]) -> Self:
        return cls(MappingProxyType({skill.name: skill for skill in sorted(skills, key=lambda skill: skill.name)}))

    def get(self, name: str) -> Skill:
        """Raises UnknownSkill, which suggests names that are near."""
        if name in self.skills:
            return self.skills[name]
        near = difflib.get_close_matches(name[:64], self.skills, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(self.skills) or 'none'}."
        raise UnknownSkill(f'There is no skill "{name[:64]}"; {hint}')

    def only(self, names: Collection[str]) -> Self:
        """The part of the catalogue that a token may use. Names that are not here are passed over."""
        return type(self).of(skill for skill in self if skill.name in names)

    def __iter__(self) -> Iterator[Skill]:
        return iter(self.skills.values())

    def __contains__(self, name: object) -> bool:
        return name in self.skills

    def __len__(self) -> int:
        return len(self.skills)
