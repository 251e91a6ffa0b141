"""Settling a conflict in a memory.md's text."""

import pytest

from agents.src.errors import InvalidRequest, UnknownEntry
from agents.src.memory import Document, Keep, entry_id, resolved

MAIN, SIBLING = "a167aa41ae7e", "a167aa41ae7e~9c1b22f0"
TEXT = f"""# Memory

Prose that stays.

- use argon2 <!-- m:{MAIN} -->
- use scrypt <!-- m:{SIBLING} conflict: differs from the entry above; keep one of the two -->
  and say why
- something else <!-- m:0123456789ab -->

<!-- sync:7 -->
"""
MINE = "use scrypt\nand say why"


def entries(text: str) -> dict[str | None, str]:
    return {item.id: item.text for item in Document.parse(text).items}


@pytest.mark.parametrize("which", [MAIN, SIBLING])
@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Keep.MINE, {MAIN: MINE}),
        (Keep.THEIRS, {MAIN: "use argon2"}),
        (Keep.BOTH, {MAIN: "use argon2", entry_id("planning", MINE): MINE}),
    ],
)
def test_what_is_kept_stands_there_and_nothing_else_changes(which: str, keep: Keep, left: dict[str, str]) -> None:
    after = resolved(TEXT, "planning", which, keep)
    assert entries(after) == {**left, "0123456789ab": "something else"}
    assert "conflict:" not in after
    assert after.startswith("# Memory\n\nProse that stays.\n\n")
    assert after.endswith("\n\n<!-- sync:7 -->\n")


def test_an_id_that_is_taken_is_not_given_twice() -> None:
    taken = entry_id("planning", MINE)
    after = resolved(TEXT.replace("0123456789ab", taken), "planning", SIBLING, Keep.BOTH)
    assert len(entries(after)) == 3
    assert entries(after)[taken] == "something else"


def test_of_several_siblings_one_has_to_be_named() -> None:
    other = f"{MAIN}~00000000"
    text = TEXT.replace("- something else", f"- use bcrypt <!-- m:{other} -->\n- something else")
    with pytest.raises(InvalidRequest, match=f"{SIBLING}, {other}"):
        resolved(text, "planning", MAIN, Keep.MINE)
    after = resolved(text, "planning", other, Keep.THEIRS)
    assert entries(after) == {MAIN: "use argon2", SIBLING: MINE, "0123456789ab": "something else"}
    assert "conflict:" in after


@pytest.mark.parametrize(
    ("text", "which", "said"),
    [
        (TEXT, "0123456789ab", f"there are: {SIBLING}."),
        (TEXT, "nonsense", f"there are: {SIBLING}."),
        ("- one\n", MAIN, "there is none."),
        (TEXT.replace("- use argon2", "use argon2"), SIBLING, "there is none."),
        ("", MAIN, "there is none."),
    ],
)
def test_what_is_in_no_conflict_is_said_with_what_is(text: str, which: str, said: str) -> None:
    with pytest.raises(UnknownEntry) as told:
        resolved(text, "planning", which, Keep.BOTH)
    assert said in told.value.detail
