"""How much work a memory.md is that a person left half done: as much as it has lines."""

import sys
from types import FrameType

import pytest

from agents.src.memory.document import Document


def calls_of(text: str) -> int:
    """How many functions are called to read it: no busy machine changes that."""
    count = 0

    def note(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        Document.parse(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("lines", ["```py\n", "~~~ x\n- use uv\n", "  ~~~ x\n", "~~~~ x\n~~~ x\n", "<!-- x\n", "   <!-- x\n"])
def test_ten_times_as_much_that_nothing_closes_is_ten_times_the_work(lines: str) -> None:
    assert calls_of(lines * 1000) < 12 * calls_of(lines * 100)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("```py\n```py\n- a\n```\n- b\n", ["b"]),
        ("~~~~~\n~~~ x\n- a\n~~~\n- b\n", ["b"]),
        ("~~~~~\n~~~~~~\n~~~ x\n- a\n~~~\n- b\n", ["b"]),
        ("  ```py\nwords\n  ```py\n  - a\n  ```\n- b\n", ["b"]),
        ("```py\n ```py\n- a\n ```\n- b\n", ["b"]),
        ("<!-- x\n<!-- x\n- a\n-->\n- b\n", ["b"]),
    ],
)
def test_what_is_closed_further_down_is_found_all_the_same(text: str, items: list[str]) -> None:
    assert [item.text for item in Document.parse(text).items] == items
