"""What is said of a text in a few words."""

import re

LONGEST_SUMMARY = 500
"""Characters."""
HEADING = re.compile(r"\s*(#{1,6}\s|[-*_=][-*_=\s]*$)")
"""A line that is one, or a rule."""


def first_paragraph(text: str, longest: int = LONGEST_SUMMARY) -> str:
    """In one line, and without control characters; a heading only where there is nothing else."""
    if text.isprintable():  # as most are: one line, with nothing to leave out
        return cut(" ".join(text.split()), longest)
    plain = "\n".join("" if HEADING.match(line) else line for line in text.splitlines())
    said = first_block(plain) or first_block(text)
    return cut("".join(filter(str.isprintable, said)), longest)


def first_block(text: str) -> str:
    return next((" ".join(words) for block in re.split(r"\n\s*\n", text) if (words := block.split())), "")


def cut(text: str, longest: int) -> str:
    """At most so many characters, the last of which says that there were more."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
