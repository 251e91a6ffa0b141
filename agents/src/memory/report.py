"""The noun: what a sync did, or would do."""

from dataclasses import dataclass, field
from enum import StrEnum


class Direction(StrEnum):
    """Which way entries go."""

    BOTH = "sync"
    PULL = "pull"
    PUSH = "push"


class Deed(StrEnum):
    """What happens to an entry."""

    FETCH = "fetch"
    """Comes into the file, new or changed."""
    DROP = "drop"
    """Leaves the file: it was deleted elsewhere."""
    ADD = "add"
    """Goes into the shared memory."""
    CHANGE = "change"
    """Goes into the shared memory in place of an earlier text."""
    DELETE = "delete"
    """Is deleted in the shared memory."""
    CONFLICT = "conflict"
    """Was changed on both sides: both texts are kept."""
    HOLD = "hold"
    """Stays in the file: it looks like a secret, or cannot be an entry; the note says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a report. `note`: what the other side said in its place, or why it is held."""

    deed: Deed
    skill: str
    id: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An entry and the sibling that differs from it: settled when one of the two is gone."""

    skill: str
    id: str
    text: str
    sibling: str
    other: str


@dataclass(frozen=True, slots=True)
class Report:
    """Of one skill. `conflicts` are all that stand, `waiting` what the chosen direction left for another time.

    `new_conflicts`: siblings whose conflicts stand in the file since this sync, or would, whether it met them or somebody
    else did. `entries`: lines of the file that are entries, without those that are held.
    """

    skill: str
    steps: tuple[Step, ...] = ()
    waiting: tuple[Step, ...] = ()
    conflicts: tuple[Conflict, ...] = field(default=())
    entries: int = 0
    new_conflicts: tuple[str, ...] = ()

    @property
    def held(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.deed is Deed.HOLD)

    @property
    def in_step(self) -> bool:
        """Whether there was nothing to do."""
        return not [step for step in (*self.steps, *self.waiting) if step.deed is not Deed.HOLD]
