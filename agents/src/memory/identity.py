"""Names for entries that every machine finds by itself: the same fact, typed twice, is one entry."""

from collections.abc import Container, Iterable, Mapping
from hashlib import sha256
from itertools import count
from types import MappingProxyType

from agents.src.memory.document import Document

LENGTH = 12
SIBLING_LENGTH = 8
NONE: Mapping[str, str] = MappingProxyType({})


def digest(*parts: str) -> str:
    """SHA-256 in hex. The parts' lengths count too: ("ab", "c") is not ("a", "bc")."""
    whole = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()


def entry_id(skill: str, text: str, taken: Container[str] = ()) -> str:
    """The id of a new entry; a further one while it is taken, by an entry that has become another."""
    found = digest(skill, text)[:LENGTH]
    for number in count(2):
        if found not in taken:
            break
        found = digest(skill, text, str(number))[:LENGTH]
    return found


def sibling_id(entry: str, text: str) -> str:
    """The id of the text that lost a conflict: the same on every machine that finds the same conflict."""
    return f"{entry}~{digest(text)[:SIBLING_LENGTH]}"


def main_id(sibling: str) -> str | None:
    """The entry that a sibling is a sibling of; None for an entry that is none's."""
    return sibling.rpartition("~")[0] or None


def identified(document: Document, known: Mapping[str, str], skill: str, dead: Mapping[str, str] = NONE) -> dict[int, str]:
    """Item index → id. An item that only repeats another is left out. `known`: id → text of live entries; `dead`: what deleted
    ones said last.

    A marker counts once: for the line that still says what is known, else for the first. A line without one that says what
    an entry says whose marker is nowhere in the file is that entry.
    """
    ids = _by_marker(document, {**dead, **known})
    texts = {document.items[index].text for index in ids}
    lost = _lost(known, ids.values())
    taken = {*ids.values(), *known}
    for index, item in enumerate(document.items):
        if index in ids:
            continue
        if lost.get(item.text):
            ids[index] = lost[item.text].pop()
        elif item.text in texts:
            continue
        else:
            ids[index] = entry_id(skill, item.text, taken)
        texts.add(item.text)
        taken.add(ids[index])
    return dict(sorted(ids.items()))


def _by_marker(document: Document, known: Mapping[str, str]) -> dict[int, str]:
    keepers: dict[str, int] = {}
    for index, item in enumerate(document.items):
        if item.id is None:
            continue
        keeper = keepers.setdefault(item.id, index)
        if document.items[keeper].text != known.get(item.id) == item.text:
            keepers[item.id] = index
    return {index: entry for entry, index in keepers.items()}


def _lost(known: Mapping[str, str], present: Iterable[str]) -> dict[str, list[str]]:
    """Text → ids of the known entries of that text whose markers are nowhere, the smallest last."""
    lost: dict[str, list[str]] = {}
    for entry in sorted(known.keys() - set(present), reverse=True):
        lost.setdefault(known[entry], []).append(entry)
    return lost
