"""What is said of a text in a few words."""

import re

PARAGRAPHS_END = re.compile(r"\n[^\S\n]*\n")


def summary_of(text: str, longest: int) -> str:
    """The first paragraph, at most `longest` characters; empty for an empty text."""
    first = PARAGRAPHS_END.split(text.replace("\r\n", "\n").strip(), maxsplit=1)[0].rstrip()
    return first if len(first) <= longest else f"{first[: longest - 1].rstrip()}…"
