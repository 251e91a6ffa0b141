"""Ends the processes of a run, wherever they went.

A process group is not enough: a program may call setsid or fork twice. What no child loses without meaning to is its environment,
so every process that a run starts carries `MODAL_INVOKE_RUN=<run id>` in it, and is found by that, or by being a child of
such a process. A worker's name tells whether the worker still lives, so that another can take over what it left.
"""

import asyncio
import os
import signal
import socket
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import structlog

MARK = "MODAL_INVOKE_RUN"
LINUX = sys.platform == "linux"
BOOT_ID, PID_NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
AFTER_KILL = 0.8  # seconds until a process that survives SIGKILL (stuck in the kernel) is given up
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.05  # seconds between two looks

log = structlog.get_logger()


class Process(NamedTuple):
    """A process for certain: a pid alone may be used again. `started` is in clock ticks on Linux, seconds elsewhere."""

    pid: int
    started: float


class Seen(NamedTuple):
    """What a look at a process showed: its parent's pid, and the run it carries."""

    parent: int
    run: str | None


Belongs = Callable[[str], bool]
"""Whether a run (by its id) is meant."""


async def end_run(run_id: str, grace: float = 1.0) -> None:
    """Ends every process of the run: SIGTERM, `grace` seconds to comply, SIGKILL; looks again until none is left.

    Never the calling process itself. Takes less than `grace` + 1 seconds. A process that even SIGKILL does not end is logged.
    """
    await _end(lambda run: run == run_id, grace)


async def end_runs_of(task_id: str, grace: float = 1.0) -> None:
    """Ends what is left of all runs (`<task id>:<attempt>`) of a task whose worker died, before the task is run again."""
    await _end(lambda run: run.rpartition(":")[0] == task_id, grace)


async def to_the_end(work: Coroutine[object, object, None]) -> None:
    """Awaits `work` though the caller is cancelled meanwhile; the cancellation goes on afterwards. For what `finally` must do."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled


def runs_alive() -> set[str]:
    """The ids of the runs that have processes on this machine, the calling one aside."""
    return {seen.run for seen in _look().values() if seen.run}


def processes_of(run_id: str) -> set[int]:
    """The pids of the run's processes."""
    return {process.pid for process in _members(lambda run: run == run_id, frozenset())}


def worker_name() -> str:
    """This process among all: `host:pid:start time`."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(worker: str) -> bool | None:
    """Whether the worker's process has ended; None where it cannot be told: another machine, container or boot."""
    match worker.split(":"):
        case [host, pid, started] if host == _host() and pid.isdecimal():
            return str(_started(int(pid))) != started
    return None


async def _end(belongs: Belongs, grace: float) -> None:
    kill_from = time.monotonic() + grace
    pause = FIRST_PAUSE
    told: frozenset[Process] = frozenset()
    while members := await asyncio.to_thread(_members, belongs, told):
        now = time.monotonic()
        if now > kill_from + AFTER_KILL:
            log.error("processes_survive_kill", pids=sorted(process.pid for process in members))
            return
        if now < kill_from:
            _send(signal.SIGTERM, members - told)
        else:
            _send(signal.SIGKILL, members)
        told |= members
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _send(number: signal.Signals, processes: Iterable[Process]) -> None:
    for process in processes:
        try:
            os.kill(process.pid, number)
        except (ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or became another user's


def _members(belongs: Belongs, told: frozenset[Process]) -> frozenset[Process]:
    """The processes that carry a run which belongs, those told to end that are still there, and all their descendants."""
    processes = _look()
    children: defaultdict[int, list[Process]] = defaultdict(list)
    for process, seen in processes.items():
        children[seen.parent].append(process)
    waiting = [process for process, seen in processes.items() if process in told or (seen.run and belongs(seen.run))]
    members: set[Process] = set()
    while waiting:
        process = waiting.pop()
        if process not in members:
            members.add(process)
            waiting += children[process.pid]
    return frozenset(members)


def _look() -> dict[Process, Seen]:
    """All living processes but this one. Zombies do not count: nothing is left of them but an exit code."""
    me = os.getpid()
    return {process: seen for process, seen in (_look_in_proc() if LINUX else _look_with_psutil()) if process.pid != me}


def _look_in_proc() -> Iterator[tuple[Process, Seen]]:
    """As `_look_with_psutil`, at a seventh of its time."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _stat(folder)):
            yield Process(int(folder.name), int(stat[19])), Seen(int(stat[1]), _mark_in(folder / "environ"))


def _stat(folder: Path) -> list[bytes] | None:
    """The fields of /proc/<pid>/stat from the third on (state, parent, …); None for a process that has ended."""
    try:
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()  # the second, its name, may hold anything
    except OSError:
        return None
    return None if fields[0] in {b"Z", b"X"} else fields


def _mark_in(environ: Path) -> str | None:
    try:
        variables = b"\0" + environ.read_bytes()
    except OSError:
        return None  # another user's
    _, found, rest = variables.partition(f"\0{MARK}=".encode())
    return rest.partition(b"\0")[0].decode(errors="replace") if found else None


def _look_with_psutil() -> Iterator[tuple[Process, Seen]]:
    import psutil  # 30 ms that Linux need not pay

    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield Process(process.pid, process.create_time()), Seen(process.ppid(), process.environ().get(MARK))
        except psutil.Error:
            continue  # ended meanwhile, or another user's


def _started(pid: int) -> float | None:
    """When the process started, or None if it has ended."""
    if LINUX:
        stat = _stat(Path(f"/proc/{pid}"))
        return int(stat[19]) if stat else None
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


@cache
def _host() -> str:
    """The host's name and, on Linux, a digest of its boot and pid namespace: two containers may share a name, but no pids."""
    name = socket.gethostname().replace(":", "-")
    if not LINUX:
        return name
    return f"{name}-{zlib.crc32(f'{_told(BOOT_ID.read_text)} {_told(PID_NAMESPACE.readlink)}'.encode()):08x}"


def _told(read: Callable[[], object]) -> object:
    try:
        return read()
    except OSError:
        return ""  # not every sandbox's /proc is complete
