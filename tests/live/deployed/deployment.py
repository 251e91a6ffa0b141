"""The deployed app as a place: MODAL_SERVER_URL (and a token for it), PLANE_URL_WEB, and LIVE_SECRETS (`surroundings.py`)."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.stories.house import ROOT, collect_skills

NEEDED = ("MODAL_SERVER_URL", "PLANE_URL_WEB", "LIVE_SECRETS")
SHIPPED = "This fact came with the skill."
AS_MODULE, AS_FILE = ("-m", "agents.main"), ("agents/main.py",)


@dataclass(frozen=True)
class Deployment:
    """Implements `Place`, for containers whose processes can be seen from here."""

    url: str
    token: str
    database_url: str
    shared_memory: Mapping[str, str]
    skills: Path

    def lose(self, worker: int, processes: Set[int]) -> None:
        """All of a container ends with it. Its call is made again, as Modal does."""
        for pid in {worker, *processes}:
            with suppress(ProcessLookupError):  # of a task that is parked it may have gone already
                os.kill(pid, signal.SIGKILL)

    @property
    def state_dir(self) -> Path:
        return self.skills.parent / "state"

    def agents(self, *words: str) -> str:
        command = [sys.executable, "-c", "from agents.src.cli.main import main; main()", *words]
        mine = {"DATABASE_URL": self.database_url, "MODAL_INVOKE_SKILLS_DIR": str(self.skills)}
        env = os.environ | mine | {"MODAL_INVOKE_STATE_DIR": str(self.state_dir)}
        return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True, timeout=60).stdout


def is_named() -> bool:
    """Whether the environment says where there is a deployment to test."""
    return all(name in os.environ for name in NEEDED)


def deployed(folder: Path) -> Deployment:
    """The app, deployed with the skills of the stories in the way that LIVE_DEPLOY says (such as `agents/main.py`)."""
    secrets = json.loads(Path(os.environ["LIVE_SECRETS"]).read_text())
    skills = collect_skills(folder / "skills")
    # A stand-in for Modal may install no Debian packages.
    info = skills / "media-processing" / "info.md"
    info.write_text(info.read_text().replace("apt: [ffmpeg]", "pip: [imageio-ffmpeg]"))
    (skills / "novice" / "memory.md").write_text(f"- {SHIPPED}\n")
    done = deploy(skills, *os.environ.get("LIVE_DEPLOY", "").split() or AS_MODULE)
    assert done.returncode == 0, done.stdout + done.stderr
    token, database_url = secrets["modal-invoke"]["MODAL_INVOKE_TOKEN"], secrets["modal-invoke-database"]["DATABASE_URL"]
    return Deployment(os.environ["PLANE_URL_WEB"], token, database_url, secrets["modal-invoke-qdrant"], skills)


def deploy(skills: Path, *what: str) -> subprocess.CompletedProcess[str]:
    """What `modal deploy` says of this project with these skills; a minute at most."""
    command = [sys.executable, "-m", "modal", "deploy", *what]
    env = os.environ | {"MODAL_INVOKE_SKILLS_DIR": str(skills), "CALLBACK_PRIVATE_ADDRESSES": "true"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
