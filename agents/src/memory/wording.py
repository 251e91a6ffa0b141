"""What may stand in an entry, in its marker and in a heading. `docs/memory-md.md` is the specification."""

import re
from collections.abc import Iterable

LONGEST = 4_000
"""Characters of an entry's text."""
LONGEST_SECTION = 200
"""Characters of a heading."""
SPACE = " \t"
"""What counts as space in Markdown; other spaces are characters like any other."""
ID = r"[0-9a-f]{12}(?:~[0-9a-f]{8})*"
GENERATION = r"[0-9a-z]{1,40}"
MARKER = re.compile(rf"<!--[ \t]*m:({ID})((?:[ \t][^<>]*)?)-->")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What cannot be shown or kept: control characters, but for tab and newline, and halves of surrogate pairs."""


def normalised(text: str) -> str:
    """The form in which an entry's text is kept. Raises ValueError, which says what to do, where it cannot be one.

    Lines end with "\\n" and without spaces, the first begins without; no blank lines at the ends; no markers.
    """
    text = tidy(checked(text.replace("\r\n", "\n")).split("\n"))
    if not text:
        raise ValueError("it is empty; say what is to be remembered.")
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text):,} characters, and {LONGEST:,} are the most; make it shorter, or several of it.")
    return text


def checked(text: str) -> str:
    """The text. Raises ValueError, which says what to do, where it holds what cannot be shown or kept."""
    if found := CONTROL.search(text):
        raise ValueError(f"it holds the control character U+{ord(found[0]):04X}; take it out.")
    return text


def tidy(lines: Iterable[str]) -> str:
    """Lines without their ends, as an entry's text; empty where they say nothing."""
    plain = [unmarked(line).rstrip(SPACE) for line in lines]
    return "\n".join(plain).strip("\n").lstrip(SPACE)


def unmarked(line: str) -> str:
    """A line without the markers in it."""
    while MARKER.search(line):  # again: what stood around a marker may be one now
        pieces = [piece.strip(SPACE) for piece in MARKER.split(line)[:: MARKER.groups + 1]]
        indent = line[: len(line) - len(line.lstrip(SPACE))]
        line = indent + " ".join(piece for piece in pieces if piece)
    return line


def marker(entry_id: str, words: str = "") -> str:
    """The comment that names an entry. Words behind the id are for people."""
    if not re.fullmatch(ID, entry_id):
        raise ValueError(f"{entry_id!r} is no entry's id")
    words = one_line(re.sub("[<>]", " ", words))
    return f"<!-- m:{entry_id} {words} -->" if words else f"<!-- m:{entry_id} -->"


def mark(generation: str) -> str:
    """The comment that says what a file was made from."""
    if not re.fullmatch(GENERATION, generation):
        raise ValueError(f"{generation!r} is no generation; it is 1 to 40 digits and lower-case letters")
    return f"<!-- sync:{generation} -->"


def normalised_section(section: str) -> str:
    """A section's name as it can stand in a heading: one line, not too long."""
    return one_line(section)[:LONGEST_SECTION].rstrip()


def title(rest: str) -> str:
    """What a heading says, of what stands behind its first signs. Signs at its end are text where no space is before them."""
    said = rest.strip(SPACE)
    shorter = said.rstrip("#")
    return said if shorter and shorter[-1] not in SPACE else shorter.rstrip(SPACE)


def one_line(text: str) -> str:
    return " ".join(CONTROL.sub(" ", text).split())
