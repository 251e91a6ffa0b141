"""Serves the product with a `noop` skill, for any load tool: `python benchmarks/server.py --port 8000`.

Token, state folder, database and concurrency come from the same settings as for `agents serve` (MODAL_INVOKE_TOKEN, …).

    wrk -t1 -c32 -d5 -s post.lua http://127.0.0.1:8000/api/skill      with the body {"skill": "noop", "task": "x"}
"""

import argparse
import sys
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1]))  # also without the package installed

from agents.src.api.app import create_app
from agents.src.settings import read_settings
from benchmarks.noop import noop_parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    app = create_app(noop_parts(read_settings()))
    uvicorn.run(app, port=port, log_level="warning", access_log=False, loop="uvloop", http="httptools")


if __name__ == "__main__":
    main()
