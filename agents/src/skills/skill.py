"""The noun: a capability declared by `info.md`. `docs/info-md.md` is the specification."""

from pathlib import Path
from typing import Any, Literal

from agents.src.records import Frozen
from agents.src.tasks import ClaudeOptions, OnCrash, QuestionRules, Retries

Engine = Literal["claude", "script"]


class Resources(Frozen):
    """What a skill's container has, as Modal names it. `cpu` in cores, `memory` in MiB."""

    cpu: float | None = None
    memory: int | None = None
    gpu: tuple[str, ...] = ()
    """GPU names (`"A10G"`, `"H100:2"`), the most wanted first; empty for none."""
    max_containers: int | None = None
    apt: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    """Names of Modal secrets."""


class Skill(Frozen):
    """One entry of the catalogue. `timeout` in seconds: the most a task may ask for, or None for the server's default."""

    name: str
    description: str
    instruction: str
    folder: Path
    engine: Engine = "claude"
    claude: ClaudeOptions = ClaudeOptions()
    run: str | None = None
    asks: bool = False
    """Whether its program may ask, and so reads lines."""
    arguments: dict[str, Any] | None = None
    """JSON Schema of structured arguments; None where the skill takes none."""
    timeout: int | None = None
    retries: Retries = Retries()
    on_crash: OnCrash = OnCrash.REQUEUE
    review: bool = False
    """Whether what a task learned waits until a person accepts it."""
    questions: QuestionRules = QuestionRules()
    resources: Resources = Resources()
