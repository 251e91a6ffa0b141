"""What `agents invoke` does when its task asks: asks the person at the terminal, or says where the question waits."""

import asyncio
import os
import re
import sys
from dataclasses import dataclass, field
from typing import Protocol

from agents.src.bootstrap import Parts
from agents.src.cli.follow import Screen
from agents.src.cli.output import note
from agents.src.errors import AlreadyAnswered, InvalidAnswer, Problem
from agents.src.tasks import Action, Answer, Asked, Event, EventType, Question, QuestionFilter, QuestionState, Status, Task, Turn

PEOPLE = (Turn.CALLER, Turn.HUMAN)
CLOSED = (EventType.QUESTION_ANSWERED, EventType.QUESTION_EXPIRED)
ENDS = (EventType.COMPLETED, EventType.FAILED, EventType.CANCELLED)
NOTHING_SAID = "Write something, or press Ctrl-D to decline."
LONGEST_LINE = 4096


class Listener(Protocol):
    """Hears what happens in the task that is followed."""

    async def heard(self, event: Event) -> bool:
        """Whether to stop following."""


def listener(parts: Parts, screen: Screen, name: str) -> Listener:
    """`name` is that of whoever sits at the terminal."""
    there = sys.stdin.isatty() and sys.stderr.isatty()
    return Prompt(parts, screen, name) if there else Notice(parts)


@dataclass
class Notice:
    """Nobody is there: the task is left once it is parked and waits for a person, or is paused."""

    parts: Parts
    parked: bool = False

    async def heard(self, event: Event) -> bool:
        await go_on(self.parts, event)
        if event.type is EventType.PAUSED:
            return (await self.parts.store.get(event.task_id)).paused
        if event.type in (EventType.PARKED, EventType.STARTED):
            self.parked = event.type is EventType.PARKED
        if not self.parked or event.type not in (EventType.PARKED, EventType.QUESTION_PASSED_ON):
            return False
        return any(asked.whose_turn in PEOPLE for asked in await pending(self.parts, event.task_id))


@dataclass
class Prompt:
    """Asks one question at a time. One that is answered elsewhere meanwhile is asked no longer."""

    parts: Parts
    screen: Screen
    name: str
    waiting: list[str] = field(default_factory=list)
    asking: tuple[str, asyncio.Task[None]] | None = None

    def __post_init__(self) -> None:
        self.screen.unsaid = frozenset({EventType.QUESTION_ASKED})

    async def heard(self, event: Event) -> bool:
        await go_on(self.parts, event)
        if event.type is EventType.QUESTION_ASKED:
            self.waiting.append(event.data["id"])
        elif event.type in CLOSED:
            await self._drop(event.data["id"])
        elif event.type in ENDS:
            for question_id in list(self.waiting):
                await self._drop(question_id)
        if self.asking is None and self.waiting:
            self.asking = self.waiting[0], asyncio.create_task(self._ask(self.waiting[0]))
        return False

    async def _drop(self, question_id: str) -> None:
        if question_id in self.waiting:
            self.waiting.remove(question_id)
        if self.asking and self.asking[0] == question_id:
            self.asking[1].cancel()
            await asyncio.gather(self.asking[1], return_exceptions=True)  # the screen is as it was, before it goes on
            self.asking = None

    async def _ask(self, question_id: str) -> None:
        asked = await self.parts.questions.get(question_id)
        if asked.state is not QuestionState.PENDING:
            return
        with self.screen.standing_still():
            note("\n".join(lines(asked.question)))
            while not await self._taken(asked, await read_line()):
                pass

    async def _taken(self, asked: Asked, line: str) -> bool:
        answer = understood(line, asked.question, self.name)
        if answer is None:
            note(NOTHING_SAID)
            return False
        try:
            await self.parts.answering.answer(asked, answer)
        except InvalidAnswer as error:
            note(error.detail)
            return False
        except AlreadyAnswered:
            return True
        except Problem as error:
            note(f"{error.detail} Answer again.")
            return False
        return True


async def go_on(parts: Parts, event: Event) -> None:
    """The task that was parked may have been answered, or resumed, from elsewhere; it runs here."""
    freed = event.type is EventType.RESUMED or (event.type is EventType.QUESTION_ANSWERED and not event.data.get("waiting"))
    if freed and parts.solo:
        task = await parts.store.get(event.task_id)
        if task.status is Status.QUEUED:
            await parts.solo.start(task)


async def pending(parts: Parts, task_id: str) -> tuple[Asked, ...]:
    """The oldest first."""
    which = QuestionFilter(task_id=task_id, state=QuestionState.PENDING)
    return (await parts.questions.page(which, None, 200)).items[::-1]


async def read_line() -> str:
    """What was typed; empty at Ctrl-D. Without a thread, so that it can be given up."""
    loop, ready, terminal = asyncio.get_running_loop(), asyncio.Event(), sys.stdin.fileno()
    loop.add_reader(terminal, ready.set)
    try:
        await ready.wait()
        return os.read(terminal, LONGEST_LINE).decode(errors="replace")
    except OSError:  # the terminal is gone
        return ""
    finally:
        loop.remove_reader(terminal)


def lines(question: Question) -> list[str]:
    """The question as it is put to a person."""
    choices = [
        f"  {number}  {choice.label}{f': {choice.description}' if choice.description else ''}"
        for number, choice in enumerate(question.choices, 1)
    ]
    return [f"{question.header}: {question.text}" if question.header else question.text, *choices, how(question)]


def how(question: Question) -> str:
    """What may be typed, in parentheses."""
    numbers = "numbers, with commas" if question.several else "a number"
    kinds = [numbers if question.choices else "", "" if question.choices and not question.free_text else "words"]
    default = f"; Enter for {', '.join(question.default)}" if question.default else ""
    return f"({' or '.join(filter(None, kinds))}{default}; Ctrl-D to decline)"


def understood(line: str, question: Question, name: str) -> Answer | None:
    """The answer that a typed line is; None where it says nothing. `1`, `1, 3` and labels choose, all else is words."""
    said = line.strip()
    if not line:
        return Answer(action=Action.DECLINE, name=name)
    if not said:
        default = question.answered_by_default()
        return default and default.model_copy(update={"by": Turn.CALLER, "name": name})
    labels = [choice.label for choice in question.choices]
    numbers = [int(word) for word in re.split(r"[,\s]+", said) if word.isascii() and word.isdigit()]
    if re.fullmatch(r"[\d,\s]+", said) and numbers and all(1 <= number <= len(labels) for number in numbers):
        chosen = tuple(dict.fromkeys(labels[number - 1] for number in numbers))
    else:
        chosen = tuple(label for label in labels if label.lower() == said.lower())
    return Answer(action=Action.ACCEPT, choices=chosen, text="" if chosen else said, name=name)


def tell_waiting(task: Task, waiting: tuple[Asked, ...]) -> None:
    """Which questions wait, and how they are answered."""
    for asked in waiting:
        labels = [choice.label for choice in asked.question.choices]
        note(f"waits: {asked.question.text}" + (f" [{' | '.join(labels)}]" if labels else ""))
        note(f"  agents questions answer {asked.id} {'--choice LABEL' if labels else '--text ANSWER'}")
    if task.paused:
        note(f"Task {task.id} is paused. `agents tasks resume {task.id}` has a server go on with it (`agents serve`).")
    else:
        note(f"Task {task.id} waits for an answer. Once it is there, a server goes on with it (`agents serve`).")
