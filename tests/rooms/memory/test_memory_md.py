"""docs/memory-md.md says what is so: every example in it is read by the program."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from agents.src.memory.document import Addition, Document, normalised
from agents.src.memory.identity import entry_id
from agents.src.memory.wording import LONGEST, LONGEST_SECTION, mark, normalised_section

PAGE = (Path(__file__).parents[3] / "docs" / "memory-md.md").read_text(encoding="utf-8")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
"""Code within a line of Markdown."""


def spans(cell: str) -> list[str]:
    """The pieces of code in a cell, with their line ends and tabs."""
    found = [code[2] for code in SPAN.finditer(cell)]
    found = [code[1:-1] if code[0] == code[-1] == " " and code.strip() else code for code in found]
    return [code.replace("↵", "\n").replace("→", "\t") for code in found]


def table(heading: str) -> list[list[str]]:
    """The rows below a table's line of headings."""
    below = PAGE[PAGE.index(heading) :].split("\n")[2:]
    rows = below[: next(number for number, line in enumerate(below) if not line.startswith("|"))]
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows]


ENTRIES = table("| rule | example | text |")
REST = table("| rule | example | read as |")


def example_of(row: list[str]) -> Document:
    (text,) = spans(row[1])
    return Document.parse(text)


def test_the_file_at_the_top_is_read_as_the_table_below_it_says() -> None:
    example = PAGE.partition("```markdown\n")[2].partition("```\n")[0]
    document = Document.parse(example)
    rows = [
        [line, "".join(spans(section)), "".join(spans(entry)), "".join(spans(text)).rstrip()]
        for line, section, entry, text in table("| line | section | id | text |")
    ]
    assert [[str(item.line), item.section, item.id or "", item.text] for item in document.items] == rows
    assert mark(str(document.generation)) == example.rstrip().split("\n")[-1]


@pytest.mark.parametrize("row", ENTRIES, ids=lambda row: row[0])
def test_what_an_entry_is(row: list[str]) -> None:
    assert [item.text for item in example_of(row).items] == spans(row[2])
    assert spans(row[2]) or row[2] == "×"


@pytest.mark.parametrize("row", REST, ids=lambda row: row[0])
def test_markers_sections_and_the_mark(row: list[str]) -> None:
    document = example_of(row)
    values = {
        "id": [item.id for item in document.items],
        "section": [item.section or None for item in document.items],
        "mark": [document.generation],
    }
    kind = row[2].removeprefix("no ").partition(" ")[0]
    assert values[kind] == [None if row[2].startswith("no ") else spans(row[2])[0]]


def test_every_rule_has_its_row() -> None:
    assert (len(ENTRIES), len(REST)) == (16, 12)


def test_the_limits() -> None:
    assert "1 to 4,000 characters" in PAGE
    assert len(normalised("x" * LONGEST)) == LONGEST == 4_000
    with pytest.raises(ValueError, match="4,001 characters"):
        normalised("x" * 4_001)
    assert "one line of at most 200 characters" in PAGE
    assert len(normalised_section("x" * 999)) == LONGEST_SECTION == 200
    assert "1 to 40 digits and small letters" in PAGE
    assert Document.parse(mark("z" * 40)).generation == "z" * 40
    with pytest.raises(ValueError, match="no generation"):
        mark("z" * 41)


def test_an_id_is_what_the_page_says() -> None:
    parts = ["videos", "Ümlaut\n50 fps"]
    whole = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    assert entry_id(*parts) == sha256(whole).hexdigest()[:12]


def test_a_new_file_is_written_as_the_page_says() -> None:
    empty = Document.parse("")
    added = [Addition("0" * 12, "use uv"), Addition("1" * 12, "50 fps", "Video")]
    assert empty.edited(ids={}, texts={}, gone=(), added=added, generation="0a") == (
        "# Memory\n\n- use uv <!-- m:000000000000 -->\n\n## Video\n\n- 50 fps <!-- m:111111111111 -->\n\n<!-- sync:0a -->\n"
    )
