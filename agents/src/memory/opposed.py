"""Looks, after a push, whether two have settled one conflict in opposite ways in the same moment: then one text comes back."""

from collections.abc import Collection, Mapping

from agents.src.memory.entry import MemoryEntry, Origin, changed
from agents.src.memory.identity import root_id
from agents.src.memory.store import MOST_WRITES, MemoryStore, Write


async def one_comes_back(
    store: MemoryStore, skill: str, seen: Mapping[str, MemoryEntry], deleted: Collection[str], origin: Origin
) -> bool:
    """Whether a conflict had lost all its texts, and has one again: the entry's own. `seen`: the memory before the push.

    Who deleted all of them in one push wanted none. Raises Unavailable.
    """
    roots = {root_id(entry_id) for entry_id in deleted}
    sides: dict[str, set[str]] = {}
    for entry_id, entry in seen.items() if roots else ():
        if not entry.dead and (root := root_id(entry_id)) in roots:
            sides.setdefault(root, set()).add(entry_id)
    settled = [ids for ids in sides.values() if not ids <= set(deleted)]
    now = await store.get(skill, {entry_id for ids in settled for entry_id in ids}) if settled else {}
    lost = [now[min(ids)] for ids in settled if min(ids) in now and all(which not in now or now[which].dead for which in ids)]
    for start in range(0, len(lost), MOST_WRITES):
        back = lost[start : start + MOST_WRITES]
        await store.write([Write(changed(entry, seen[entry.id].text, origin), entry.rev) for entry in back])
    return bool(lost)
