"""The noun: what an engine is given. Frozen into the task at dispatch, so that a change of the skill changes no accepted task."""

from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from agents.src.conversations import Said
from agents.src.memory import Recalled
from agents.src.records import Kept
from agents.src.tasks.question import QuestionRules


class OnCrash(StrEnum):
    """What becomes of a task whose worker died."""

    REQUEUE = "requeue"
    INTERRUPT = "interrupt"


class Retries(Kept):
    """How often a failed run is tried again, and when. Delays in seconds."""

    max_retries: int = 0
    initial_delay: float = 1.0
    backoff_coefficient: float = 2.0
    max_delay: float = 60.0


class InputFile(Kept):
    """A file handed over with the task: its id in the file store, and the safe name it gets in `input/`."""

    id: str
    name: str


class ClaudeOptions(Kept):
    """What the `claude` engine reads beside instruction and prompt. `None` leaves the choice to Claude Code."""

    model: str | None = None
    effort: str | None = None
    allowed_tools: tuple[str, ...] = ()
    max_turns: int | None = None
    budget_usd: float | None = None


class Brief(Kept):
    """All that a run needs to know, in any process. `timeout` in seconds, for each attempt."""

    skill: str
    engine: str
    instruction: str
    prompt: str
    timeout: float
    args: dict[str, Any] = Field(default_factory=dict)
    files: tuple[InputFile, ...] = ()
    retries: Retries = Retries()
    on_crash: OnCrash = OnCrash.REQUEUE
    claude: ClaudeOptions = ClaudeOptions()
    program: str | None = None
    """For the `script` engine: the program's file name beside info.md."""
    asks: bool = False
    """For the `script` engine: whether the program's stdin stays open for answers."""
    memory: tuple[Recalled, ...] = ()
    """What the skill knows that fits the prompt, best first. Filled in when a run starts; what is kept with the task has none."""
    conversation: tuple[Said, ...] = ()
    """What was said before in the task's conversation, oldest first. Filled in when a run starts, too."""
    said: tuple[str, ...] = ()
    """What the caller said since the task was accepted and no earlier process was given. Filled in when a run starts, too."""
    said_before: tuple[str, ...] = ()
    """What an earlier process was given of it: for an engine that was to go on and has to begin anew. Filled in, too."""
    review: bool = False
    """Whether what a run learns waits until a person accepts it."""
    questions: QuestionRules = QuestionRules()
    usd_per_second: float | None = None
    """What a second of a run costs where it runs; 0 where nobody is billed, None where it is not known."""

    @property
    def converses(self) -> bool:
        """Whether its engine goes on where it was after a pause, and hears what its caller says to it meanwhile."""
        return self.engine == "claude"

    def limited_to(self, usd: float | None) -> Self:
        """For a process that may spend so much (None: without limit)."""
        return self.model_copy(update={"claude": self.claude.model_copy(update={"budget_usd": usd})})

    def handed_over(self) -> Self:
        """For a process that goes on: what the caller said, the one before it was given."""
        return self.model_copy(update={"said": (), "said_before": self.said_before + self.said})
