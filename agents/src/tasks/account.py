"""What a run has said and learned so far, as far as its task's record keeps it."""

from agents.src.conversations import first_paragraph
from agents.src.memory import Lesson
from agents.src.tasks.event import Draft, EventType
from agents.src.tasks.output import Listener, Output
from agents.src.tasks.task import Artifact, Result

LONGEST_TEXT = 64 * 1024
"""Characters of a result's text that the task's record keeps; the log of events has all of it."""
LAST_PART = 16 * 1024
"""Characters that the record keeps of what a run had said when it failed or was cancelled."""


class Account:
    """Hears what happens in one run, and makes the task's result of it."""

    def __init__(self) -> None:
        self._said = ""
        self._learned: list[Lesson] = []
        self._listener = Listener()

    @property
    def has_learned(self) -> bool:
        return bool(self._learned)

    @property
    def output(self) -> Output | None:
        """What the task's record keeps of it, however the run ends."""
        return self._listener.output

    def hear(self, draft: Draft) -> None:
        self._listener.hear(draft)
        if draft.type is EventType.TEXT:
            self._said = f"{self._said}{draft.data.get('text', '')}\n"[-LAST_PART:]
        elif draft.type is EventType.REMEMBERED:
            self._learned.append(Lesson.model_validate(draft.data))

    def result(self, made: Result, artifacts: tuple[Artifact, ...]) -> Result:
        """Of a run that reached its end, from what its engine gave."""
        kept = {"text": shortened(made.text), "summary": first_paragraph(made.summary)}
        return made.model_copy(update={**kept, "artifacts": artifacts, "remembered": tuple(self._learned)})

    def leftovers(self, artifacts: tuple[Artifact, ...] = ()) -> Result | None:
        """What a run leaves that does not reach its end."""
        left = Result(text=self._said.rstrip("\n"), artifacts=artifacts, remembered=tuple(self._learned))
        return left if left != Result() else None


def shortened(text: str) -> str:
    """The last part of a long text, with a line that says so."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"[… {len(text) - LONGEST_TEXT} characters are left out here; the task's events have them all]\n{text[-LONGEST_TEXT:]}"
