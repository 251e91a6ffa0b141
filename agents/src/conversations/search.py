"""How a text is searched for: every word must occur, whatever its case."""

import unicodedata

from agents.src.conversations.wording import keepable
from agents.src.errors import InvalidRequest

LONGEST_QUERY = 200
"""Characters."""


def folded(text: str) -> str:
    """What is compared: neither case nor the way in which an accent is written makes a difference."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def words_of(query: str) -> tuple[str, ...]:
    """Each word once, folded. Raises InvalidRequest where the query is too long."""
    if len(query) > LONGEST_QUERY:
        raise InvalidRequest(f"Search for at most {LONGEST_QUERY} characters, not {len(query)}.")
    return tuple(dict.fromkeys(folded(keepable(query)).split()))
