"""Serves the product with a `noop` skill, for any load tool: `python benchmarks/server.py --port 8000`.

Token, state folder, database and concurrency come from the same settings as for `agents serve` (MODAL_INVOKE_TOKEN, …).

    wrk -t1 -c32 -d5 -s post.lua http://127.0.0.1:8000/api/skill      with the body {"skill": "noop", "task": "x"}
"""

import argparse
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # also without the package installed

from agents.src.api.server import serve_parts
from agents.src.services.logs import configure_logs
from agents.src.settings import read_settings
from benchmarks.noop import noop_parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    settings = read_settings()
    configure_logs(settings)
    serve_parts(noop_parts(settings), socket.create_server(("127.0.0.1", port)), ready=lambda url: None)


if __name__ == "__main__":
    main()
