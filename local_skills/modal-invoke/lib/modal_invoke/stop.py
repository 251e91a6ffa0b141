"""How the program ends other than well."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes, as `modal-invoke --help` and docs/client.md list them."""

    DONE = 0
    FAILED = 1
    """The task failed or was cancelled, or the server refused the request."""
    USAGE = 2
    INPUT_REQUIRED = 3
    NOT_AUTHORISED = 4
    UNREACHABLE = 5
    STILL_RUNNING = 124
    INTERRUPTED = 130


class Stop(Exception):
    """Ends the program with this code, and this sentence on stderr. `status` is the HTTP status that led here, if one did."""

    def __init__(self, code: Exit, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def sentence(*parts: object) -> str:
    """`title: detail.` out of those parts that say something, each with or without a full stop of its own."""
    *first, last = [str(part) for part in parts if part]
    before = [part.rstrip(".") for part in first]
    text = ": ".join([*(part for part in before if not last.startswith(part)), last])  # a detail may repeat its title
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."
