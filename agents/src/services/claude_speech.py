"""What is said to one Claude Code process, in order, and what of it was taken in."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from claude_agent_sdk import ResultMessage


class Speech:
    """Begins with `texts`; more may be said while it is not over, and what is `held_back` is said when `release` is called.

    What Claude Code is told while tools run it takes into the turn that is under way; what comes too late for that begins a turn
    of its own, which ends in a result of its own.
    """

    def __init__(self, *texts: str, held_back: Iterable[str] = ()) -> None:
        self._said: dict[str, str] = {}
        """What was not taken in yet, by the ids of the messages, which Claude Code's results name."""
        self._to_send: asyncio.Queue[str | None] = asyncio.Queue()
        self._is_over = False
        self._held_back = list(held_back)
        for text in texts:
            self.say(text)

    def say(self, text: str) -> None:
        """After it is over, nobody hears it: then it is in `unheard_by`."""
        name = str(uuid4())
        self._said[name] = text
        self._to_send.put_nowait(name)

    def release(self) -> None:
        while self._held_back:
            self.say(self._held_back.pop(0))

    def hear(self, result: "ResultMessage") -> None:
        """A turn is over: what it took in is heard, and if that was all, so is the process."""
        for name in (result.user_message_uuid, *(result.user_message_uuids or ())):
            self._said.pop(name or "", None)
        if result.is_error or result.deferred_tool_use or not self._said:
            self.end()

    def end(self) -> None:
        self._is_over = True
        self._to_send.put_nowait(None)

    @property
    def is_silent(self) -> bool:
        """Whether nothing has been said yet."""
        return not self._said

    @property
    def is_heard(self) -> bool:
        """Whether all was taken in."""
        return not (self._said or self._held_back)

    def unheard_by(self, transcript: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """What was not taken in, also not by the turn that the process was ended in: that is known from its transcript only."""
        taken = {name for entry in transcript for name in (entry.get("uuid"), entry.get("attachment", {}).get("source_uuid"))}
        return (*(text for name, text in self._said.items() if name not in taken), *self._held_back)

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """As Claude Code takes them. They end with the run: the SDK closes what Claude Code listens to as soon as all is said."""
        while not self._is_over and (name := await self._to_send.get()) is not None:
            message = {"role": "user", "content": self._said[name]}
            yield {"type": "user", "session_id": "", "uuid": name, "parent_tool_use_id": None, "message": message}
