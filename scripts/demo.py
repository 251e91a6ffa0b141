"""The demonstration behind `make demo`: a server on a free port, skills called through the client, a memory that goes up and
comes home; no accounts needed.

    .venv/bin/python scripts/demo.py [--rehearsal]

Without Claude credentials, or with --rehearsal, `planning` runs in the real Claude Code with scripted replies.
Everything lies in a temporary folder that is removed at the end.
"""

import argparse
import asyncio
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agents.src.errors import NoCredentials  # noqa: E402  # found through the line above
from agents.src.services.claude_credentials import CredentialSource  # noqa: E402
from agents.src.services.processes import runs_alive  # noqa: E402
from agents.src.settings import read_settings  # noqa: E402

CLIENT = ROOT / "local_skills" / "modal-invoke" / "bin" / "modal-invoke"
REHEARSAL = ROOT / "agents" / "skills" / "planning" / "rehearsals" / "plan.yaml"
LINES_OF_PLAN = 14
SKILL_MD = """---
name: advice
description: Says how to encode a clip.
---
Advise on encoding.
"""
INFO_MD = """---
name: advice
description: Says how to encode a clip, by what it has learned.
engine: script
run: main.py
---
"""
ADVICE = """import json, re, subprocess, sys
from imageio_ffmpeg import get_ffmpeg_exe

document = json.load(sys.stdin)
shown = subprocess.run([get_ffmpeg_exe(), "-i", document["files"][0]["path"]], capture_output=True, text=True).stderr
rate = re.search(r"([0-9.]+) fps", shown)[1]
print(json.dumps({"type": "remember", "text": f"The client's videos are {rate} fps."}))
known = " ".join(entry["text"] for entry in document["memory"])
print(json.dumps({"type": "result", "text": f"Keep {rate} fps. {known}"}))
"""
TAUGHT, LEARNED = "Masters are delivered as H.265.", "The client's videos are 24 fps."
PATIENCE = 15.0
"""Seconds that the server gets to stop, and a lesson to come home."""
ELSEWHERE = ("MODAL_INVOKE_", "DATABASE_URL", "QDRANT_", "MEMORY_")
"""How the names of variables begin by which the demo would touch what is not its own."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Show modal-invoke at work.")
    parser.add_argument("--rehearsal", action="store_true", help="do not use Claude credentials, though there may be some")
    rehearsed = parser.parse_args().rehearsal or not credentials()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is started gets stopped
    folder = Path(tempfile.mkdtemp(prefix="modal-invoke-demo-"))
    try:
        lay_out_skills(folder)
        environment = surroundings(folder, rehearsed)
        with server(environment, folder) as url:
            show_skills(environment | {"MODAL_INVOKE_URL": url}, folder, rehearsed)
    except (subprocess.CalledProcessError, RuntimeError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("Done", "The server has stopped, and nothing is left behind. Next: README.md, or `.venv/bin/agents --help`.")
    return 0


def credentials() -> bool:
    settings = read_settings()
    source = CredentialSource(settings.claude_config_dir, settings.anthropic_api_key, settings.claude_code_oauth_token)
    try:
        asyncio.run(source.find())
    except NoCredentials:
        return False
    return True


def lay_out_skills(folder: Path) -> None:
    """The server's skills, as a copy since they will learn, with one more; and that one on the laptop of whoever calls it."""
    shutil.copytree(ROOT / "agents" / "skills", folder / "skills", ignore=shutil.ignore_patterns("__pycache__", "*memory.md*"))
    files = {"skills/advice/info.md": INFO_MD, "skills/advice/main.py": ADVICE, "laptop/advice/SKILL.md": SKILL_MD}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def surroundings(folder: Path, rehearsed: bool) -> dict[str, str]:
    """This process's environment with a state, a token and a database of the demo's own."""
    given = os.environ  # noqa: TID251  # handed on, not read
    mine = {name: value for name, value in given.items() if not name.startswith(ELSEWHERE)}
    mine |= {
        "MODAL_INVOKE_STATE_DIR": str(folder / "state"),
        "MODAL_INVOKE_SKILLS_DIR": str(folder / "skills"),
        "MODAL_INVOKE_TOKEN": secrets.token_urlsafe(32),
    }
    return mine | ({"MODAL_INVOKE_REHEARSAL": str(REHEARSAL)} if rehearsed else {})


@contextmanager
def server(environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """The URL of a server that is stopped at the end, with everything that it ran."""
    say("A server", "with a fresh token, its state in a temporary folder")
    command = ["agents", "serve", "--port", "0"]
    show("export MODAL_INVOKE_TOKEN=$(agents token generate)")
    show(shlex.join(command))
    log = folder / "server.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(ROOT / ".venv" / "bin" / "agents"), *command[1:]],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # a Ctrl-C is ours to pass on
        )
    try:
        assert process.stdout is not None  # it is a pipe
        line = process.stdout.readline().strip()
        if not line.startswith("Listening on "):
            raise RuntimeError(f"the server did not start:\n{log.read_text()}")
        print(line)
        yield line.removeprefix("Listening on ")
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError("the server did not stop when it was told to") from None
    finally:
        if process.stdout:
            process.stdout.close()


def show_skills(environment: Mapping[str, str], folder: Path, rehearsed: bool) -> None:
    say("A skill that runs a program", "`media-processing`: a clip goes up, a real MP4 comes back")
    make_clip(folder / "clip.mov")
    client(environment, folder, "run", "media-processing", "convert clip.mov to MP4", "--file", "clip.mov", "--out", "made")
    client(environment, folder, "run", "media-processing", "probe clip.mp4", "--file", "made/clip.mp4", "--quiet")

    how = "as a REHEARSAL (no Claude credentials are used): the real Claude Code, with scripted replies"
    say("A skill that runs Claude Code", f"`planning`, {how if rehearsed else 'with the Claude credentials found here'}")
    client(environment, folder, "run", "planning", "Create auth system plan", "--out", "plan")
    show(f"head -{LINES_OF_PLAN} plan/plan.md")
    print("\n".join((folder / "plan" / "plan.md").read_text().splitlines()[:LINES_OF_PLAN]))

    show_memory(environment, folder)

    used = "tasks, and what they used"
    say("What is kept", f"{used}; in a rehearsal the figures are the script's, and nothing was paid" if rehearsed else used)
    client(environment, folder, "tasks")
    show_status(environment)
    left = [run for run in runs_alive() if run.partition(":")[0] in task_ids(environment)]
    if left:
        raise RuntimeError(f"processes are left of the runs {', '.join(left)}")


def show_memory(environment: Mapping[str, str], folder: Path) -> None:
    say("A skill that learns", "what is written into a local memory.md goes up; what a task learns comes home")
    memory = folder / "laptop" / "advice" / "memory.md"
    show(f'echo "- {TAUGHT}" > {memory.relative_to(folder)}')
    memory.write_text(f"- {TAUGHT}\n")
    sync(environment, folder)
    client(environment, folder, "run", "advice", "How do I encode this clip?", "--file", "clip.mov")
    end = time.monotonic() + PATIENCE
    while LEARNED not in memory.read_text():  # the server takes it into the memory once the task has ended
        if time.monotonic() > end:
            raise RuntimeError("what the task learned did not come home")
        sync(environment, folder)
    show(f"cat {memory.relative_to(folder)}")
    print(memory.read_text(), end="")


def sync(environment: Mapping[str, str], folder: Path) -> None:
    words = ["agents", "memory", "sync", "--dir", "laptop"]
    show(shlex.join(words))
    command = [str(ROOT / ".venv" / "bin" / "agents"), *words[1:]]
    subprocess.run(command, env=environment, cwd=folder, check=True, stdin=subprocess.DEVNULL)


def make_clip(path: Path) -> None:
    """Three seconds of a test picture and a tone."""
    from imageio_ffmpeg import get_ffmpeg_exe

    words = shlex.split("-f lavfi -i testsrc=duration=3:size=320x240:rate=24 -f lavfi -i sine=duration=3 -c:v mjpeg")
    show(shlex.join(["ffmpeg", *words, path.name]))
    command = [get_ffmpeg_exe(), "-loglevel", "error", *words, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=120)


def client(environment: Mapping[str, str], folder: Path, *words: str) -> None:
    show(shlex.join(["modal-invoke", *words]))
    subprocess.run([sys.executable, str(CLIENT), *words], env=environment, cwd=folder, check=True, stdin=subprocess.DEVNULL)


def show_status(environment: Mapping[str, str]) -> None:
    show('curl -H "Authorization: Bearer $MODAL_INVOKE_TOKEN" $MODAL_INVOKE_URL/api/status')
    print(json.dumps(fetch(environment, "/api/status"), indent=2))


def task_ids(environment: Mapping[str, str]) -> set[str]:
    return {task["id"] for task in fetch(environment, "/api/tasks")["items"]}


def fetch(environment: Mapping[str, str], path: str) -> dict[str, list[dict[str, str]]]:
    headers = {"Authorization": f"Bearer {environment['MODAL_INVOKE_TOKEN']}"}
    request = urllib.request.Request(environment["MODAL_INVOKE_URL"] + path, headers=headers)  # noqa: S310  # our own server
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
        document: dict[str, list[dict[str, str]]] = json.load(answer)
    return document


def say(title: str, text: str) -> None:
    print(f"\n── {title}: {text}", flush=True)


def show(command: str) -> None:
    """A command as a user would type it."""
    print(f"\n$ {command}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
