"""Settles a conflict in the text of a memory.md, as a person would by editing its two lines. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from agents.src.errors import InvalidRequest, UnknownEntry
from agents.src.memory.document import Document
from agents.src.memory.folding import NO_GENERATION
from agents.src.memory.identity import entry_id
from agents.src.memory.rewrite import Rewrite, conflicts_in


class Keep(StrEnum):
    """Which text of a conflict stays."""

    MINE = "mine"
    """The sibling's, which was written in the file that met the conflict."""
    THEIRS = "theirs"
    """The entry's own, which the shared memory had."""
    BOTH = "both"
    """Each, as an entry of its own."""


def resolved(text: str, skill: str, which: str, keep: Keep) -> str:
    """The file's text without the conflict. `which` names the entry, or its sibling.

    Raises UnknownEntry where no such conflict stands in the text, InvalidRequest where the entry has several siblings.
    """
    document = Document.parse(text)
    marked = _marked(document)
    main, sibling = _pair({entry: document.items[index].text for entry, index in marked.items()}, skill, which)
    mine = document.items[marked[sibling]].text
    ids = {index: entry for entry, index in marked.items()}
    if keep is Keep.BOTH:
        ids[marked[sibling]] = entry_id(skill, mine, marked)
    rewrite = Rewrite(document, ids)
    if keep is Keep.MINE:
        rewrite.replace(main, mine)
    if keep is not Keep.BOTH:
        rewrite.remove(sibling)
    return rewrite.text(document.generation or NO_GENERATION)


def _marked(document: Document) -> dict[str, int]:
    """Id → index of the first item that has it."""
    marked: dict[str, int] = {}
    for index, item in enumerate(document.items):
        if item.id:
            marked.setdefault(item.id, index)
    return marked


def _pair(texts: Mapping[str, str], skill: str, which: str) -> tuple[str, str]:
    standing = conflicts_in(texts)
    fitting = [pair for pair in standing if which in pair]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        siblings = ", ".join(sibling for _, sibling in fitting)
        raise InvalidRequest(f"{which} is in several conflicts; name one by its other side: {siblings}.")
    none = "there is none. If another machine met it, sync first."
    there = f"there are: {', '.join(sibling for _, sibling in standing)}." if standing else none
    raise UnknownEntry(f"The memory.md of {skill} has no conflict about {which}; {there}")
