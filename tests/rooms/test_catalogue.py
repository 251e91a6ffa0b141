"""The catalogue, and whether arguments fit a skill."""

from pathlib import Path
from typing import Any

import pytest

from agents.src.errors import InvalidArguments, UnknownSkill
from agents.src.skills import Catalogue, Skill, check_arguments


def skill(name: str, arguments: dict[str, Any] | None = None) -> Skill:
    return Skill(name=name, description="Does it.", instruction="Do it.", folder=Path(name), arguments=arguments)


CATALOGUE = Catalogue.of([skill("trim"), skill("planning"), skill("planting")])


def test_skills_come_in_the_order_of_their_names() -> None:
    assert [skill.name for skill in CATALOGUE] == ["planning", "planting", "trim"]
    assert len(CATALOGUE) == 3
    assert "trim" in CATALOGUE
    assert CATALOGUE.get("trim").name == "trim"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("plannin", "did you mean planning or planting?"),
        ("../../etc/passwd", "there are: planning, planting, trim."),
        ("", "there are: planning, planting, trim."),
        ("z" * 10_000, "there are: planning, planting, trim."),
    ],
)
def test_an_unknown_name_is_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(UnknownSkill) as caught:
        CATALOGUE.get(name)
    assert caught.value.detail == f'There is no skill "{name[:64]}"; {hint}'


def test_a_token_sees_only_its_own_part() -> None:
    part = CATALOGUE.only({"trim", "gone"})
    assert [skill.name for skill in part] == ["trim"]
    with pytest.raises(UnknownSkill, match="there are: trim"):
        part.get("planning")


def test_nothing_can_be_put_into_a_catalogue() -> None:
    with pytest.raises(TypeError):
        CATALOGUE.skills["x"] = skill("x")  # type: ignore[index]


RESIZE = skill(
    "resize",
    {
        "type": "object",
        "properties": {
            "width": {"type": "integer", "minimum": 1},
            "a/b~c": {"type": "string"},
            "at": {"$ref": "#/$defs/moment"},
            "sizes": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"const": "auto"}]}},
        },
        "required": ["width"],
        "additionalProperties": False,
        "$defs": {"moment": {"type": "string", "format": "date"}},
    },
)


def faults_of(args: dict[str, Any], of: Skill = RESIZE) -> list[dict[str, str]]:
    with pytest.raises(InvalidArguments) as caught:
        check_arguments(of, args)
    errors = caught.value.members["errors"]
    assert isinstance(errors, list)
    for error in errors:
        assert f"{error['pointer']}: {error['detail']}" in caught.value.detail
    return errors


def test_arguments_that_fit_pass() -> None:
    check_arguments(RESIZE, {"width": 3, "at": "2026-01-31", "sizes": [1, "auto"]})


def test_each_fault_has_its_pointer() -> None:
    assert faults_of({"width": 0, "a/b~c": 1, "at": "soon", "sizes": [1, None], "colour": "red"}) == [
        {"pointer": "#/args", "detail": "Additional properties are not allowed ('colour' was unexpected)"},
        {"pointer": "#/args/a~1b~0c", "detail": "1 is not of type 'string'"},
        {"pointer": "#/args/at", "detail": "'soon' is not a 'date'"},
        {"pointer": "#/args/sizes/1", "detail": "'auto' was expected or None is not of type 'integer'"},
        {"pointer": "#/args/width", "detail": "0 is less than the minimum of 1"},
    ]


def test_what_is_required_must_be_given() -> None:
    assert faults_of({}) == [{"pointer": "#/args", "detail": "'width' is a required property"}]


def test_a_skill_without_a_schema_takes_no_arguments() -> None:
    check_arguments(skill("plain"), {})
    with pytest.raises(InvalidArguments, match="plain takes no arguments"):
        check_arguments(skill("plain"), {"width": 1})


def test_a_flood_of_faults_is_cut_short() -> None:
    flood = skill("flood", {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1}})
    with pytest.raises(InvalidArguments, match="and 80 more") as caught:
        check_arguments(flood, {f"key{number:03}": "x" * 100_000 for number in range(100)})
    assert len(caught.value.detail) < 10_000


@pytest.mark.parametrize("reference", ["#", "#/allOf/0"])
def test_a_schema_without_end_is_a_refusal(reference: str) -> None:
    with pytest.raises(InvalidArguments, match="go too deep"):
        check_arguments(skill("loop", {"type": "object", "allOf": [{"$ref": reference}]}), {"a": 1})
