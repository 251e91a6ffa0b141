"""Time and names. Everything that needs either takes a `Clock`, so that tests own both."""

import asyncio
import os
import time
from datetime import UTC, datetime
from functools import lru_cache

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as the number does


class Clock:
    """The system's clock and random names."""

    def now(self) -> float:
        """Seconds since 1970 UTC."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def new_id(self) -> str:
        """26 characters that sort by the millisecond they were made in (the ULID layout)."""
        number = int(self.now() * 1000) << 80 | int.from_bytes(os.urandom(10))
        return "".join([ALPHABET[number >> shift & 31] for shift in range(125, -1, -5)])


def iso(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-01-31T09:30:00.123Z`."""
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{whole_second(whole)}.{milliseconds:03}Z"


@lru_cache(maxsize=1024)
def whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
