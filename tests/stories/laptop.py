"""A person's machine: a skills folder, a state of its own, and the shared memory that a place uses too."""

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.src.memory import Document
from tests.stories.house import PATIENCE, ROOT
from tests.stories.local import AGENTS

LONGEST = 60
"""Seconds for one command."""


@dataclass(frozen=True)
class Laptop:
    """`shared` are the variables that name the shared memory, `skill` is the one whose memory.md is looked at."""

    folder: Path
    shared: Mapping[str, str]
    skill: str

    @classmethod
    def bought(cls, folder: Path, shared: Mapping[str, str], skill: str = "apprentice") -> "Laptop":
        laptop = cls(folder, shared, skill)
        laptop.file.parent.mkdir(parents=True)
        (laptop.file.parent / "SKILL.md").write_text(f"---\nname: {skill}\ndescription: As in the cloud.\n---\nDo it.\n")
        return laptop

    @property
    def file(self) -> Path:
        return self.folder / "skills" / self.skill / "memory.md"

    @property
    def lines(self) -> dict[str, str]:
        """Text → id."""
        if not self.file.exists():
            return {}
        return {item.text: str(item.id) for item in Document.parse(self.file.read_text()).items}

    def edit(self, before: str, after: str) -> None:
        """In an editor: the text before, which is there once, gives way to the text after."""
        text = self.file.read_text()
        assert text.count(before) == 1
        self.file.write_text(text.replace(before, after))

    def delete(self, fact: str) -> None:
        """The line that says so."""
        lines = self.file.read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(f"- {fact} ")]
        assert len(kept) == len(lines) - 1
        self.file.write_text("".join(kept))

    def memory(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`agents memory …`"""
        own = {"HOME": str(self.folder), "MODAL_INVOKE_STATE_DIR": str(self.folder / "state")}
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **own, **self.shared}
        command = [*AGENTS, "memory", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=LONGEST, check=False)

    def sync(self, code: int = 0) -> str:
        """What it says; fails where its exit code is another."""
        done = self.memory("sync", "--dir", str(self.folder / "skills"))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def syncs_until(self, *facts: str, gone: bool = False) -> None:
        """Until all of these are in the file; or with `gone`, none of them."""
        end = time.monotonic() + PATIENCE
        while True:
            self.sync()
            lines = self.lines
            if not any(fact in lines for fact in facts) if gone else all(fact in lines for fact in facts):
                return
            assert time.monotonic() < end, self.file.read_text()
