"""What a task's record keeps of what was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.tasks import Draft, EventType, Output
from agents.src.tasks.output import LAST_LINES, LONGEST_LINE, MOST_ERRORS, Listener


def said(text: str) -> Draft:
    return Draft(EventType.TEXT, {"text": text})


def complained(text: str) -> Draft:
    return Draft(EventType.STDERR, {"text": text})


def heard(*drafts: Draft) -> Output | None:
    listener = Listener()
    for draft in drafts:
        listener.hear(draft)
    return listener.output


def test_text_and_stderr_are_lines_as_they_come_and_stderr_is_errors_too() -> None:
    output = heard(said("one\ntwo\n"), complained("oh\r\n\nno"), said("three"), Draft(EventType.PROGRESS, {"message": "half"}))
    assert output == Output(lines=("one", "two", "oh", "", "no", "three"), errors=("oh", "no"))


def test_what_a_failed_tool_says_is_an_error_and_what_another_says_is_not() -> None:
    failed = Draft(EventType.TOOL_RESULT, {"id": "1", "is_error": True, "text": "No such file.\n\nLook again."})
    assert heard(failed) == Output(errors=("No such file.", "Look again."))
    assert heard(Draft(EventType.TOOL_RESULT, {"id": "1", "is_error": False, "text": "A plan."})) is None


@pytest.mark.parametrize("draft", [Draft(EventType.STARTED), said(""), said("\n"), Draft(EventType.TOOL_CALL, {"name": "Read"})])
def test_where_nothing_is_said_nothing_is_kept(draft: Draft) -> None:
    assert heard(draft) is None


@pytest.mark.parametrize("at_once", [True, False])
def test_the_last_lines_stay(at_once: bool) -> None:
    lines = [f"line {number}" for number in range(3 * LAST_LINES)]
    output = heard(said("\n".join(lines))) if at_once else heard(*map(said, lines))
    assert output == Output(lines=tuple(lines[-LAST_LINES:]))


@pytest.mark.parametrize("at_once", [True, False])
def test_of_too_many_errors_the_first_stay_and_the_rest_is_counted(at_once: bool) -> None:
    lines = [f"error {number}" for number in range(MOST_ERRORS + 7)]
    output = heard(complained("\n".join(lines))) if at_once else heard(*map(complained, lines))
    assert output
    assert output.errors == tuple(lines[:MOST_ERRORS])
    assert output.told_errors[MOST_ERRORS:] == ("[… 7 more error lines; the task's events have them all]",)


def test_where_all_errors_are_kept_no_line_is_added() -> None:
    output = heard(complained("\n".join(["no"] * MOST_ERRORS)))
    assert output
    assert output.told_errors == ("no",) * MOST_ERRORS


def test_a_long_line_loses_its_end_and_says_so() -> None:
    output = heard(complained("x" * LONGEST_LINE), complained("y" * (LONGEST_LINE + 1)))
    assert output
    assert output.lines == ("x" * LONGEST_LINE, "y" * (LONGEST_LINE - 1) + "…")
    assert output.errors == output.lines


@given(st.lists(st.tuples(st.booleans(), st.text(st.characters(exclude_categories=[]), max_size=30)), max_size=8))
def test_whatever_is_said_can_be_kept(words: list[tuple[bool, str]]) -> None:
    output = heard(*((said if plain else complained)(text) for plain, text in words)) or Output()
    assert Output.model_validate_json(output.model_dump_json()) == output
    output.model_dump_json().encode()


many = st.lists(st.text("ab", max_size=3), max_size=LAST_LINES + 20).map(tuple)
outputs = st.builds(
    lambda lines, errors, times, more: Output(lines=lines[-LAST_LINES:], errors=(errors * times)[:MOST_ERRORS], left_out=more),
    *(many, many, st.integers(0, 20), st.integers(0, 3)),
)


@given(outputs, outputs, outputs)
def test_what_comes_after_is_added_in_any_grouping_and_no_error_is_lost_count_of(a: Output, b: Output, c: Output) -> None:
    both = a.then(b)
    assert both.then(c) == a.then(b.then(c))
    assert both.lines == (a.lines + b.lines)[-LAST_LINES:]
    assert both.errors == (a.errors + b.errors)[:MOST_ERRORS]
    counted = [len(output.errors) + output.left_out for output in (a, b, both)]
    assert counted[0] + counted[1] == counted[2]
