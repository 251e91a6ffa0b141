"""What is told of a task and of a question."""

import json
from typing import Any

import pytest

from agents.src.tasks import (
    Artifact,
    Asked,
    Callback,
    Choice,
    Event,
    EventType,
    Failure,
    Notice,
    NoticeKind,
    Question,
    Result,
    Status,
    Task,
    Turn,
    body_of,
    notice_of,
    summary_of,
)
from agents.src.tasks.telling import LARGEST_BODY
from tests.building import NOON, a_task

ENDED = Notice("t-3", "t", 3, NoticeKind.COMPLETED, None, NOON)
ASKED = Notice("t-4", "t", 4, NoticeKind.ASKED, "q", NOON)


def ended(status: Status, **fields: Any) -> Task:
    return a_task(status=status, finished_at=NOON + 1, **fields)


def test_a_summary_is_of_the_result_or_of_the_error() -> None:
    wrong = Failure(type="engine-failed", title="The engine could not be run.", detail="It would not.\n\nTry again.")
    assert summary_of(ended(Status.COMPLETED, result=Result(text="Done.\n\nAll of it."))) == "Done."
    assert summary_of(ended(Status.FAILED, error=wrong, result=Result(text="Half of it."))) == "It would not."
    assert summary_of(ended(Status.CANCELLED)) == ""


def test_an_engines_own_summary_goes_before_the_first_paragraph() -> None:
    task = ended(Status.COMPLETED, result=Result(text="Done.\n\nAll of it.", summary="Three files\nwere made."))
    assert summary_of(task) == "Three files were made."
    assert told(ENDED, task)["data"]["result"]["summary"] == "Three files were made."
    assert told(ENDED, ended(Status.COMPLETED, result=Result(text="Done.\n\nAll.")))["data"]["result"]["summary"] == "Done."


def told(notice: Notice, task: Task, asked: Asked | None = None) -> dict[str, Any]:
    body = body_of(notice, task, asked)
    assert len(body) <= LARGEST_BODY
    return dict(json.loads(body))


def test_a_body_names_the_event_and_holds_the_task_without_its_callback() -> None:
    task = ended(Status.COMPLETED, result=Result(text="Done."), callback=Callback(url="https://x", secret="whsec_secret"))
    body = told(ENDED, task)
    assert (body["type"], body["timestamp"]) == ("task.completed", "2027-01-15T08:00:00.000Z")
    assert (body["data"]["id"], body["data"]["result"]["text"]) == (task.id, "Done.")
    assert set(body) == {"type", "timestamp", "data"}
    assert "whsec_secret" not in json.dumps(body)
    assert "callback" not in body["data"]


def test_a_question_is_told_with_all_that_an_answer_needs() -> None:
    question = Question(text="Which?", choices=(Choice(label="red"),), free_text=False)
    turns = (Turn.CALLER, Turn.HUMAN)
    asked = Asked("q", "t", "noop", "ada", "k", question, turns, 60.0, 1, NOON, NOON + 60)
    body = told(ASKED, a_task(), asked)
    assert body["type"] == "question.asked"
    assert body["data"] == {
        "id": "q",
        "task_id": "t",
        "skill": "noop",
        "text": "Which?",
        "header": "",
        "several": False,
        "free_text": False,
        "choices": [{"label": "red", "description": ""}],
        "default": [],
        "budget": None,
        "to": "human",
        "asked_at": "2027-01-15T08:00:00.000Z",
        "due_at": "2027-01-15T08:01:00.000Z",
    }


@pytest.mark.parametrize("text", ["x" * 100_000, "ü" * 40_000, "\n" * 60_000, "🙂" * 30_000])
def test_long_texts_are_shortened_and_the_body_says_so(text: str) -> None:
    body = told(ENDED, ended(Status.COMPLETED, result=Result(text=text, data={"deep": [text]}), prompt=text))
    assert body["shortened"] is True
    assert body["data"]["result"]["text"].endswith("…")
    assert body["data"]["status"] == "completed"


def test_what_cannot_be_shortened_is_left_out() -> None:
    files = tuple(Artifact(name=f"{number}.txt", size=1, media_type="text/plain") for number in range(2000))
    task = ended(Status.COMPLETED, result=Result(text="Done.", data=list(range(50_000)), artifacts=files))
    body = told(ENDED, task)
    assert (body["shortened"], body["data"]["id"], body["data"]["status"]) == (True, task.id, "completed")
    assert "result" not in body["data"]


def test_data_that_json_does_not_know_becomes_null() -> None:
    body = told(ENDED, ended(Status.COMPLETED, result=Result(data=[float("nan"), float("inf")])))
    assert body["data"]["result"]["data"] == [None, None]


@pytest.mark.parametrize(
    ("event", "data", "kind"),
    [
        (EventType.COMPLETED, {}, NoticeKind.COMPLETED),
        (EventType.FAILED, {"error": {}}, NoticeKind.FAILED),
        (EventType.CANCELLED, {}, NoticeKind.CANCELLED),
        (EventType.QUESTION_PASSED_ON, {"id": "q", "to": Turn.HUMAN}, NoticeKind.ASKED),
        (EventType.QUESTION_PASSED_ON, {"id": "q", "to": "human"}, NoticeKind.ASKED),
        (EventType.QUESTION_PASSED_ON, {"id": "q", "to": "responder"}, None),
        (EventType.QUESTION_ASKED, {"id": "q", "to": "caller"}, None),
        (EventType.PROGRESS, {}, None),
    ],
)
def test_which_events_a_callback_is_told_of(event: EventType, data: dict[str, Any], kind: NoticeKind | None) -> None:
    notice = notice_of(Event("t", 7, event, NOON, data))
    assert (notice and notice.kind) == kind
    if notice:
        assert (notice.id, notice.due_at, notice.question_id) == ("t-7", NOON, data.get("id"))
