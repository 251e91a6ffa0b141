"""What a process does not need, it does not import: a container's cold start is mostly imports."""

import subprocess
import sys

import pytest

HEAVY = {
    "anthropic",
    "claude_agent_sdk",
    "imageio_ffmpeg",
    "mcp",
    "modal",
    "numpy",
    "psutil",
    "qdrant_client",
    "sqlalchemy",
    "uvicorn",
}
WEB = {"fastapi", "jsonschema", "starlette"}

ON_A_SERVER = """
from agents.src.services.qdrant import open_memory
from agents.src.settings import read_settings
open_memory(read_settings(qdrant_url="http://127.0.0.1", memory_embedding=None))
"""


def imported_by(statement: str) -> set[str]:
    """The top-level modules in a fresh interpreter after the statement."""
    program = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import agents.src.api.app", HEAVY),
        ("import agents.src.cli.main", HEAVY | WEB | {"detect_secrets", "httpx", "watchfiles"}),
        ("import agents.src.bootstrap", HEAVY | WEB),
        ("from agents.src.services.markdown import read_catalogue", HEAVY | WEB),
        (ON_A_SERVER, HEAVY | WEB),
    ],
)
def test_what_is_not_needed_is_not_imported(statement: str, unwanted: set[str]) -> None:
    assert not imported_by(statement) & unwanted


def test_the_modal_app_imports_only_what_every_image_has() -> None:
    # jsonschema: where it is deployed from, it checks the skills' schemas; a container takes them on trust.
    assert not imported_by("import agents.main") & ((HEAVY | WEB) - {"modal", "jsonschema"})
