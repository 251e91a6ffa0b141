"""The documentation is complete, or a test fails."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from pydantic_settings import BaseSettings

from agents.src.api.app import create_app
from agents.src.api.errors import every_problem, status_of
from agents.src.bootstrap import bootstrap
from agents.src.cli.main import app
from agents.src.errors import Problem, TaskFailed
from agents.src.settings import Settings, Surroundings, read_settings
from agents.src.skills import Catalogue
from agents.src.tasks import EventType

DOCS = Path(__file__).parents[1] / "docs"


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page, without the code marks."""
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_routes_are_documented_with_their_answers(tmp_path: Path) -> None:
    parts = bootstrap(read_settings(token="x" * 32, state_dir=tmp_path), catalogue=Catalogue.of([]), engines={})
    try:
        paths = create_app(parts).openapi()["paths"]
    finally:
        asyncio.run(parts.db.close())
    there = {
        (f"{method.upper()} {path}", ", ".join(status for status in sorted(operation["responses"]) if status < "400"))
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    documented = {(row[0], row[2]) for row in rows("http.md") if re.match(r"(GET|POST|PUT|PATCH|DELETE) /", row[0])}
    assert documented == there


@pytest.mark.parametrize("kind", list(EventType))
def test_events_are_documented(kind: EventType) -> None:
    assert [row[0] for row in rows("events.md")].count(kind.value) == 1


def test_events_that_are_documented_exist() -> None:
    assert {row[0] for row in rows("events.md") if re.fullmatch("[a-z_]+", row[0])} - {"type"} == {*EventType}


@pytest.mark.parametrize("slug", sorted(every_problem()))
def test_problems_are_documented(slug: str) -> None:
    problem = every_problem()[slug]
    if issubclass(problem, TaskFailed):
        assert [slug, problem.title(), "yes" if problem.retryable else "no"] in rows("http.md")
        return
    listed = [row[1] for row in rows("http.md") if row[0] == slug]
    in_words = re.findall(rf"`{slug}`\s\((\d+)\)", (DOCS / "http.md").read_text())
    assert listed + in_words == [str(status_of(problem))]


def test_problems_that_are_documented_exist() -> None:
    assert {row[0] for row in rows("http.md") if row[1].isdigit()} <= set(every_problem())
    assert all(issubclass(problem, Problem) for problem in every_problem().values())


def variables(settings: type[BaseSettings]) -> Iterator[str]:
    """The environment variables that are read."""
    for field in settings.model_fields.values():
        assert isinstance(field.validation_alias, str)
        yield field.validation_alias


def test_settings_are_documented_and_those_that_are_documented_exist() -> None:
    documented = [row[0] for row in rows("configuration.md") if re.fullmatch("[A-Z_]+", row[0])]
    assert sorted(documented) == sorted([*variables(Settings), *variables(Surroundings)])


def commands(group: object, path: str = "agents") -> Iterator[str]:
    """`agents serve`, `agents tasks list`, …"""
    for name, command in getattr(group, "commands").items():  # noqa: B009  # a type that typer keeps to itself
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_commands_are_documented_and_those_that_are_documented_exist() -> None:
    documented = [row[0] for row in rows("cli.md") if row[0].startswith("agents ")]
    assert sorted(documented) == sorted(commands(typer.main.get_command(app)))
