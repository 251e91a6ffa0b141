"""What a person gives as a text: on the command line, or on standard input."""

from __future__ import annotations

import sys

from modal_invoke.stop import Exit, Stop

STDIN = "-"


def given(text: str) -> str:
    """The text, or what stands on standard input for `-`: UTF-8, or nothing is sent at all."""
    if text != STDIN:
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Stop(Exit.USAGE, f"Standard input is not UTF-8 (byte {error.start + 1:,}). Convert it: iconv -t UTF-8.") from None
