"""What a run is given of its task's conversation: the last messages, as many as there is room for."""

from collections.abc import Sequence

from agents.src.conversations.conversation import Message, Said

LAST = 20
"""Messages at most."""
ROOM = 20_000
"""Characters that they may have together, with what surrounds them."""
AROUND = 60
"""Of a message: its role and its time, and what keeps it apart from the next."""


def window(messages: Sequence[Message], room: int = ROOM) -> tuple[Said, ...]:
    """The newest of these (oldest first), whole ones only, without a gap: the first that there is no room for ends it."""
    kept: list[Said] = []
    for message in reversed(messages[-LAST:]):
        room -= len(message.text) + len(message.author) + AROUND
        if room <= 0:
            break
        kept.append(Said.of(message))
    return tuple(reversed(kept))
