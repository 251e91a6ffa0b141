"""What Claude Code's calls ask, what their answers become, and what a transcript is made into: without Claude Code."""

from typing import Any

import pytest

from agents.src.errors import InvalidRequest
from agents.src.services.claude_asking import PUT_OFF
from agents.src.services.claude_questions import ASK_CALLER, ASK_USER, Told, answered, questions_of, refused, told
from agents.src.services.claude_transcript import ANSWERED, COST, INTERRUPTED, UNHEARD, gone_on_with, marks, past_of
from agents.src.services.transcript_store import Entry
from agents.src.tasks import Action, Answer, Choice, Question

OPTIONS = [{"label": "red", "description": "As fire."}, {"label": "blue", "description": ""}]
COLOUR = {"question": "Which?", "header": "Colour", "multiSelect": False, "options": OPTIONS}
COLOURS = {"question": "Which ones?", "header": "", "multiSelect": True, "options": OPTIONS}
CHOICES = (Choice(label="red", description="As fire."), Choice(label="blue"))
NO = Answer(action=Action.DECLINE, text="Ask him.")


def accepted(*choices: str, text: str = "") -> Answer:
    return Answer(action=Action.ACCEPT, choices=choices, text=text)


def test_a_call_of_claude_codes_own_tool_may_hold_several_questions() -> None:
    assert questions_of(ASK_USER, {"questions": [COLOUR, COLOURS]}) == (
        Question(text="Which?", header="Colour", choices=CHOICES),
        Question(text="Which ones?", choices=CHOICES, several=True),
    )


def test_what_ask_caller_leaves_out_is_for_the_skills_rules_to_say() -> None:
    [bare] = questions_of(ASK_CALLER, {"text": "Why?"})
    assert bare.model_fields_set == {"text"}
    given = {"text": "Which?", "header": "Colour", "choices": OPTIONS, "several": True, "default": ["blue"]}
    [full] = questions_of(ASK_CALLER, given)
    assert full == Question(text="Which?", header="Colour", choices=CHOICES, several=True, default=("blue",))
    assert full.model_fields_set == set(given)


@pytest.mark.parametrize(
    ("tool", "given", "fault"),
    [
        (ASK_CALLER, {}, "text: Field required. Correct the call and ask again."),
        (ASK_CALLER, {"text": ""}, "text: String should have at least 1 character"),
        (ASK_CALLER, {"text": "x" * 16_001}, "text: String should have at most 16000 characters"),
        (ASK_CALLER, {"text": "x", "choices": [{"label": "y"}] * 51}, "choices: Tuple should have at most 50 items"),
        (ASK_CALLER, {"text": "x", "choices": ["y"]}, "choices.0: Input should be a valid dictionary"),
        (ASK_CALLER, {"text": "x", "default": "y"}, "default: Input should be a valid tuple"),
        (ASK_USER, {"questions": []}, "questions: Tuple should have at least 1 item"),
    ],
)
def test_a_call_that_is_wrong_is_told_how(tool: str, given: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        questions_of(tool, given)
    assert caught.value.detail.startswith(fault)


@pytest.mark.parametrize(
    ("answer", "value", "notes"),
    [
        (accepted("red"), "red", None),
        (accepted("red", "blue"), ["red", "blue"], None),
        (accepted(text="green"), "green", None),
        (accepted("red", text="but dark"), "red", "but dark"),
    ],
)
def test_an_answer_goes_into_the_input(answer: Answer, value: object, notes: str | None) -> None:
    given = answered(ASK_USER, {"questions": [COLOUR]}, [answer])
    assert (given["questions"], given["answers"]) == ([COLOUR], {"Which?": value})
    assert given.get("annotations") == (notes and {"Which?": {"notes": notes}})
    own = answered(ASK_CALLER, {"text": "Which?", "answer": "made up"}, [answer])
    assert own == {"text": "Which?", "answer": answer.words}


def test_a_call_is_refused_only_if_nothing_of_it_was_answered() -> None:
    questions = questions_of(ASK_USER, {"questions": [COLOUR, COLOURS]})
    assert refused(questions, [NO, accepted("red")]) is None
    half = answered(ASK_USER, {"questions": [COLOUR, COLOURS]}, [NO, accepted("red")])["answers"]
    assert half["Which?"].startswith("The person declined to answer: Which? They said: Ask him. Go on without")
    all_of_it = refused(questions, [NO, Answer(action=Action.CANCEL)])
    assert all_of_it and all_of_it.count("The person declined to answer") == 2


def test_what_is_answered_without_its_tool_says_so() -> None:
    questions = questions_of(ASK_USER, {"questions": [COLOUR, COLOURS]})
    assert told(questions, [accepted("red"), NO]) == Told(
        "It was asked: Which?\nAnswer: red\nThe person declined to answer: Which ones? They said: Ask him. "
        "Go on without, or end with what you have.",
        is_error=False,
    )
    assert told(questions, [NO, NO]).is_error


# Transcripts

USER_CALL = {"questions": [COLOUR]}


class Written:
    """A transcript as Claude Code writes it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, kind: str, parent: str | None = None, **more: Any) -> str:
        uuid = f"00000000-0000-0000-0000-{len(self.entries):012}"
        last = self.entries[-1]["uuid"] if self.entries else None
        self.entries.append({"type": kind, "uuid": uuid, "parentUuid": parent or last, "cwd": "/old", **more})
        return uuid

    def call(self, call_id: str, tool: str, given: dict[str, Any]) -> str:
        return self.add("assistant", message={"content": [{"type": "tool_use", "id": call_id, "name": tool, "input": given}]})

    def result(self, call_id: str, text: str, parent: str | None = None) -> str:
        block = {"type": "tool_result", "tool_use_id": call_id, "content": text, "is_error": True}
        return self.add("user", parent, message={"role": "user", "content": [block]}, toolUseResult=text)

    def mark(self, call_id: str, parent: str | None = None) -> str:
        return self.add("attachment", parent, attachment={"type": "hook_deferred_tool", "toolUseID": call_id})


def chain(entries: list[Entry]) -> list[str]:
    """From the last entry back to the first."""
    by_id, at, found = {entry["uuid"]: entry for entry in entries}, entries[-1]["uuid"], []
    while at:
        found.append(at)
        at = by_id[at]["parentUuid"]
    return found


def results_in(entries: list[Entry]) -> dict[str, tuple[str, bool]]:
    blocks = [block for entry in entries if entry["type"] == "user" for block in entry["message"]["content"]]
    return {block["tool_use_id"]: (block["content"], block.get("is_error", False)) for block in blocks}


def test_a_call_that_was_put_off_alone_is_gone_on_with_as_it_stands() -> None:
    run = Written()
    run.call("a", ASK_USER, USER_CALL)
    run.mark("a")
    run.add("attachment", attachment={"type": "prompt_snapshot"})
    extra: list[Entry] = [
        {"type": COST, "totalCostUSD": 3},
        {"type": UNHEARD, "texts": ["a"]},
        {"type": UNHEARD, "texts": ["b", "c"]},
    ]
    past = past_of([*run.entries, *extra])
    assert past and past.held and (past.held.id, past.put_off, past.unheard) == ("a", (), ("b", "c"))
    assert gone_on_with(past, {}) == (run.entries, [])


def test_the_mark_comes_after_what_other_calls_gave_and_what_was_put_off_has_its_answer() -> None:
    run = Written()
    first = run.call("a", ASK_USER, USER_CALL)
    second = run.call("b", ASK_CALLER, {"text": "Why?"})
    third = run.call("c", "Read", {})
    mark = run.mark("a", third)
    run.add("attachment", mark, attachment={"type": "something"})
    run.result("b", f"PreToolUse hook error: {PUT_OFF}", second)
    run.result("c", "read", third)
    past = past_of(run.entries)
    assert past and past.held and (past.held.id, [call.id for call in past.put_off]) == ("a", ["b"])
    entries, added = gone_on_with(past, {"b": Told("Because.", is_error=False)})
    assert results_in(entries) == {"b": ("Because.", False), "c": ("read", True)}
    assert [marks(entry) for entry in entries if marks(entry)] == ["a"] == [marks(entries[-1])]
    assert chain(entries)[1:] == [run.entries[-1]["uuid"], third, second, first]
    assert mark not in {entry["parentUuid"] for entry in entries}
    # The next one that goes on asks nothing of this again.
    later = past_of([*run.entries, *added])
    assert later and later.put_off == () and results_in(gone_on_with(later, {})[0])["b"] == ("Because.", False)


def test_after_a_kill_one_call_is_held_again_and_the_others_are_given_results() -> None:
    run = Written()
    for call_id, tool, given in (("a", ASK_USER, USER_CALL), ("b", ASK_CALLER, {"text": "Why?"}), ("c", "Bash", {})):
        run.call(call_id, tool, given)
    past = past_of(run.entries)
    assert (
        past
        and past.held
        and (past.held.id, [call.id for call in past.put_off], [call.id for call in past.lost]) == ("a", ["b"], ["c"])
    )
    entries, added = gone_on_with(past, {"b": Told("Because.", is_error=False)})
    assert results_in(entries) == {"b": ("Because.", False), "c": (INTERRUPTED.text, True)}
    assert (marks(entries[-1]), len(chain(entries))) == ("a", len(entries))
    assert [entry["type"] for entry in added] == ["user", "user", "attachment", ANSWERED]
    again = past_of([*run.entries, *added])
    assert again and again.held and (again.held.id, again.put_off, again.lost) == ("a", (), ())


@pytest.mark.parametrize(
    ("tool", "text"),
    [("Read", PUT_OFF), (ASK_CALLER, f"The person declined to answer: Why? They said: {PUT_OFF} Go on without.")],
)
def test_what_only_speaks_of_being_put_off_was_not(tool: str, text: str) -> None:
    run = Written()
    run.call("a", tool, {"text": "Why?"})
    run.result("a", text)
    run.call("b", ASK_USER, USER_CALL)
    past = past_of(run.entries)
    assert past and past.put_off == ()


def test_where_no_question_waits_what_was_begun_has_a_result_and_nothing_is_marked() -> None:
    run = Written()
    assert past_of(run.entries) is None
    run.call("a", "Read", {})
    run.result("a", "read")
    past = past_of(run.entries)
    assert past and past.held is None and gone_on_with(past, {}) == (run.entries, [])
    run.call("c", ASK_CALLER, {"text": "Why?"})
    run.mark("c")
    run.result("c", "Because.")
    run.call("b", "Bash", {})
    past = past_of(run.entries)
    assert past and past.held is None
    entries, added = gone_on_with(past, {})
    assert results_in(entries)["b"] == (INTERRUPTED.text, True)
    assert (len(added), len(chain(entries)), [marks(entry) for entry in entries if marks(entry)]) == (1, len(entries), [])
    assert "c" in results_in(entries)
