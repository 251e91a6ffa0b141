"""(c) What the web function imports, against `import modal, fastapi` alone; and from start to the first answer.

python benchmarks/imports.py [--rounds 7]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.serving import HERE, TOKEN, free_port

CASES = {
    "import modal, fastapi": "import modal, fastapi",
    "the web function's imports": "import modal, agents.src.api.app",
}


def cpu_of(code: str) -> float:
    """Milliseconds of CPU of a fresh interpreter. Its bytecode is warm after the first round."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parent, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def first_answer(folder: str) -> float:
    """Seconds from exec to the first 200 of /api/health."""
    port = free_port()
    settings = {"MODAL_INVOKE_TOKEN": TOKEN, "MODAL_INVOKE_STATE_DIR": folder}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | settings
    started = time.perf_counter()
    server = subprocess.Popen([sys.executable, str(HERE / "server.py"), "--port", str(port)], env=environment)
    try:
        while not healthy(port):
            time.sleep(0.002)
        return time.perf_counter() - started
    finally:
        server.terminate()
        server.wait()


def healthy(port: int) -> bool:
    import http.client

    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    seen: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds + 1):
        for name, code in CASES.items():
            seen[name].append(cpu_of(code))
    least, ours = (statistics.median(times[1:]) for times in seen.values())
    for name, times in seen.items():
        print(f"{name:28} {statistics.median(times[1:]):6.0f} ms CPU")
    print(f"{'ratio':28} {ours / least:6.2f}")
    with tempfile.TemporaryDirectory() as folder:
        answers = [first_answer(folder) for _ in range(rounds + 1)][1:]
    print(f"{'start to the first 200':28} {statistics.median(answers) * 1000:6.0f} ms")


if __name__ == "__main__":
    main()
