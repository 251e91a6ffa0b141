"""Entity tags (RFC 9110): an entry's revision in double quotes."""

import re
from collections.abc import Sequence

from agents.src.errors import InvalidRequest, RevisionMoved, RevisionRequired
from agents.src.memory import MemoryEntry

TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
TAGS = rf"\*|{TAG}(?:\s*,\s*{TAG})*"
ANY = "*"


def etag(entry: MemoryEntry) -> str:
    return f'"{entry.rev}"'


def is_known(entry: MemoryEntry, if_none_match: str | None) -> bool:
    """Whether the caller has the entry already, by its `If-None-Match`. One that is malformed is passed over."""
    given = (if_none_match or "").strip()
    if not re.fullmatch(TAGS, given):
        return False
    return given == ANY or etag(entry) in [tag.removeprefix("W/") for tag in re.findall(TAG, given)]


def expected(if_match: str | None) -> Sequence[str] | None:
    """The revisions that `If-Match` names, None for any. Raises RevisionRequired without it, InvalidRequest for another form.

    A weak tag names none: what is to be replaced must be the same, not much the same.
    """
    if if_match is None:
        raise RevisionRequired('Send `If-Match: "REV"` with the revision you have seen (`ETag` has it), or `If-Match: *`.')
    given = if_match.strip()
    if not re.fullmatch(TAGS, given):
        raise InvalidRequest('If-Match: `"REV"` is expected, in double quotes, or `*`.')
    return None if given == ANY else [tag[1:-1] for tag in re.findall(TAG, given) if not tag.startswith("W/")]


def checked(entry: MemoryEntry, revs: Sequence[str] | None) -> str | None:
    """The revision to be replaced, None for any. Raises RevisionMoved where the entry is at none of those."""
    if revs is not None and entry.rev not in revs:
        raise RevisionMoved(f"The entry {entry.id} is at revision {entry.rev} now. Look at it, then decide.")
    return None if revs is None else entry.rev
