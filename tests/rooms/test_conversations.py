"""What is decided about conversations: how messages are worded, what a run is given of them, how they are written down."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.conversations import (
    LAST,
    LONGEST,
    LONGEST_QUERY,
    LONGEST_SUMMARY,
    Conversation,
    Message,
    Role,
    as_json,
    as_markdown,
    check_name,
    ending_of,
    first_paragraph,
    folded,
    inbox_of,
    shortened,
    window,
    words_of,
)
from agents.src.conversations.window import AROUND
from agents.src.errors import InvalidRequest
from agents.src.skills import check_token_name
from tests.building import NOON

TASK = "0" * 26
AT = "2027-01-15T08:00:00.000Z"
AUTH = Conversation("auth", "ada", NOON, NOON + 3, 2)


def a_message(text: str = "Plan it.", **fields: Any) -> Message:
    given = {"id": 1, "conversation": "auth", "caller": "ada", "role": Role.USER, "author": "ada", "task_id": None, "at": NOON}
    return Message(text=text, **{**given, **fields})


# Wording


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        (" \n\t\n", ""),
        ("One line.", "One line."),
        ("Over\ntwo   lines.\n\nAnd more.", "Over two lines."),
        ("\n\n  Later.", "Later."),
        ("# Plan\n\nThe plan has six steps.\n\n## One", "The plan has six steps."),
        ("# Plan\nThe plan has six steps.", "The plan has six steps."),
        ("Plan\n====\n\nText.", "Plan"),
        ("---\n\nText.", "Text."),
        ("# Only a heading", "# Only a heading"),
        ("#hashtag first", "#hashtag first"),
        ("- a\n- b", "- a - b"),
        ("\x1b[31mred\x1b[0m \x00end", "[31mred[0m end"),
        ("ab\r\ncd\r\n\r\nef", "ab cd"),
    ],
)
def test_the_first_paragraph(text: str, said: str) -> None:
    assert first_paragraph(text) == said


@given(st.text(max_size=2000))
def test_it_is_one_short_line(text: str) -> None:
    said = first_paragraph(text)
    assert len(said) <= LONGEST_SUMMARY
    assert said == "" or said.isprintable()


def test_what_is_too_long_says_so() -> None:
    assert first_paragraph("x" * 500) == "x" * 500
    assert first_paragraph("x" * 501) == "x" * 499 + "…"


@pytest.mark.parametrize("size", [LONGEST, LONGEST + 1, 10 * LONGEST])
def test_a_text_that_is_too_long_says_how_much_it_lost(size: int) -> None:
    kept = shortened("x" * size)
    assert len(kept) <= LONGEST
    assert (kept == "x" * size) == (size == LONGEST)
    if size > LONGEST:
        lost = int(kept.rpartition("Shortened: ")[2].partition(" ")[0].replace(",", ""))
        assert kept.count("x") + lost == size


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_what_is_kept_can_be_kept(text: str) -> None:
    kept = shortened(text)
    assert "\0" not in kept
    assert shortened(kept) == kept
    kept.encode()


@pytest.mark.parametrize(
    ("status", "detail", "summary", "told"),
    [
        ("completed", "", "All done.", "completed (exit 0).\n\nAll done."),
        ("completed", "", "", "completed (exit 0)."),
        ("failed", "It broke", "", "failed (exit 1): It broke."),
        ("failed", "It broke. ", "Half.", "failed (exit 1): It broke.\n\nHalf."),
        ("failed", "Why?", "", "failed (exit 1): Why?"),
        ("cancelled", "", "", "cancelled (exit 130)."),
    ],
)
def test_an_ending_is_told_in_a_line_and_a_summary(status: str, detail: str, summary: str, told: str) -> None:
    assert ending_of("ada", TASK, status, detail, summary) == f"@ada Task {TASK} {told}"


@pytest.mark.parametrize("caller", ["root", "a", "a_b-c", "a" * 64])
def test_every_callers_own_conversation_has_a_name_that_can_be_one(caller: str) -> None:
    assert caller == "root" or check_token_name(caller)
    assert check_name(inbox_of(caller)) == f"claude-code-{caller}"


# What a run is given


def test_a_run_is_given_the_last_messages_oldest_first() -> None:
    said = window([a_message(str(number)) for number in range(LAST + 5)])
    assert [one.text for one in said] == [str(number) for number in range(5, LAST + 5)]
    assert said[0].model_dump(mode="json") == {"role": "user", "author": "ada", "text": "5", "at": AT}
    assert window([]) == ()


def test_the_newest_go_before_the_older_where_there_is_little_room() -> None:
    messages = [a_message("old"), a_message("y" * 9_000), a_message("x" * 12_000), a_message("new")]
    assert [one.text[:3] for one in window(messages)] == ["xxx", "new"]
    assert [one.text[:3] for one in window(messages, room=30_000)] == ["old", "yyy", "xxx", "new"]


def test_a_message_that_would_fill_the_room_to_the_brim_is_left_out() -> None:
    brim = len("x") + len("ada") + AROUND
    assert [len(window([a_message("x")], room=room)) for room in (brim, brim + 1)] == [0, 1]


@given(st.lists(st.integers(1, LONGEST), max_size=30))
def test_what_a_run_is_given_stays_below_its_room_and_is_never_nothing(sizes: list[int]) -> None:
    said = window([a_message("x" * size) for size in sizes])
    assert sum(len(one.text) for one in said) < 20_000
    assert [len(one.text) for one in said] == sizes[len(sizes) - len(said) :]
    assert bool(said) == bool(sizes)


# Searching


def test_the_words_of_a_search() -> None:
    assert words_of(" Auth  PLAN\tauth ") == ("auth", "plan")
    assert words_of("STRASSE straße") == ("strasse",)
    assert words_of(" \0 ") == ()
    with pytest.raises(InvalidRequest, match="200"):
        words_of("x" * (LONGEST_QUERY + 1))


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_every_word_of_a_text_is_found_in_it(text: str) -> None:
    for written in (text, text.upper(), text.lower()):
        assert all(word in folded(written) for word in words_of(written))


def test_neither_case_nor_the_way_an_accent_is_written_makes_a_difference() -> None:
    assert folded("E\u0301") == folded("É") == folded("e\u0301") == "é"


# Writing it down


def test_as_json() -> None:
    messages = [a_message(task_id=TASK), a_message("Fertig: ä\n\n🙂", id=2, role=Role.ASSISTANT, author="planning", at=NOON + 3)]
    written = as_json(AUTH, messages)
    assert json.loads(written) == {
        "name": "auth",
        "caller": "ada",
        "created_at": AT,
        "changed_at": "2027-01-15T08:00:03.000Z",
        "messages": [
            {"id": 1, "role": "user", "author": "ada", "text": "Plan it.", "task_id": TASK, "at": AT},
            {
                "id": 2,
                "role": "assistant",
                "author": "planning",
                "text": "Fertig: ä\n\n🙂",
                "task_id": None,
                "at": "2027-01-15T08:00:03.000Z",
            },
        ],
    }
    assert "ä" in written
    assert written.endswith("}\n")


def test_as_markdown() -> None:
    messages = [a_message(task_id=TASK), a_message("# Done\r\n\n```\nopen", id=2, role=Role.ASSISTANT, author="planning")]
    assert as_markdown(AUTH, messages) == (
        "# auth\n\n"
        f"## ada (user), {AT}, task {TASK}\n\n> Plan it.\n\n"
        f"## planning (assistant), {AT}\n\n> # Done\n>\n> ```\n> open\n"
    )
    assert as_markdown(AUTH, []) == "# auth\n"


@given(st.lists(st.text(max_size=40), max_size=4))
def test_no_message_can_pass_for_another(texts: list[str]) -> None:
    written = as_markdown(AUTH, [a_message(text) for text in texts])
    assert written.replace("\r", "\n").count("\n## ") == len(texts)
