"""A deployment to test: MODAL_SERVER_URL (and a token for it), PLANE_URL_WEB, and LIVE_SECRETS (`surroundings.py`)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

ROOT = Path(__file__).parents[3]
NEEDED = ("MODAL_SERVER_URL", "PLANE_URL_WEB", "LIVE_SECRETS")


@pytest.fixture(scope="session")
def surroundings() -> dict[str, str]:
    if missing := [name for name in NEEDED if name not in os.environ]:
        pytest.skip(f"not set: {', '.join(missing)} (docs/deploy.md)")
    return {name: os.environ[name] for name in NEEDED}


@pytest.fixture(scope="session")
def secrets(surroundings: dict[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(Path(surroundings["LIVE_SECRETS"]).read_text())
    return found


def deploy(skills: Path, *what: str) -> subprocess.CompletedProcess[str]:
    """What `modal deploy` says of this project with these skills; a minute at most."""
    command = [sys.executable, "-m", "modal", "deploy", *(what or ("-m", "agents.main"))]
    env = os.environ | {"MODAL_INVOKE_SKILLS_DIR": str(skills)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="session")
def skills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own skills and those beside this file."""
    folder = tmp_path_factory.mktemp("catalogue") / "skills"
    for source in (ROOT / "agents" / "skills", Path(__file__).parent / "skills"):
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(folder / "slow" / "main.py", folder / "once")
    # A stand-in for Modal may install no Debian packages.
    info = folder / "media-processing" / "info.md"
    info.write_text(info.read_text().replace("apt: [ffmpeg]", "pip: [imageio-ffmpeg]"))
    return folder


@pytest.fixture(scope="session")
def web(surroundings: dict[str, str], secrets: dict[str, dict[str, str]], skills: Path) -> Iterator[httpx.Client]:
    """The deployed web app, with the skills deployed, to a caller who has the root token."""
    deployed = deploy(skills)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    headers = {"Authorization": f"Bearer {secrets['modal-invoke']['MODAL_INVOKE_TOKEN']}"}
    with httpx.Client(base_url=surroundings["PLANE_URL_WEB"], headers=headers, timeout=90) as client:
        yield client


@pytest.fixture
def database(secrets: dict[str, dict[str, str]]) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(secrets["modal-invoke-database"]["DATABASE_URL"], autocommit=True) as connection:
        yield connection
