"""Folders of skills on disk: what lies in them, and changes that a killed build leaves whole or not made."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from agents.src.errors import InvalidRequest, InvalidSkill
from agents.src.records import Kept
from agents.src.services.markdown import IGNORED, INFO, shown
from agents.src.services.skill_md import find_skill_md
from agents.src.skills import SKILL_MD

RECORD = ".build.json"
OWN = {INFO, "memory.md", SKILL_MD.lower()}
"""At the top of a folder: never copied and never taken away."""
NOT_A_FILE = "not a file"
"""In the place of a digest: a folder, or a link, stands there."""


class Record(Kept):
    """What a build leaves beside info.md for the next one. `defaults`: keys it took from SKILL.md's metadata, and what they
    said; `files`: digests of what it copied, by path."""

    defaults: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)

    def to_text(self) -> str:
        return self.model_dump_json(indent=2) + "\n" if self.defaults or self.files else ""


def find_local(paths: Iterable[Path]) -> list[Path]:
    """Every SKILL.md in these folders, each the folder of a skill or of skills. Raises InvalidRequest where there is none."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        folders = [path] if find_skill_md(path) else [folder for folder in inside if not _hidden(folder.name)]
        files = [file.absolute() for folder in folders if (file := find_skill_md(folder))]
        if not files:
            raise InvalidRequest(
                f"There is no {SKILL_MD} in {shown(path)}, nor in a folder there; name a folder of a skill or of skills."
            )
        found.update(dict.fromkeys(files))
    return list(found)


def read_record(target: Path) -> Record:
    """An empty one where there is none that can be read: then nothing is taken for a build's work."""
    try:
        record = Record.model_validate_json((target / RECORD).read_bytes())
    except (OSError, ValidationError):
        return Record()
    return record.model_copy(update={"files": {path: sha for path, sha in record.files.items() if path.lower() not in OWN}})


def supporting_files(folder: Path) -> dict[str, str]:
    """The digests of all that lies beside a SKILL.md, by path. Hidden files and `__pycache__` are passed over.

    Raises InvalidSkill for what cannot be copied.
    """
    return {path.relative_to(folder).as_posix(): digest(path) for path in _walk(folder) if not _own(path, folder)}


def _own(path: Path, folder: Path) -> bool:
    return path.parent == folder and path.name.lower() in OWN


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in folders:
            if (Path(here) / name).is_symlink():
                raise InvalidSkill(
                    f"{shown(Path(here) / name)} is a link to a folder; put the folder there, or take the link away"
                )
        yield from (_checked(Path(here) / name, folder.resolve()) for name in sorted(names) if not _hidden(name))


def _checked(path: Path, root: Path) -> Path:
    real = path.resolve()
    if not real.is_relative_to(root) or any(_hidden(part) for part in real.relative_to(root).parts):
        raise InvalidSkill(f"{shown(path)} is a link that leaves the skill; put the file there, or take the link away")
    if not path.is_file():
        raise InvalidSkill(f"{shown(path)} is no file that can be copied; take it away")
    return path


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == IGNORED


def digest(path: Path) -> str:
    """Of what a file holds, and whether it can be executed. Raises InvalidSkill where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() + ("+x" if os.access(path, os.X_OK) else "")
    except OSError as error:
        raise InvalidSkill(f"{shown(path)} cannot be read: {error.strerror}") from None


def target_files(target: Path, paths: Collection[str]) -> dict[str, str]:
    """The digests of those of these paths that there are. Raises InvalidSkill where one leads out of the folder."""
    found: dict[str, str] = {}
    for relative in paths:
        path = target / relative
        if not path.parent.resolve().is_relative_to(target.resolve()):
            raise InvalidSkill(f"{shown(path)} leads out of the skill's folder; take the link away")
        if path.is_symlink() or path.is_dir():
            found[relative] = NOT_A_FILE
        elif path.is_file():
            found[relative] = digest(path)
    return found


def remove(target: Path, relative: str) -> None:
    """The file, and the folders that it leaves empty."""
    (target / relative).unlink(missing_ok=True)
    for folder in (target / relative).parents:
        if folder == target or any(folder.iterdir()):
            break
        folder.rmdir()


def copy(source: Path, target: Path) -> None:
    draft = _draft(target)
    shutil.copyfile(source, draft)
    if os.access(source, os.X_OK):
        draft.chmod(draft.stat().st_mode | 0o111)
    draft.replace(target)


def write(target: Path, text: str) -> None:
    """With the mode of the file whose place it takes; an empty text takes the file away."""
    if not text:
        target.unlink(missing_ok=True)
        return
    draft = _draft(target)
    draft.write_bytes(text.encode())
    if target.exists():
        shutil.copymode(target, draft)
    draft.replace(target)


def _draft(target: Path) -> Path:
    """Beside the target, so that taking its place is one step; hidden, so that no other build copies it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}")
