"""What may be asked of a skill."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from agents.src.skills import SkillRequest
from agents.src.skills.request import LARGEST_METADATA, MOST_FILES

FILE = "01jd8v3m9q0r5t7w2x4y6z8abc"


def parsed(**fields: Any) -> SkillRequest:
    return SkillRequest.model_validate_json(json.dumps({"skill": "noop", "task": "Please.", **fields}))


def test_what_is_not_said_has_its_default() -> None:
    request = parsed()
    assert (request.args, request.files, request.timeout, request.priority, request.metadata) == ({}, (), None, 0, {})


@pytest.mark.parametrize(
    "fields",
    [
        {"task": ""},
        {"task": "Zeile 1\nZeile 2 🙂"},
        {"args": {"deep": [{"x": None}], "big": 2**70}},
        {"files": [FILE] * MOST_FILES},
        {"timeout": 0.5},
        {"timeout": 86400},
        {"priority": -1000},
        {"priority": 1000},
        {"metadata": {"x": "y" * (LARGEST_METADATA - 10)}},
        {"questions": None},
        {"questions": {"ask": None}},
        {"questions": {"ask": ["human", "caller"], "deadline": 60}},
        {"questions": {"ask": ["responder"], "deadline": 604800.0}},
        {"questions": {"deadline": None}},
    ],
)
def test_taken(fields: dict[str, Any]) -> None:
    request = parsed(**fields)
    assert SkillRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    "fields",
    [
        {"skill": ""},
        {"skill": "x" * 201},
        {"skill": "no\0op"},
        {"task": None},
        {"task": "a\0b"},
        {"args": []},
        {"args": {"x": float("nan")}},
        {"args": {"x": [{"y": float("inf")}]}},
        {"files": [FILE] * (MOST_FILES + 1)},
        {"files": FILE},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": 86401},
        {"priority": 1001},
        {"priority": 1.5},
        {"metadata": {"x": "y" * LARGEST_METADATA}},
        {"metadata": {"x": float("nan")}},
        {"colour": "red"},
        {"questions": {"ask": []}},
        {"questions": {"ask": ["caller", "caller"]}},
        {"questions": {"ask": ["default"]}},
        {"questions": {"ask": "caller"}},
        {"questions": {"deadline": 59}},
        {"questions": {"deadline": 604801}},
        {"questions": {"deadline": "10m"}},
        {"questions": {"hold": 5}},
        {"questions": []},
    ],
)
def test_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(**fields)


def test_the_same_request_has_the_same_form_whatever_the_order_of_its_keys() -> None:
    one = SkillRequest.model_validate_json('{"skill": "noop", "task": "x", "priority": 1}')
    two = SkillRequest.model_validate_json('{"priority": 1, "task": "x", "skill": "noop"}')
    assert one.model_dump_json() == two.model_dump_json()
