"""The verb: takes what a run wants to be remembered, or says why not. The same for every engine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agents.src.errors import InvalidMemory, LooksSecret
from agents.src.memory.document import normalised
from agents.src.memory.draft import Inspect
from agents.src.memory.identity import entry_id
from agents.src.memory.lesson import Act, Lesson, Recalled
from agents.src.memory.wording import LONGEST_SECTION

MOST_LESSONS = 200
"""What one run may say to its memory: somebody will have to read it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run said. `id` names the entry to be corrected or forgotten; no `section`: wherever it stands, or first of all."""

    action: Act = Act.ADD
    text: str = ""
    id: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """An entry that a run knows of. No `rev`: the run itself has written it."""

    text: str
    rev: str | None = None


def learned(wish: Wish, skill: str, known: Mapping[str, Known], inspect: Inspect) -> Lesson:
    """The lesson of a wish. `known`: by their ids, the entries that the run was given or has made.

    Raises InvalidMemory, LooksSecret.
    """
    if wish.action is Act.FORGET:
        there = _named(wish, known)
        return Lesson(action=wish.action, id=wish.id, text=there.text, rev=there.rev)
    text, section = fit(wish.text, inspect), heading(wish.section, inspect)
    if wish.action is Act.CORRECT:
        return Lesson(action=wish.action, id=wish.id, text=text, section=section, rev=_named(wish, known).rev)
    taken = [there for there, entry in known.items() if entry.text != text]
    return Lesson(action=wish.action, id=entry_id(skill, text, taken), text=text, section=section)


def _named(wish: Wish, known: Mapping[str, Known]) -> Known:
    if wish.id in known:
        return known[wish.id]
    there = f"there are: {', '.join(known)}" if known else "this run was given none, and has added none"
    asked = "id: there is no such entry here" if wish.id else f"id: say which entry to {wish.action}"
    raise InvalidMemory(f"{asked}; {there}.")


def fit(text: str, inspect: Inspect) -> str:
    """The text as an entry keeps it. Raises InvalidMemory, LooksSecret."""
    try:
        plain = normalised(text)
    except ValueError as error:
        raise InvalidMemory(f"text: {error}") from None
    return _checked(plain, inspect)


def heading(section: str, inspect: Inspect) -> str:
    """A section as an entry keeps it. Raises InvalidMemory, LooksSecret."""
    plain = " ".join(section.split()).strip("# ")
    if len(plain) > LONGEST_SECTION or not plain.isprintable():
        raise InvalidMemory(f"section: is a heading, plain text of at most {LONGEST_SECTION} characters.")
    return _checked(plain, inspect)


def _checked(text: str, inspect: Inspect) -> str:
    if why := inspect(text):
        raise LooksSecret(f"It looks like a secret ({why}), and is not remembered. Say where the secret lies, not what it is.")
    return text


class Notebook:
    """What one run was given of its skill's memory, and what it has said to it since."""

    def __init__(self, skill: str, given: Iterable[Recalled], inspect: Inspect) -> None:
        self._skill = skill
        self._inspect = inspect
        self._known = {entry.id: Known(entry.text, entry.rev) for entry in given}
        self._lessons = 0

    def take(self, wish: Wish) -> Lesson | None:
        """None where the memory says so already. Raises InvalidMemory, LooksSecret."""
        if self._lessons == MOST_LESSONS:
            raise InvalidMemory(f"One run can teach {MOST_LESSONS} things, and this one has. Keep to what matters most.")
        lesson = learned(wish, self._skill, self._known, self._inspect)
        if lesson.action is Act.FORGET:
            del self._known[lesson.id]
        elif lesson.id in self._known and self._known[lesson.id].text == lesson.text:
            return None
        else:
            self._known[lesson.id] = Known(lesson.text)
        self._lessons += 1
        return lesson
