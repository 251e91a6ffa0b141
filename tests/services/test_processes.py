"""Processes that try to get away, with real ones."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agents.src.clock import Clock
from agents.src.services import processes
from agents.src.services.processes import (
    MARK,
    end_run,
    end_runs_of,
    is_gone,
    processes_of,
    runs_alive,
    worker_name,
)

PLAIN = "print('ready', flush=True); time.sleep(60)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PLAIN
STOPPED = "print('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
OWN_SESSION = """
subprocess.Popen([sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"], start_new_session=True)
time.sleep(60)
"""
DAEMON = """
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
CLEAN_ENVIRONMENT = """
subprocess.Popen([sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"], env={})
time.sleep(60)
"""
FORKS_WHEN_TOLD = """
def fork(*_):
    if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, fork)
print("ready", flush=True)
while True: time.sleep(60)
"""
KEEPS_FORKING = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    if not os.fork():
        time.sleep(60)
    time.sleep(0.02)
"""
PROGRAMS = {
    "plain": PLAIN,
    "stubborn": STUBBORN,
    "stopped": STOPPED,
    "a child in a session of its own": OWN_SESSION,
    "a stubborn daemon that forked twice": DAEMON,
    "a child without the mark": CLEAN_ENVIRONMENT,
    "forks when it is told to end": FORKS_WHEN_TOLD,
    "never stops forking": KEEPS_FORKING,
}


@pytest.fixture
def run_id() -> str:
    return f"{Clock().new_id()}:1"


@contextmanager
def started(program: str, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that carries the run, once it (or its child) has said `ready`."""
    code = "import os, signal, subprocess, sys, time\n" + program
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env={**os.environ, MARK: run_id}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            asyncio.run(end_run(run_id, grace=0))


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_nothing_of_a_run_is_left(program: str, run_id: str) -> None:
    with started(program, run_id) as process:
        assert run_id in runs_alive()
        begun = time.monotonic()
        asyncio.run(end_run(run_id, grace=0.3))
        assert time.monotonic() - begun < 2
        assert processes_of(run_id) == set()
        assert run_id not in runs_alive()
        assert process.stdout is not None
        assert process.stdout.read() == ""  # the end of the pipe: nobody, marked or not, holds its other end


def test_a_program_that_complies_is_not_killed(run_id: str) -> None:
    tidy = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.1), print('tidied up', flush=True), sys.exit(7)))\n"
    with started(tidy + PLAIN, run_id) as process:
        asyncio.run(end_run(run_id, grace=10))
        assert process.stdout is not None
        assert process.stdout.read() == "tidied up\n"
        assert process.wait() == 7


def test_a_program_that_does_not_comply_is_killed(run_id: str) -> None:
    with started(STUBBORN, run_id) as process:
        asyncio.run(end_run(run_id, grace=0.1))
        assert process.wait() == -signal.SIGKILL


def test_the_exit_code_stays_with_the_parent(run_id: str) -> None:
    """Looking at a process must not reap it: asyncio would then report a wrong exit code."""

    async def scenario() -> int:
        program = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", env={MARK: run_id}, stdin=-1)
        await end_run(run_id)
        return await program.wait()

    assert asyncio.run(scenario()) == -signal.SIGTERM


def test_other_runs_live_on(run_id: str) -> None:
    task_id = run_id.removesuffix(":1")
    with started(PLAIN, run_id), started(PLAIN, f"{task_id}:11"), started(PLAIN, f"{task_id}0:1"):
        asyncio.run(end_run(run_id))
        assert {run for run in runs_alive() if run.startswith(task_id)} == {f"{task_id}:11", f"{task_id}0:1"}


def test_all_runs_of_a_task_are_ended(run_id: str) -> None:
    task_id = run_id.removesuffix(":1")
    with started(PLAIN, run_id), started(STUBBORN, f"{task_id}:2"), started(PLAIN, f"{task_id}0:1"):
        asyncio.run(end_runs_of(task_id, grace=0.1))
        assert {run for run in runs_alive() if run.startswith(task_id)} == {f"{task_id}0:1"}


def test_the_caller_is_spared_though_it_carries_the_run(run_id: str) -> None:
    code = f"import asyncio; from agents.src.services.processes import *; asyncio.run(end_run({run_id!r})); print('alive')"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, MARK: run_id}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_the_loop_is_free_meanwhile(run_id: str) -> None:
    async def scenario() -> int:
        ending = asyncio.create_task(end_run(run_id, grace=0.3))
        turns = 0
        while not ending.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    with started(STUBBORN, run_id):
        assert asyncio.run(scenario()) > 100


def test_both_ways_to_look_see_the_same(run_id: str) -> None:
    with started(OWN_SESSION, run_id):
        seen = [
            {(process.pid, about.parent) for process, about in look() if about.run == run_id}
            for look in (processes._look_in_proc, processes._look_with_psutil)
        ]
    assert len(seen[0]) == 2
    assert seen[0] == seen[1]


def test_a_worker_knows_whether_another_is_gone(run_id: str) -> None:
    names = "from agents.src.services.processes import worker_name; print(worker_name(), flush=True); input()"
    command = [sys.executable, "-c", names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        name = worker.stdout.readline().strip()
        assert is_gone(name) is False
        worker.kill()
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(name) is True  # though its parent has not asked for the exit code yet
    assert is_gone(name) is True
    assert name != worker_name()


def test_a_pid_used_again_is_not_the_worker() -> None:
    host, pid, started_at = worker_name().rsplit(":", 2)
    assert is_gone(f"{host}:{pid}:{started_at}") is False
    assert is_gone(f"{host}:{pid}:{started_at}1") is True


def test_another_machine_cannot_be_told() -> None:
    assert is_gone(f"elsewhere-{worker_name()}") is None
