"""The nouns: what a running task asks, who is asked, and what is answered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from typing import Any, Self

from pydantic import model_validator

from agents.src.errors import InvalidAnswer
from agents.src.records import Kept
from agents.src.tasks.budget import Budget, amount_of

DAY = 86400.0
SHORTEST_DEADLINE, LONGEST_DEADLINE = 60.0, 7 * DAY
"""Seconds."""
LONGEST_TEXT = 16_000
"""Characters of a question or an answer."""
LONGEST_LABEL, LONGEST_DESCRIPTION = 200, 1_000
"""Characters of a choice; a header is no longer than a label."""
MOST_CHOICES = 50
RAISE, STOP = "Raise by ", "Stop"
"""How the choices begin that raise a budget; and the one that does not."""


class Choice(Kept):
    """One of the answers that a question offers, told apart by their labels."""

    label: str
    description: str = ""


class Question(Kept):
    """What is asked. `default`: what counts in the end if nobody answers, labels or one text; empty for nothing.

    `free_text`: whether something else than the choices may be answered. Without choices, it always may. What cannot be put to
    anybody raises ValueError, with a sentence that says why.
    """

    text: str
    header: str = ""
    choices: tuple[Choice, ...] = ()
    several: bool = False
    free_text: bool = True
    default: tuple[str, ...] = ()
    budget: Budget | None = None
    """The budget that is to be raised, where that is what is asked. Then words have to be an amount."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for fault in chain(self._faults(), self._faults_of_choices(), self._faults_of_default()):
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        if not self.text.strip():
            yield "text: is empty; write what is asked."
        if len(self.text) > LONGEST_TEXT:
            yield f"text: has {len(self.text):,} characters; at most {LONGEST_TEXT:,} can be asked at once."
        if len(self.header) > LONGEST_LABEL:
            yield f"header: has {len(self.header):,} characters; at most {LONGEST_LABEL} are shown above a question."

    def _faults_of_choices(self) -> Iterator[str]:
        labels = [choice.label for choice in self.choices]
        if len(labels) > MOST_CHOICES:
            yield f"choices: there are {len(labels)}; at most {MOST_CHOICES} can be offered."
        for number, choice in enumerate(self.choices):
            if not choice.label.strip():
                yield "choices: a label is empty; write what can be chosen."
            if choice.label in labels[:number]:
                yield f"choices: {choice.label[:60]!r} is there twice; they are told apart by their labels."
            if len(choice.label) > LONGEST_LABEL or len(choice.description) > LONGEST_DESCRIPTION:
                allowed = f"a label may have {LONGEST_LABEL} characters, a description {LONGEST_DESCRIPTION:,}"
                yield f"choices: {choice.label[:60]!r} is too long; {allowed}."

    def _faults_of_default(self) -> Iterator[str]:
        unknown = [word for word in self.default if word not in {choice.label for choice in self.choices}]
        if len(self.default) > 1 and not unknown and not self.several:
            yield "default: has more than one label, and the question takes one choice only; give one, or allow several."
        if len(self.default) > 1 and unknown:
            yield f"default: {unknown[0][:60]!r} is none of the choices; give labels of choices, or one text."
        if unknown and self.choices and not self.free_text:
            yield f"default: {unknown[0][:60]!r} is none of the choices, and nothing else may be answered."
        if unknown and not unknown[0].strip():
            yield "default: is empty; leave it out."
        if unknown and len(unknown[0]) > LONGEST_TEXT:
            yield f"default: has {len(unknown[0]):,} characters; an answer has at most {LONGEST_TEXT:,}."

    @property
    def digest(self) -> str:
        """Names what is asked: the same words with the same choices."""
        return sha256(json.dumps([self.text, [choice.label for choice in self.choices]]).encode()).hexdigest()[:16]

    def answered_by_default(self) -> "Answer | None":
        """None where it has no default, or one that does not fit: that of the skill may have been meant for other choices."""
        if not self.default:
            return None
        chosen = {choice.label for choice in self.choices}.issuperset(self.default)
        said: dict[str, Any] = {"choices": self.default} if chosen else {"text": "\n".join(self.default)}
        answer = Answer(action=Action.ACCEPT, by=Turn.DEFAULT, **said)
        return answer if answer.fault(self) is None else None


class Turn(StrEnum):
    """Who is asked; and so, who gave an answer."""

    CALLER = "caller"
    """Who submitted the task."""
    HUMAN = "human"
    """Somebody who is reached in another way than through the task: by the task's callback."""
    RESPONDER = "responder"
    """A model that is shown the task and the question, and nothing else."""
    DEFAULT = "default"
    """Nobody: the question brought its answer along."""


class QuestionRules(Kept):
    """How a task may ask. Times in seconds.

    `hold`: how long the run waits with its process alive (None: as the server has it). `deadline`: how long each of those who are
    asked has (None: for ever). `ask`: who is asked, one after the other. The rest stands in for what a question leaves open.
    """

    hold: float | None = None
    deadline: float | None = DAY
    ask: tuple[Turn, ...] = (Turn.CALLER, Turn.HUMAN, Turn.RESPONDER)
    choices: tuple[Choice, ...] = ()
    several: bool = False
    free_text: bool = True
    default: tuple[str, ...] = ()


class Action(StrEnum):
    """What somebody does with a question, in the words of MCP's elicitation."""

    ACCEPT = "accept"
    """Answers it."""
    DECLINE = "decline"
    """Says that they will not answer; the task has to do without."""
    CANCEL = "cancel"
    """Puts it away without saying anything."""


class Answer(Kept):
    """`choices` are labels. `by` says who gave it, `name` under which token."""

    action: Action
    text: str = ""
    choices: tuple[str, ...] = ()
    by: Turn = Turn.CALLER
    name: str = ""

    def checked(self, question: Question) -> Self:
        """Itself. Raises InvalidAnswer where it does not fit the question."""
        if fault := self.fault(question):
            raise InvalidAnswer(fault)
        return self

    def fault(self, question: Question) -> str | None:
        """Why it does not fit the question; None where it does."""
        labels = [choice.label for choice in question.choices]
        if self.action is not Action.ACCEPT:
            return f"choices: with {self.action} nothing is chosen; leave them out." if self.choices else None
        if unknown := [label for label in self.choices if label not in labels]:
            offered = ", ".join(map(repr, labels)) or "none"
            return f"choices: the question does not offer {unknown[0]!r}; it offers {offered}."
        if len(self.choices) > 1 and not question.several:
            return "choices: the question takes one choice only."
        if self.text and labels and not question.free_text:
            return f"text: the question takes its choices only: {', '.join(map(repr, labels))}."
        if question.budget and self.text.strip() and not self.choices and self.raises_by is None:
            return f"text: is no amount; say one such as 2.50, or choose {STOP!r}."
        if not self.text.strip() and not self.choices:
            return "Give a text or choices; to give no answer, send the action decline or cancel."
        return None

    @property
    def raises_by(self) -> float | None:
        """By how many US dollars it raises the budget that was asked for; None: it does not."""
        if self.action is not Action.ACCEPT:
            return None
        return amount_of(self.choices[0].removeprefix(RAISE) if self.choices else self.text)

    @property
    def words(self) -> str:
        """What was chosen and said, as one text."""
        return "\n".join(filter(None, (", ".join(self.choices), self.text)))


class QuestionState(StrEnum):
    """Where a question stands."""

    PENDING = "pending"
    """Waits for an answer."""
    ANSWERED = "answered"
    EXPIRED = "expired"
    """Nobody answered in time, and there was no default: its task has failed, or will."""
    WITHDRAWN = "withdrawn"
    """Its task ended, or began anew, without waiting for the answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it stands in the store. Times in seconds since 1970 UTC; `due_at`: when the next in turn is asked."""

    id: str
    task_id: str
    skill: str
    caller: str
    key: str
    question: Question
    turns: tuple[Turn, ...]
    deadline: float | None
    turn: int
    asked_at: float
    due_at: float | None
    state: QuestionState = QuestionState.PENDING
    answer: Answer | None = None
    answered_at: float | None = None

    @property
    def whose_turn(self) -> Turn | None:
        """None: nobody has been asked yet."""
        return self.turns[self.turn] if 0 <= self.turn < len(self.turns) else None

    def was_answered_with(self, answer: Answer) -> bool:
        """Whether this very answer was given by this very answerer: then it is only repeated, because its receipt was lost."""
        return self.answer == answer
