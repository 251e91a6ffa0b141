"""The embedded Qdrant: who may have the folder when, and what becomes of it when a process dies."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from qdrant_client.local.local_collection import LocalCollection
from qdrant_client.local.qdrant_local import QdrantLocal

from agents.src.errors import Misconfigured, Unavailable
from agents.src.memory import Write, changed
from agents.src.services.qdrant import QdrantMemory, open_memory
from agents.src.services.qdrant_local import LocalWire
from agents.src.services.qdrant_wire import Refusal
from tests.building import PATIENCE, a_settings
from tests.qdrant_double import ADA, an_entry, put

ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from agents.src.memory import Write, changed
from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_local import LocalWire
from tests.qdrant_double import ADA, an_entry, put

async def main():
    memory = QdrantMemory(LocalWire(Path(sys.argv[1])), "memory")
{work}
asyncio.run(main())
"""
WRITES_MANY = """
    for number in range(30):
        await put(memory, an_entry(f"{sys.argv[2]}-{number}"))
    await memory.close()
"""
WRITES_AND_WAITS = """
    await put(memory, *(an_entry(f"e{number}") for number in range(100)))
    print("written", flush=True)
    for number in range(1 << 30):
        entry = (await memory.get("planning", ["e0"]))["e0"]
        await memory.write([Write(changed(entry, f"text {number}", ADA), entry.rev)])
"""
FORGETS_TO_CLOSE = """
    await put(memory, an_entry("one"))
"""


@contextmanager
def started(work: str, folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Another process; killed at the end if it still runs."""
    program = [sys.executable, "-W", "error", "-c", PROGRAM.format(work=work), str(folder), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate()


def tell(folder: Path | None, story: Callable[[QdrantMemory], Awaitable[None]], patience: float = PATIENCE) -> None:
    async def live() -> None:
        memory = QdrantMemory(LocalWire(folder, patience), "memory")
        try:
            await story(memory)
        finally:
            await memory.close()

    asyncio.run(live())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "qdrant"


# Several processes


def test_processes_write_into_one_folder_and_nothing_is_lost(folder: Path) -> None:
    with started(WRITES_MANY, folder, "a") as one, started(WRITES_MANY, folder, "b") as another:

        async def story(memory: QdrantMemory) -> None:
            for number in range(30):
                await put(memory, an_entry(f"mine-{number}"))
            # Left open: the others get their turns from a process that has nothing to do.
            for other in (one, another):
                assert await asyncio.to_thread(other.communicate, timeout=PATIENCE * 3) == ("", "")
            assert (one.returncode, another.returncode) == (0, 0)
            assert await memory.count("planning") == 90

        tell(folder, story)


def test_a_holder_that_is_killed_leaves_all_it_had_written(folder: Path) -> None:
    with started(WRITES_AND_WAITS, folder) as other:
        assert other.stdout and other.stdout.readline() == "written\n"
        other.send_signal(signal.SIGKILL)
        other.communicate(timeout=PATIENCE)

    async def story(memory: QdrantMemory) -> None:
        assert await memory.count("planning") == 100
        entry = (await memory.get("planning", ["e0"]))["e0"]
        after = changed(entry, "after it", ADA)
        assert await memory.write([Write(after, entry.rev)]) == {"e0": after}

    tell(folder, story)


def test_a_busy_process_lets_others_have_their_turn(folder: Path) -> None:
    with started(WRITES_AND_WAITS, folder) as other:
        assert other.stdout and other.stdout.readline() == "written\n"

        async def story(memory: QdrantMemory) -> None:
            for number in range(3):
                await put(memory, an_entry(f"mine-{number}"))
            assert other.poll() is None

        tell(folder, story)


def test_who_waits_too_long_is_told_for_whom(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "holder").write_text("4711")
    with FileLock(folder / "open.lock"):

        async def story(memory: QdrantMemory) -> None:
            with pytest.raises(Unavailable, match=f"{folder} is in use by process 4711") as caught:
                await memory.count("planning")
            assert "set QDRANT_URL" in caught.value.detail

        tell(folder, story, patience=0.05)
    tell(folder, is_usable)


async def is_usable(memory: QdrantMemory) -> None:
    await put(memory, an_entry("usable"))


def test_a_stranger_that_has_the_folder_open_is_no_empty_memory(folder: Path) -> None:
    stranger = QdrantLocal(str(folder / "data"))

    async def story(memory: QdrantMemory) -> None:
        with pytest.raises(Unavailable, match="is open in another program"):
            await memory.count("planning")

    tell(folder, story)
    stranger.close()
    tell(folder, is_usable)


def test_a_process_that_forgets_to_close_ends_without_a_word(folder: Path) -> None:
    with started(FORGETS_TO_CLOSE, folder) as other:
        assert other.communicate(timeout=PATIENCE * 3) == ("", "")


# Threads


def test_threads_share_a_wire_and_nothing_is_lost(folder: Path) -> None:
    wire = LocalWire(folder)
    asyncio.run(put(QdrantMemory(wire, "memory"), an_entry("first")))
    faults: list[BaseException] = []

    def work(name: int) -> None:
        async def write() -> None:
            memory = QdrantMemory(wire, "memory")
            for number in range(20):
                await put(memory, an_entry(f"{name}-{number}"))

        try:
            asyncio.run(write())
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            faults.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def look() -> int:
        count = await QdrantMemory(wire, "memory").count("planning")
        await wire.close()
        return count

    assert (faults, asyncio.run(look())) == ([], 161)


def test_a_caller_who_gives_up_does_not_stop_the_others(folder: Path) -> None:
    async def story(memory: QdrantMemory) -> None:
        await put(memory, an_entry("one"))
        asked = [asyncio.create_task(memory.count("planning")) for _ in range(5)]
        await asyncio.sleep(0)
        for task in asked[::2]:
            task.cancel()
        counts = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(count, asyncio.CancelledError) for count in counts] == [True, False, True, False, True]
        assert counts[1] == counts[3] == 1

    tell(folder, story)


def test_nothing_is_asked_of_a_closed_memory(folder: Path) -> None:
    async def story(memory: QdrantMemory) -> None:
        await memory.close()
        await memory.close()
        with pytest.raises(Unavailable, match="is closed"):
            await memory.count("planning")

    tell(folder, story)


# The folder


def test_the_memory_lies_below_the_state_directory_and_can_be_opened_again(tmp_path: Path) -> None:
    async def live(work: Callable[[QdrantMemory], Awaitable[None]]) -> None:
        memory = open_memory(a_settings(tmp_path, qdrant_url=None, memory_embedding=None))
        await work(memory)
        await memory.close()

    async def look(memory: QdrantMemory) -> None:
        standing = await memory.standing()
        assert (standing.place, standing.entries) == (str(tmp_path / "qdrant"), 1)
        assert await memory.get("planning", ["usable"]) == {"usable": an_entry("usable")}

    asyncio.run(live(is_usable))
    asyncio.run(live(look))
    assert (tmp_path / "qdrant").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def story(memory: QdrantMemory) -> None:
        with pytest.raises(Misconfigured, match="Set MODAL_INVOKE_STATE_DIR to a folder that you may write to"):
            await memory.count("planning")

    tell(tmp_path / "file" / "qdrant", story)


@pytest.mark.parametrize("file", ["meta.json", "collection/memory/storage.sqlite"])
def test_a_damaged_folder_is_no_empty_memory(folder: Path, file: str) -> None:
    tell(folder, is_usable)
    (folder / "data" / file).write_text("{ this is damaged")

    async def story(memory: QdrantMemory) -> None:
        for _ in range(2):
            with pytest.raises(Misconfigured, match=r"cannot be read .* Move that folder away"):
                await memory.count("planning")

    tell(folder, story)


def test_a_folder_whose_maker_died_over_it_is_made_anew(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "meta.json").touch()
    tell(folder, is_usable)


def test_a_disk_error_is_told_and_the_folder_read_anew(folder: Path) -> None:
    async def story(memory: QdrantMemory) -> None:
        await put(memory, an_entry("one"))
        storage_of(memory).close()
        with pytest.raises(Unavailable, match="cannot be used now: Cannot operate on a closed database"):
            await memory.write([Write(an_entry("two"), None)])
        assert await memory.count("planning") == 1
        await put(memory, an_entry("two"))

    tell(folder, story)


def storage_of(memory: QdrantMemory) -> sqlite3.Connection:
    wire = memory._wire
    assert isinstance(wire, LocalWire) and wire._client is not None
    storage = wire._client.collections["memory"].storage
    assert storage
    return storage.storage


def test_a_push_waits_for_the_disk_once(folder: Path) -> None:
    async def story(memory: QdrantMemory) -> None:
        await put(memory, an_entry("one"))
        said: list[str] = []
        storage_of(memory).set_trace_callback(said.append)
        entries = [an_entry(f"{number}") for number in range(64)]
        await memory.write([Write(entry, None) for entry in entries])
        assert (said.count("COMMIT"), len([line for line in said if line.startswith("INSERT")])) == (1, 64)
        await memory.get("planning", ["1", "2"])
        assert said.count("COMMIT") == 1

    tell(folder, story)


def test_a_push_for_which_the_disk_has_no_room_leaves_nothing(folder: Path) -> None:
    when = "when (select count(*) > 2 from points)"
    full = f"create trigger full before insert on points {when} begin select raise(abort, 'full'); end"

    async def story(memory: QdrantMemory) -> None:
        await put(memory, an_entry("one"))
        storage_of(memory).execute(full)
        with pytest.raises(Unavailable, match="cannot be used now: full"):
            await memory.write([Write(an_entry(f"{number}"), None) for number in range(9)])
        assert await memory.count("planning") == 1
        await memory.get("planning", ["one"])
        storage_of(memory).execute("drop trigger full")
        await put(memory, *(an_entry(f"{number}") for number in range(9)))

    tell(folder, story)

    async def look(memory: QdrantMemory) -> None:
        assert await memory.count("planning") == 10

    tell(folder, look)


def test_many_points_bring_no_warning_into_a_commands_output(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in (QdrantLocal, LocalCollection):
        monkeypatch.setattr(cls, "LARGE_DATA_THRESHOLD", 1)

    async def story(memory: QdrantMemory) -> None:
        await put(memory, *(an_entry(f"{number}") for number in range(3)))

    tell(folder, story)

    async def look(memory: QdrantMemory) -> None:
        assert await memory.count("planning") == 3

    tell(folder, look)


# What it is asked


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/collections/nowhere", None, 404),
        ("POST", "/collections/nowhere/points/count", {}, 404),
        ("POST", "/collections/there/points/recommend", {}, 404),
        ("PATCH", "/collections/there", {}, 405),
        ("PUT", "/collections/there", {}, 409),
        ("POST", "/collections/there/points/count", {"filtre": {}}, 400),
        ("POST", "/collections/there/points/scroll", {"limit": "ten"}, 400),
        ("PUT", "/collections/there/index", {"field": "skill"}, 400),
        ("POST", "/collections/there/points/payload", {"payload": {}}, 400),
        ("PUT", "/collections/there/points", {"points": [{"id": 1, "vector": {"none": [1.0]}}]}, 400),
        ("POST", "/collections/there/points/payload", {"payload": {}, "points": [1]}, 404),
    ],
)
def test_a_wrong_request_is_refused_as_by_a_server(method: str, path: str, body: dict[str, object] | None, status: int) -> None:
    async def live() -> None:
        wire = LocalWire(None)
        await wire.call("PUT", "/collections/there", {})
        with pytest.raises(Refusal) as caught:
            await wire.call(method, path, body)
        assert caught.value.status == status
        assert caught.value.no_collection == ("nowhere" in path)
        await wire.close()

    asyncio.run(live())


def test_inference_by_the_server_needs_a_server(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="set QDRANT_URL, or choose another provider"):
        open_memory(a_settings(tmp_path, qdrant_url=None, memory_embedding="qdrant:sentence-transformers/all-minilm-l6-v2"))
