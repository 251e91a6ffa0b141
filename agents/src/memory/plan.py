"""Decides what a sync does about each entry. Pure: three views go in, actions come out; no clock takes part.

base     what this replica and the shared memory last agreed on
mine     what the file says now
theirs   what the shared memory says now

one side changed            it goes to the other side
both, to the same           they agree
both, to different texts    both are kept: theirs under the id, mine as a sibling beside it
an edit meets a deletion    the edit lives
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.src.memory.entry import MemoryEntry
from agents.src.memory.identity import main_id, sibling_id


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as the file has it."""

    text: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Agree:
    """Both sides are the same; only the base has to learn it."""

    theirs: MemoryEntry


@dataclass(frozen=True, slots=True)
class Take:
    """The file gets what the shared memory has; a tombstone takes the line out. `mine`: what the file had."""

    theirs: MemoryEntry
    mine: Line | None


@dataclass(frozen=True, slots=True)
class Push:
    """The shared memory gets what the file has (None: a tombstone), in place of `over`."""

    id: str
    mine: Line | None
    over: MemoryEntry | None


@dataclass(frozen=True, slots=True)
class Split:
    """Both are kept: `theirs` under the id, `mine` as the entry `sibling` behind it. `known`: the sibling is there already."""

    theirs: MemoryEntry
    mine: Line
    sibling: str
    known: MemoryEntry | None


Action = Agree | Take | Push | Split


def plan(
    base: Mapping[str, MemoryEntry], mine: Mapping[str, Line], theirs: Mapping[str, MemoryEntry], *, heir: bool
) -> dict[str, Action]:
    """What to do, by id. Entries about which there is nothing to do are left out.

    `heir`: the file was made from this base, so that a line that is missing was deleted. Otherwise it comes from elsewhere (an
    old copy, another machine, or the base was lost): then nothing that is missing was deleted.
    """
    actions = {}
    for entry_id in dict.fromkeys((*mine, *theirs)):
        agreed = base.get(entry_id)
        action = decide(agreed if heir else None, mine.get(entry_id), theirs.get(entry_id), entry_id)
        if isinstance(action, Agree) and agreed is not None and agreed.rev == action.theirs.rev:
            continue
        if not heir and (settled := _settled(action, theirs)):
            action = settled
        elif isinstance(action, Split):
            action = Split(action.theirs, action.mine, action.sibling, theirs.get(action.sibling))
        if action is not None:
            actions[entry_id] = action
    actions |= _opposed(actions, theirs)
    # A sibling that the file does not have yet comes, or comes back, with the conflict, and not by itself.
    apart = {action.sibling for action in actions.values() if isinstance(action, Split)} - mine.keys()
    return {entry_id: action for entry_id, action in actions.items() if entry_id not in apart}


def _opposed(actions: Mapping[str, Action], theirs: Mapping[str, MemoryEntry]) -> dict[str, Take]:
    """A conflict that two settled in opposite ways, each deleting what the other kept: the first decides, or both would go."""
    back = {}
    for entry_id in actions:
        main = main_id(entry_id)
        if main is None or main not in actions:
            continue
        for own, other in ((entry_id, main), (main, entry_id)):
            match actions[own], actions[other]:
                case Push(mine=None), Take(theirs=gone) if gone.dead:
                    back[own] = Take(theirs[own], None)
    return back


def _settled(action: Action | None, theirs: Mapping[str, MemoryEntry]) -> Take | None:
    """An old copy brings no text back that lost a conflict and then was deleted, also where the entry itself is deleted too."""
    match action:
        case Split(theirs=entry, mine=mine) | Push(mine=Line() as mine, over=MemoryEntry() as entry):
            sibling = theirs.get(sibling_id(entry.id, mine.text))
            if sibling is not None and sibling.dead and mine.text in sibling.texts_after(None):
                return Take(entry, mine)
    return None


def decide(base: MemoryEntry | None, mine: Line | None, theirs: MemoryEntry | None, entry_id: str) -> Action | None:
    """For one entry. None: on neither side there is anything."""
    if theirs is None:
        return Push(entry_id, mine, None) if mine else None
    if base is not None and _has_fallen_back(base, theirs):
        return _brought_up(mine, theirs)
    if base is not None and theirs.is_apart_from(base.rev):
        base = None  # theirs was not made from what was agreed on, which tells nothing then about who changed what
    if mine is None:
        return _missing(base, theirs)
    if theirs.dead:
        return _buried(base, mine, theirs)
    return _both_there(base, mine, theirs)


def _has_fallen_back(base: MemoryEntry, theirs: MemoryEntry) -> bool:
    """Whether there is what had been before what was agreed on: the shared memory was restored, or emptied and filled anew."""
    restored = base.rev != theirs.rev and base.descends_from(theirs.rev)
    return restored or (theirs.is_apart_from(base.rev) and _is_older(base, theirs))


def _is_older(base: MemoryEntry, theirs: MemoryEntry) -> bool:
    """What was deleted before is not: without its tombstone, nothing tells an old copy from what somebody wrote again."""
    return not base.dead and not theirs.dead and theirs.text in base.texts_after(None)


def _brought_up(mine: Line | None, theirs: MemoryEntry) -> Action:
    if (mine is None) == theirs.dead and (mine is None or mine.text == theirs.text):
        return Agree(theirs)
    return Push(theirs.id, mine, theirs)


def _missing(base: MemoryEntry | None, theirs: MemoryEntry) -> Action:
    if theirs.dead:
        return Agree(theirs)
    deleted_here = base is not None and not base.dead
    unchanged_there = base is not None and base.rev == theirs.rev
    return Push(theirs.id, None, theirs) if deleted_here and unchanged_there else Take(theirs, None)


def _buried(base: MemoryEntry | None, mine: Line, theirs: MemoryEntry) -> Action:
    """There it was deleted, here it stands: it goes if what stands here is what was deleted, or had been before."""
    if base is not None and (base.dead or mine.text != base.text) and not _landed(base, mine, theirs):
        return Push(theirs.id, mine, theirs)
    if base is None and mine.text not in theirs.texts_after(None):
        return Push(theirs.id, mine, theirs)
    return Take(theirs, mine)


def _both_there(base: MemoryEntry | None, mine: Line, theirs: MemoryEntry) -> Action:
    if mine.text == theirs.text:
        return Agree(theirs)
    if base is not None and base.rev == theirs.rev:
        return Push(theirs.id, mine, theirs)
    if base is not None and not base.dead and mine.text == base.text:
        return Take(theirs, mine)
    if _landed(base, mine, theirs):
        return Take(theirs, mine)
    return Split(theirs, mine, sibling_id(theirs.id, mine.text), None)


def _landed(base: MemoryEntry | None, mine: Line, theirs: MemoryEntry) -> bool:
    """Whether theirs was made from mine: an own push whose answer was lost, or a file from elsewhere."""
    return mine.text in theirs.texts_after(base.rev if base else None)
