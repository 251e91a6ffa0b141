"""The law of the house (docs/architecture.md): arrows point down or to the right, never back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "agents" / "src"
ROOMS = ["webhooks", "modules", "skills", "instances", "tasks", "conversations", "memory", "projects"]
GROUND = ["errors", "settings", "clock", "records"]
OUTSIDE = {
    "modal",
    "fastapi",
    "starlette",
    "qdrant_client",
    "sqlalchemy",
    "claude_agent_sdk",
    "psycopg",
    "sqlite3",
    "httpx",
    "uvicorn",
}
FILES = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "agents").rglob("*.py") if "agents/skills/" not in path.as_posix()
)


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, those inside functions too. Relative imports are refused by the linter's TID252."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(file: str) -> str:
    """The room, floor or ground file that a file of agents/ belongs to."""
    parts = Path(file).parts[1:]
    return Path(parts[1]).stem if parts[0] == "src" and len(parts) > 1 else "entry"


def allowed(here: str) -> set[str]:
    """The floors that a floor may import from, itself included."""
    if here in GROUND:
        return {"errors", here} if here != "errors" else {here}
    if here in ROOMS:
        return {*ROOMS[ROOMS.index(here) :], *GROUND}
    below = {*ROOMS, *GROUND}
    return {
        "services": below | {"services"},
        "bootstrap": below | {"services", "bootstrap"},
        "api": below | {"api", "bootstrap"},
        "cli": below | {"api", "cli", "bootstrap", "services"},
        "entry": below | {"api", "bootstrap", "services", "entry"},
        "__init__": set(),
    }[here]


@pytest.mark.parametrize("file", FILES)
def test_imports_point_down_or_to_the_right(file: str) -> None:
    here = floor(file)
    for name in imports(ROOT / file):
        if name.startswith("agents.src."):
            there = name.split(".")[2]
            assert there in allowed(here), f"{file} ({here}) may not import {name}"


@pytest.mark.parametrize("file", [file for file in FILES if floor(file) in ROOMS + GROUND])
def test_rooms_and_ground_know_no_outside_system(file: str) -> None:
    for name in imports(ROOT / file):
        assert name.split(".")[0] not in OUTSIDE, f"{file} may not import {name}"


@pytest.mark.parametrize("file", [file for file in FILES if floor(file) != "settings"])
def test_only_settings_reads_the_environment(file: str) -> None:
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in {"environ", "getenv"}, f"{file} reads the environment"


@pytest.mark.parametrize("file", FILES)
def test_a_room_is_seen_only_through_its_door(file: str) -> None:
    here = floor(file)
    for name in imports(ROOT / file):
        parts = name.split(".")
        if name.startswith("agents.src.") and parts[2] in ROOMS and parts[2] != here:
            assert len(parts) == 4, f"{file} reaches past agents/src/{parts[2]}/__init__.py: {name}"


def test_no_room_is_empty() -> None:
    for room in ROOMS:
        folder = SRC / room
        assert not folder.exists() or len(list(folder.glob("*.py"))) > 1, f"agents/src/{room} is empty"
