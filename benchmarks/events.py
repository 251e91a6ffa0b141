"""(b) From an event in the engine to the clients that follow the task: 1, 100 and 1000 of them.

python benchmarks/events.py
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load import Load, post
from benchmarks.noop import SENTENCES
from benchmarks.serving import TOKEN, cpu_seconds, served


async def submit(port: int) -> str:
    """The id of a `talk` task."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = post("/api/skill", b'{"skill": "talk", "task": "x"}', TOKEN).replace(b"Host:", b"Prefer: respond-async\r\nHost:")
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    task_id: str = json.loads(await reader.readexactly(length))["id"]
    writer.close()
    return task_id


async def follow(port: int, task_id: str, load: Load) -> None:
    """Notes how old each event is when it arrives."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/tasks/{task_id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    async for line in reader:
        if line.startswith(b"data: ") and b'"sent"' in line:
            load.latencies.append(time.time() - json.loads(line[6:])["data"]["sent"])
        elif line.startswith(b"event: completed"):
            break
    writer.close()


async def measure(port: int, followers: int) -> Load:
    load = Load()
    task_id = await submit(port)
    await asyncio.gather(*(follow(port, task_id, load) for _ in range(followers)))
    return load


def report(process: psutil.Process, port: int) -> None:
    print(f"{'followers':>9} {'p50 ms':>8} {'p99 ms':>8} {'CPU us per delivery':>20} {'events':>8}")
    for followers in (1, 100, 1000):
        before = cpu_seconds(process)
        load = uvloop.run(measure(port, followers))
        used = (cpu_seconds(process) - before) / len(load.latencies) * 1e6
        seen = f"{len(load.latencies) / followers:g}/{SENTENCES}"
        print(f"{followers:9} {load.percentile(0.5):8.1f} {load.percentile(0.99):8.1f} {used:20.0f} {seen:>8}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, served(["server.py"], Path(folder)) as (process, port):
        report(process, port)


if __name__ == "__main__":
    main()
