"""Kills the server with SIGKILL, again and again, under load, and looks for accepted tasks that were lost.

    python benchmarks/kill.py [--kills 500] [--seed 1]

Every task that was answered with 2xx must end, its events must be numbered from 1 without holes, with one terminal event, the
last; and no task may run twice at the same time (a program that outlives its server holds a lock). With DATABASE_URL the
state is in PostgreSQL. Exits 1 if anything is amiss.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from agents.src.api.server import serve_parts
from agents.src.bootstrap import bootstrap
from agents.src.services.logs import configure_logs
from agents.src.services.script import ScriptEngine
from agents.src.settings import read_settings
from agents.src.skills import Catalogue, Skill
from agents.src.tasks import Engine
from benchmarks.noop import NOOP, NoopEngine
from benchmarks.serving import TOKEN, free_port, wait_until_up

WITNESS = Skill(
    name="witness",
    description="Holds a lock.",
    instruction="",
    folder=Path(__file__).parent / "witness",
    engine="script",
    run="main.py",
    arguments={"type": "object"},
)
SENDERS = 4
STUCK = 60.0
"""Seconds without progress after which what is left is taken for lost."""


def serve(port: int) -> None:
    engines: dict[str, Engine] = {"claude": NoopEngine(), "script": ScriptEngine(lambda name: WITNESS.folder)}
    settings = read_settings()
    configure_logs(settings)
    parts = bootstrap(settings, catalogue=Catalogue.of([NOOP, WITNESS]), engines=engines)
    serve_parts(parts, socket.create_server(("127.0.0.1", port)), ready=lambda url: None)


class Load:
    """Submits tasks from several threads and remembers which were accepted."""

    def __init__(self, port: int, locks: Path, seed: int) -> None:
        self.accepted: list[str] = []
        self.unexpected: Counter[int] = Counter()
        self._url = f"http://127.0.0.1:{port}/api/skill"
        self._locks = locks
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(random.Random(seed + i),)) for i in range(SENDERS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _send(self, chance: random.Random) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}", "Prefer": "respond-async"}
        with httpx.Client(headers=headers, timeout=5) as client:
            while not self._over.is_set():
                try:
                    answer = client.post(self._url, json=self._request(chance))
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                if answer.is_success:
                    self.accepted.append(answer.json()["id"])
                else:
                    self.unexpected[answer.status_code] += 1
                time.sleep(0.05)

    def _request(self, chance: random.Random) -> dict[str, Any]:
        if chance.random() < 0.97:
            return {"skill": "noop", "task": "x", "priority": chance.randint(-1, 1)}
        return {"skill": "witness", "task": "x", "args": {"locks": str(self._locks), "seconds": chance.random() / 3}}


def start(port: int) -> "subprocess.Popen[bytes]":
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(port)])
    wait_until_up(port)
    return server


def kill_often(port: int, load: Load, kills: int, chance: random.Random) -> None:
    for number in range(1, kills + 1):
        server = start(port)
        time.sleep(0.2 + chance.random())
        server.kill()
        server.wait()
        if number % 50 == 0:
            print(f"{number} kills, {len(load.accepted)} tasks accepted", flush=True)


def drain(client: httpx.Client) -> None:
    """Waits until nothing is queued or running, as long as their number falls."""
    fewest, since = sys.maxsize, time.monotonic()
    while time.monotonic() - since < STUCK:
        status = client.get("/api/status").json()
        left = status["queued"] + status["running"]
        if left == 0:
            return
        if left < fewest:
            fewest, since = left, time.monotonic()
        time.sleep(0.2)


def faults_of(client: httpx.Client, task_id: str) -> list[str]:
    """What is wrong with a task."""
    task = client.get(f"/api/tasks/{task_id}")
    if task.status_code != 200:
        return [f"answered {task.status_code}"]
    if not task.json()["finished_at"]:
        return [f"never ended: {task.json()['status']}"]
    frames = client.get(f"/api/tasks/{task_id}/events").text.split("\n\n")
    fields = [dict(line.split(": ", 1) for line in frame.splitlines()) for frame in frames if frame.startswith("id:")]
    numbers, kinds = [int(field["id"]) for field in fields], [field["event"] for field in fields]
    faults = [] if numbers == list(range(1, len(numbers) + 1)) else [f"events are numbered {numbers}"]
    terminal = [kind for kind in kinds if kind in {"completed", "failed", "cancelled"}]
    return faults if terminal == kinds[-1:] else [*faults, f"events are {kinds}"]


def check(port: int, load: Load, locks: Path) -> list[str]:
    faults = [f"{path.stem} ran twice at once" for path in locks.glob("*.twice")]
    ended: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        drain(client)
        for task_id in load.accepted:
            faults += [f"{task_id}: {fault}" for fault in faults_of(client, task_id)]
        ended.update(client.get("/api/status").json()["by_status"])
    print(f"{len(load.accepted)} accepted; in the database: {dict(ended)}; other answers: {dict(load.unexpected) or 'none'}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.serve:
        serve(wanted.serve)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        locks = Path(folder) / "locks"
        locks.mkdir()
        os.environ |= {"MODAL_INVOKE_TOKEN": TOKEN, "MODAL_INVOKE_STATE_DIR": folder, "LOG_LEVEL": "error"}
        port = free_port()
        with Load(port, locks, wanted.seed) as load:
            kill_often(port, load, wanted.kills, random.Random(wanted.seed))
        server = start(port)
        faults = check(port, load, locks)
        server.terminate()
        server.wait()
    print("\n".join(faults[:20]) or f"{wanted.kills} kills: nothing lost, nothing doubled")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
