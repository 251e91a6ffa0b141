"""What the plugin's hooks do: a pull of the shared memory when a session of Claude Code begins, a push when it ends.

`agents memory pull|push` does the work, under a process that outlives the hook: nobody is to wait long for a session to begin,
and at its end Claude Code gives a hook 1.5 seconds at most. What became of it is noted, and said when the next session begins.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from typing import IO

from modal_invoke.output import Screen, put
from modal_invoke.stop import Exit

PROGRAM = Path(__file__).parents[2] / "bin" / "modal-invoke"
PATIENCE = 3.0
"""Seconds that a session waits for a pull; then that goes on without it. Nobody waits for a push."""
LIMIT = 60.0
"""Seconds after which the work is stopped. A sync may be ended at any point; the next one carries it on."""
STOPPED, CRASHED, BUSY = "stopped", "crashed", "busy"
SENTENCES = {
    "1": "the shared memory has conflicts; `agents memory status` lists them.",
    "3": "the last {0} of the shared memory was refused; `agents memory {0}` says why.",
    "5": "the shared memory cannot be reached; `agents doctor` says more.",
    STOPPED: "the last {0} of the shared memory was stopped after a minute; `agents memory {0}` carries it on.",
    BUSY: "the last {0} of the shared memory found another sync at work; `agents memory {0}` makes up for it.",
}
FAILED = "the last {0} of the shared memory failed; `agents memory {0}` says why."
LATE = "the pull of the shared memory takes longer than 3 seconds and goes on in the background."
NO_PROGRAM = "MODAL_INVOKE_AGENTS names no program, so the shared memory is not synced."
IN_STEP, WRONG, AWAY = "0", "2", "5"
"""Exit codes. The second is a wrong setting or file; and also the answer of an `agents` that knows no `memory`."""
IN_USE = re.compile(rb"is being synced by another program|is in use by|is open in another program")
"""What `agents` says of a file, or of an embedded memory, that it waited for in vain."""


def memory_hook(args: Namespace, _: Screen) -> Exit:
    """Never fails: a session is worth more than its memory."""
    with suppress(OSError, RuntimeError):  # no home, or one that cannot be written to: there is nowhere to say so either
        work(args.direction) if args.detached else hook(args.direction)
    return Exit.DONE


def hook(direction: str) -> None:
    """Standard output at a session's beginning is read by the model: one line, where there is something to say."""
    work_on = start([sys.executable, str(PROGRAM), "memory-hook", direction, "--detached"]) if find_agents() else None
    if direction == "push":
        return
    late = work_on is not None and not ends_in_time(work_on)
    said = [*take_notes(), *([LATE] if late else [])]
    if work_on is None and os.environ.get("MODAL_INVOKE_AGENTS"):
        said.append(NO_PROGRAM)
    if said:
        put(f"modal-invoke: {' '.join(said)}")


def ends_in_time(work_on: subprocess.Popen[bytes]) -> bool:
    try:
        work_on.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    return True


def work(direction: str, limit: float = LIMIT) -> None:
    """Runs the sync to its end, or to the limit, and notes what became of it."""
    program = find_agents()
    if program is None:
        return
    with tempfile.TemporaryFile() as errors:
        outcome = outcome_of(start([program, "memory", direction, "--quiet"], errors), limit)
        errors.seek(0)
        outcome = told_apart(outcome, errors.read())
    if outcome != IN_STEP:
        note(direction, outcome)


def told_apart(outcome: str, errors: bytes) -> str:
    """By what was said on stderr, where two things have one exit code."""
    if outcome == "1" and b"Traceback (most recent call last)" in errors:
        return CRASHED
    if outcome == WRONG and not re.search(rb"^error: ", errors, re.MULTILINE):
        return IN_STEP  # there is no memory that could be out of step
    if outcome == AWAY and IN_USE.search(errors):
        return BUSY
    return outcome


def outcome_of(child: subprocess.Popen[bytes], limit: float) -> str:
    """The exit code, or that it had to be stopped."""
    try:
        return str(child.wait(limit))
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return STOPPED


def start(command: list[str], errors: int | IO[bytes] = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """In a session of its own, which is not ended with Claude Code's."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=errors, start_new_session=True)  # noqa: S603  # a list, no shell


def find_agents() -> str | None:
    """The program `agents`; None where there is none, or where MODAL_INVOKE_AGENTS is set to nothing."""
    named = os.environ.get("MODAL_INVOKE_AGENTS", "agents")
    return shutil.which(str(Path(named).expanduser())) if named else None


def notes() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "modal-invoke" / "memory-hook.txt"


def note(direction: str, outcome: str) -> None:
    notes().parent.mkdir(parents=True, exist_ok=True)
    with notes().open("a", encoding="utf-8") as file:
        file.write(f"{direction} {outcome}\n")


def take_notes() -> list[str]:
    """What was noted since it was last asked for, as sentences. Whatever else somebody wrote into the file is not passed on."""
    mine = notes().with_name(f"memory-hook.{os.getpid()}.txt")
    try:
        notes().replace(mine)
        lines = mine.read_text(encoding="utf-8", errors="replace").splitlines()
        mine.unlink()
    except FileNotFoundError:
        return []
    found = [re.fullmatch(r"(pull|push) (-?\d{1,3}|stopped|crashed|busy)", line) for line in lines]
    return list(dict.fromkeys(SENTENCES.get(match[2], FAILED).format(match[1]) for match in found if match))
