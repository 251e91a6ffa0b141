"""Where Claude Code keeps its own memory of a project, and what the project is called on every machine."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agents.src.errors import InvalidRequest
from agents.src.memory import digest

LONGEST = 200
"""Characters of a folder's name, from which on Claude Code shortens it in a way of its own."""
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """`skill`: the name under which the shared memory has it."""

    folder: Path
    skill: str


def find_place(directory: Path, config_dir: Path) -> Place:
    """Of the project that the directory belongs to. Raises InvalidRequest where its path is too long."""
    root = _root(directory)
    slug = re.sub(r"[^A-Za-z0-9]", "-", str(root))
    if len(slug) > LONGEST:
        raise InvalidRequest(f"--auto-memory: the path of {root} has more than {LONGEST} characters; move the project.")
    name = _remote(directory) or _below_home(root)
    return Place(config_dir / "projects" / slug / "memory", f"auto-memory-{digest(name)[:12]}")


def _root(directory: Path) -> Path:
    """Of the repository, for all of its work trees; without one, the directory itself."""
    common = _git(directory, "rev-parse", "--path-format=absolute", "--git-common-dir")
    return Path(common).parent.resolve() if common else directory.resolve()


def _remote(directory: Path) -> str | None:
    """`example.org/team/app`, whichever way it is fetched from there, and without user and password."""
    url = _git(directory, "config", "--get", "remote.origin.url")
    if not url:
        return None
    address = re.sub(r"^[a-z+]+://", "", url.strip()).rpartition("@")[2]
    host, _, path = re.sub(r"^([^/:]+):(?:\d+/)?", r"\1/", address).partition("/")
    return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"


def _below_home(root: Path) -> str:
    home = Path.home().resolve()
    return f"~/{root.relative_to(home).as_posix()}" if root.is_relative_to(home) else str(root)


def _git(directory: Path, *words: str) -> str:
    """What git says; empty where there is no git, or it has nothing to say."""
    try:
        done = subprocess.run(["git", "-C", directory, *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
