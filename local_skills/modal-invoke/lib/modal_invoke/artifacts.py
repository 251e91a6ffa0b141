"""Downloads of a task's artifacts: whole or not at all, and never over a file that is there."""

from __future__ import annotations

import hashlib
import os
import re
from base64 import b64encode
from itertools import count
from pathlib import Path
from typing import Any

from modal_invoke.server import CHUNK, Server
from modal_invoke.stop import Exit, Stop
from modal_invoke.transport import Again, Reply

LONGEST_NAME = 200  # bytes; file systems take 255, and a number may be added
UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*]')
DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


def download_all(server: Server, task: dict[str, Any], folder: Path) -> list[Path]:
    """Where each artifact of the task now lies, in the task's order. The folder is made when there is something to put in."""
    artifacts = (task.get("result") or {}).get("artifacts") or []
    if not artifacts:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [download(server, str(task["id"]), artifact, folder) for artifact in artifacts]
    except OSError as error:
        raise Stop(Exit.FAILED, f"Cannot write into {folder} ({error.strerror}). The task itself has ended well.") from None


def download(server: Server, task_id: str, artifact: dict[str, Any], folder: Path) -> Path:
    name = str(artifact["name"])
    draft = folder / f".modal-invoke-{os.getpid()}.part"
    try:
        digest = server.download(task_id, name, lambda reply: fetch(reply, draft, int(artifact["size"])))
        return placed(draft, folder / safe_name(name), digest)
    finally:
        draft.unlink(missing_ok=True)


def fetch(reply: Reply, target: Path, size: int) -> str:
    """Writes the body to `target`; gives its SHA-256. Raises Again when size or digest say that it is damaged."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while chunk := reply.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
        written = out.tell()
    announced = DIGEST.search(reply.headers.get("Repr-Digest", ""))
    if written != size or (announced and announced[1] != b64encode(digest.digest()).decode()):
        raise Again(Stop(Exit.FAILED, f"An artifact arrived damaged ({written} of {size} bytes)."))
    return digest.hexdigest()


def placed(draft: Path, wanted: Path, digest: str) -> Path:
    """Moves the draft to the wanted name, or to `name-2`, `name-3`, … where another file has it. The same file is kept."""
    path = wanted
    for number in count(2):
        try:
            path.touch(exist_ok=False)  # takes the name; the draft then replaces it
        except FileExistsError:
            if same(path, digest):
                return path
            path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        else:
            break
    return draft.replace(path)


def same(path: Path, digest: str) -> bool:
    """Whether a file lies here that has this SHA-256."""
    if not path.is_file():
        return False
    found = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            found.update(chunk)
    return found.hexdigest() == digest


def safe_name(name: str) -> str:
    """One harmless file name in place of what the server calls it: no folder, no hidden file, no control character."""
    cleaned = UNSAFE.sub("_", name)
    while len(os.fsencode(cleaned)) > LONGEST_NAME:
        cleaned = cleaned[1:]  # the end has the suffix
    return re.sub(r"^\.+", "_", cleaned.strip()) or "artifact"
