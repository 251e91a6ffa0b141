"""The ports: where notices are kept until they are sent, and what sends them."""

from collections.abc import Collection
from typing import Protocol

from agents.src.tasks.notice import Notice
from agents.src.tasks.schedule import Reply, Verdict
from agents.src.tasks.task import Callback


class AddressRefused(Exception):
    """The callback leads to an address that nothing is sent to; the message says why."""


class OutboxStore(Protocol):
    """Notices get there in the transaction of their event. Times are seconds since 1970 UTC. Raises Unavailable."""

    async def claim(self, limit: int, until: float) -> tuple[Notice, ...]:
        """Takes up to `limit` that are due, the longest first, until then: from then on they are due again."""

    async def settle(self, notice: Notice, verdict: Verdict) -> bool:
        """What became of the attempt; False where somebody else has begun another meanwhile, and nothing is changed.

        One that is refused is told by a `warning` of its task, if that has not ended.
        """

    async def next_due(self) -> float | None:
        """When the next one is due, or the lease on it runs out."""

    async def latest(self, task_ids: Collection[str]) -> dict[str, Notice]:
        """By task, the last notice, if there is any."""


class Post(Protocol):
    """Makes one attempt."""

    async def post(self, callback: Callback, notice_id: str, body: bytes, at: float) -> Reply:
        """Signed as of `at`, where the callback has a secret. Raises AddressRefused."""

    async def close(self) -> None: ...
