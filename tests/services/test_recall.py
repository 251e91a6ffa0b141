"""The benchmark of what is found, on a conversation small enough to know the answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.locomo import Conversation, read_locomo, recall
from benchmarks.recall import gain, measure

SAMPLE: dict[str, Any] = {
    "sample_id": "conv-1",
    "conversation": {
        "session_2_date_time": "9:10 am on 2 June, 2023",
        "session_2": [{"speaker": "Bo", "dia_id": "D2:1", "text": "We went to the lake."}],
        "session_10_date_time": "1:56 pm on 8 July, 2023",
        "session_10": [
            {"speaker": "Al", "dia_id": "D10:1", "text": "Look at this!", "blip_caption": "a photo of a red canoe"},
            {"speaker": "Bo", "dia_id": "D10:2", "text": "Nice."},
        ],
    },
    "observation": {
        "session_2_observation": {"Bo": [["Bo went to the lake.", "D2:1"]]},
        "session_10_observation": {"Al": [["Al owns a canoe.", ["D10:1", "D10:2"]]], "Bo": []},
    },
    "qa": [
        {"question": "Where did Bo go?", "evidence": ["D:2:01"], "category": 2},
        {"question": "What colour is the canoe?", "evidence": ["D10:1; D10:2"], "category": 1},
        {"question": "Who has no canoe?", "evidence": ["D10:1"], "category": 5},
        {"question": "What is not known?", "evidence": ["D44:1"], "category": 3},
        {"question": "What has no evidence?", "evidence": [], "category": 3},
    ],
}


@pytest.fixture
def conversation(tmp_path: Path) -> Conversation:
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps([SAMPLE]))
    return read_locomo(path)[0]


def test_sessions_are_read_in_order_with_their_dates_and_photos(conversation: Conversation) -> None:
    assert [(entry.section, entry.text) for entry in conversation.turns] == [
        ("2 June, 2023", "Bo: We went to the lake."),
        ("8 July, 2023", "Al: Look at this! [shares a photo: a photo of a red canoe]"),
        ("8 July, 2023", "Bo: Nice."),
    ]
    assert [(entry.text, sorted(entry.turns)) for entry in conversation.facts] == [
        ("Bo went to the lake.", ["D2:1"]),
        ("Al owns a canoe.", ["D10:1", "D10:2"]),
    ]


def test_only_questions_that_have_known_evidence_are_asked(conversation: Conversation) -> None:
    assert [(question.text, sorted(question.evidence)) for question in conversation.questions] == [
        ("Where did Bo go?", ["D2:1"]),
        ("What colour is the canoe?", ["D10:1", "D10:2"]),
    ]


def test_recall_is_the_share_of_the_evidence_that_was_found(conversation: Conversation) -> None:
    both = conversation.questions[1].evidence
    found = [recall(list(conversation.turns[:count]), both) for count in range(4)]
    assert found == [0.0, 0.0, 0.5, 1.0]


def test_every_method_is_measured_question_by_question(conversation: Conversation) -> None:
    measured = measure({7: conversation}, "facts", None)
    assert set(measured) == {"anchor, words", "without sections, words", "product, words"}
    for figures in measured.values():
        assert (figures.at_10, figures.at_5, figures.of) == ([1.0, 1.0], [1.0, 1.0], [7, 7])
    assert measured["product, words"].within(range(5)).of == []


def test_a_gain_is_told_with_how_sure_it_is() -> None:
    assert gain([1.0, 1.0], [0.5, 0.5]) == "+0.500 [+0.500, +0.500]"
    mean, low, high = gain([1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]).replace("[", "").replace("]", "").replace(",", "").split()
    assert float(low) < float(mean) == 0.25 < float(high)
