"""The scripted Messages API: what it says over the wire, and what it says of a script that is wrong."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.src.errors import Misconfigured, QuestionExpired
from agents.src.services.rehearsal import Rehearsal, Script, ScriptedAnswers, read_script
from agents.src.tasks import Action, Answer, Choice, Question, Turn

HELLO = {"model": "claude-x", "max_tokens": 10, "messages": [{"role": "user", "content": "hello there"}]}


def script(*replies: dict[str, Any]) -> Script:
    return Script.model_validate({"name": "trial.yaml", "replies": replies})


def rehearse(
    played: Script, *bodies: dict[str, Any], path: str = "/v1/messages?beta=true"
) -> tuple[Rehearsal, list[httpx.Response]]:
    """The rehearsal after these requests, and its answers to them."""

    async def scene() -> tuple[Rehearsal, list[httpx.Response]]:
        async with Rehearsal(played) as rehearsal, httpx.AsyncClient(base_url=rehearsal.url, trust_env=False) as client:
            return rehearsal, [await client.post(path, json=body) for body in bodies]

    return asyncio.run(scene())


def test_a_reply_is_one_message_with_text_and_tool_calls() -> None:
    reply = {"text": "Hi.", "tools": [{"name": "Read", "input": {"file_path": "a"}}], "usage": {"input": 7, "cache_read": 3}}
    _, [answer] = rehearse(script(reply), HELLO)
    message = answer.json()
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    assert message["content"][1]["input"] == {"file_path": "a"}
    assert (message["model"], message["stop_reason"]) == ("claude-x", "tool_use")
    assert (message["usage"]["input_tokens"], message["usage"]["cache_read_input_tokens"]) == (7, 3)


def test_the_same_reply_can_be_streamed() -> None:
    _, [answer] = rehearse(script({"text": "Hi – there."}), {**HELLO, "stream": True})
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[2]["delta"]["text"] == "Hi – there."
    assert events[4]["usage"]["output_tokens"] == 20


def test_an_error_has_its_status_and_how_long_to_wait_and_stands_for_ever_at_the_end() -> None:
    error = {"status": 429, "type": "rate_limit_error", "message": "Slow down.", "retry-after": 3}
    rehearsal, answers = rehearse(script({"error": error}), HELLO, HELLO, HELLO)
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(429, "3")] * 3
    assert answers[0].json()["error"] == {"type": "rate_limit_error", "message": "Slow down."}
    assert rehearsal.failure is None


def test_what_is_expected_is_looked_for_in_what_the_tools_gave_back() -> None:
    result = [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "hidden treasure"}]}]
    turns = [*HELLO["messages"], {"role": "assistant", "content": "…"}, {"role": "user", "content": result}]  # type: ignore[misc]
    played = script({"expect": "hello", "text": "a"}, {"expect": "treasure", "text": "b"})
    rehearsal, answers = rehearse(played, HELLO, {**HELLO, "messages": turns})
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (rehearsal.failure, rehearsal.unheard, len(rehearsal.requests)) == (None, None, 2)


def test_an_unmet_expectation_fails_the_rehearsal_for_good() -> None:
    rehearsal, answers = rehearse(script({"expect": "goodbye", "text": "a"}, {"text": "b"}), HELLO, HELLO)
    assert rehearsal.failure == "trial.yaml: reply 1 expected 'goodbye', but was asked: 'hello there'"
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[1].json()["error"]["message"] == rehearsal.failure


def test_a_script_that_is_too_short_or_too_long_is_told_of() -> None:
    rehearsal, answers = rehearse(script({"text": "a"}), HELLO, HELLO)
    assert [answer.status_code for answer in answers] == [200, 400]
    assert rehearsal.failure == "trial.yaml: the script ended after reply 1, but the skill went on."
    rehearsal, _ = rehearse(script({"text": "a"}, {"text": "b"}), HELLO)
    assert rehearsal.unheard == "trial.yaml: the skill ended after reply 1 of 2; the rest was never asked for."


def test_who_goes_on_with_a_conversation_is_answered_from_where_it_was() -> None:
    """The calls in its history tell: a rehearsal that another process began is not known here."""
    call = {"type": "tool_use", "id": "toolu_rehearsal_0002_0", "name": "Read", "input": {}}
    result = [{"type": "tool_result", "tool_use_id": call["id"], "content": "hidden treasure"}]
    history = [*HELLO["messages"], {"role": "assistant", "content": [call]}, {"role": "user", "content": result}]  # type: ignore[misc]
    played = script({"text": "a"}, {"text": "b"}, {"expect": "treasure", "text": "c"})
    rehearsal, [answer] = rehearse(played, {**HELLO, "messages": history})
    assert answer.json()["content"] == [{"type": "text", "text": "c"}]
    assert (rehearsal.failure, rehearsal.unheard) == (None, None)


COLOUR = Question(text="Which?", choices=(Choice(label="red"), Choice(label="blue")), several=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("red", Answer(action=Action.ACCEPT, choices=("red",))),
        (["red", "blue"], Answer(action=Action.ACCEPT, choices=("red", "blue"))),
        (["red", "but dark"], Answer(action=Action.ACCEPT, choices=("red",), text="but dark")),
        ("green", Answer(action=Action.ACCEPT, text="green")),
        (None, Answer(action=Action.DECLINE)),
    ],
)
def test_a_script_answers_what_it_is_asked(given: Any, expected: Answer) -> None:
    played = Script.model_validate({"replies": [{"text": "a"}], "answers": {"Which?": given}})
    assert asyncio.run(ScriptedAnswers(played)(COLOUR, "key", likened=True)) == expected


def test_a_script_without_an_answer_leaves_it_to_the_default_and_else_fails() -> None:
    played = script({"text": "a"})
    default = asyncio.run(ScriptedAnswers(played)(Question(text="Which?", default=("any",))))
    assert (default.text, default.by) == ("any", Turn.DEFAULT)
    with pytest.raises(QuestionExpired, match="there is nobody here who could answer"):
        asyncio.run(ScriptedAnswers(played)(COLOUR))


def test_tokens_can_be_counted_without_using_up_a_reply() -> None:
    rehearsal, [answer] = rehearse(script({"text": "a"}), HELLO, path="/v1/messages/count_tokens")
    assert answer.json()["input_tokens"] > 0
    assert rehearsal.requests == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("replies:\n  - text: a\n  - {text: b, tolls: []}\n", "bad.yaml: reply 2: tolls: Extra inputs are not permitted"),
        ("replies:\n  - text: a\n    error: {status: 529}\n", "bad.yaml: reply 1: a reply has `text`, `tools` or both"),
        ("replies:\n  - delay: 1\n", "bad.yaml: reply 1: a reply has `text`, `tools` or both"),
        ("replies:\n  - {text: a, delay: soon}\n", "bad.yaml: reply 1: delay: Input should be a valid number"),
        ("replies:\n  - error: {status: 200}\n", "bad.yaml: reply 1: error.status: Input should be greater than or equal to 400"),
        ("replies:\n  - {tools: [{input: {}}]}\n", "bad.yaml: reply 1: tools.0.name: Field required"),
        ("replies: []\n", "bad.yaml: replies: "),
        ("replies: [{text: a}]\nanswers:\n  Sure?: yes\n", "bad.yaml: answers.Sure?."),
        ("replies: [\n", "bad.yaml: not YAML: "),
        ("- text: a\n", "bad.yaml: a script is a mapping with the key `replies`"),
    ],
)
def test_a_script_that_is_wrong_is_refused_with_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        read_script(path)
    assert caught.value.detail.startswith(complaint)
    assert str(tmp_path) not in caught.value.detail


def test_the_script_in_the_documentation_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text()
    path = tmp_path / "documented.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    documented = read_script(path)
    assert (len(documented.replies), len(documented.answers)) == (4, 2)


def test_a_script_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.yaml: No such file"):
        read_script(tmp_path / "absent.yaml")
