"""(a) The ladder: bare FastAPI → + one durable insert → the product's `noop` skill to completion.

    python benchmarks/ladder.py [--seconds 3] [--rounds 3]

The rungs take turns, so that a slow moment of the machine hits all; medians of the rounds are printed.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load import Load, post, put_load
from benchmarks.serving import TOKEN, cpu_seconds, served

RUNGS = {
    "bare FastAPI POST": ["rungs.py", "bare"],
    "+ one durable insert": ["rungs.py", "row"],
    "POST /api/skill, noop": ["server.py"],
}
BODY = b'{"skill": "noop", "task": "' + b"x" * 400 + b'"}'


def measure(process: psutil.Process, port: int, connections: int, seconds: float) -> tuple[Load, float]:
    """The load, and the server's CPU microseconds per request."""
    request = post("/api/skill", BODY, TOKEN)
    before = cpu_seconds(process)
    load = uvloop.run(put_load(port, request, connections, seconds))
    used = cpu_seconds(process) - before
    if load.refused:
        sys.exit(f"{load.refused} requests were refused")
    return load, used / len(load.latencies) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        climb(Path(folder), wanted.seconds, wanted.rounds)


def climb(folder: Path, seconds: float, rounds: int) -> None:
    seen: dict[tuple[int, str], list[tuple[Load, float]]] = {}
    for index in range(rounds):
        for name, arguments in RUNGS.items():
            with served(arguments, folder / f"{index}") as (process, port):
                measure(process, port, 4, 0.5)
                for connections in (1, 32):
                    seen.setdefault((connections, name), []).append(measure(process, port, connections, seconds))
    print(f"{'':24} {'c':>3} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'req/s to the rung above':>24}")
    for connections in (1, 32):
        above = 0.0
        for name in RUNGS:
            rows = seen[connections, name]
            rate = statistics.median(load.rate for load, _ in rows)
            p50, p99 = (statistics.median(load.percentile(share) for load, _ in rows) for share in (0.5, 0.99))
            cpu = statistics.median(used for _, used in rows)
            ratio = f"{rate / above:.2f}" if above else ""
            print(f"{name:24} {connections:3} {rate:8.0f} {p50:8.2f} {p99:8.2f} {cpu:8.0f} {ratio:>24}")
            above = rate


if __name__ == "__main__":
    main()
