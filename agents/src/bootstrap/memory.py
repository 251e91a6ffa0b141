"""Wires the shared memory."""

import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agents.src.clock import Clock
from agents.src.errors import Misconfigured
from agents.src.memory import Editor, Keeper, LessonStore, Recall, Replica, Sync, digest
from agents.src.services.database import Db
from agents.src.services.lesson_store import SqlLessonStore
from agents.src.services.memory_file import NAME as MEMORY
from agents.src.services.memory_folders import may_be_file
from agents.src.services.modal_app import QDRANT_SECRET
from agents.src.services.modal_memory import begun
from agents.src.services.secrets import looks_secret
from agents.src.settings import Settings
from agents.src.skills import Catalogue

if TYPE_CHECKING:
    from agents.src.services.qdrant import QdrantMemory


class Memory:
    """The shared memory as configured, and what works on it. Whoever does not use it pays nothing for it.

    `nudge` is told the name of a skill whose memory was written here, so that a server brings its own memory.md in step.
    Without `embedded` it takes a server: containers share no folder.
    """

    def __init__(
        self,
        settings: Settings,
        db: Db,
        clock: Clock,
        nudge: Callable[[str], None] | None = None,
        *,
        embedded: bool = True,
    ) -> None:
        """Raises Misconfigured for a QDRANT_URL or QDRANT_API_KEY that can be none."""
        self._settings = settings
        self._db = db
        self._clock = clock
        self._embedded = embedded
        if settings.qdrant_url is not None:
            from agents.src.services.qdrant_http import HttpWire

            HttpWire(settings.qdrant_url, settings.qdrant_api_key)  # what is wrong is said now, not after the first task
        self.lessons: LessonStore = SqlLessonStore(db, clock)
        self.nudge = nudge or (lambda skill: None)  # noqa: ARG005

    @property
    def is_begun(self) -> bool:
        """Whether there can be anything in it: an embedded one that nobody has written to lies nowhere."""
        return self._settings.qdrant_url is not None or not self._embedded or self._folder.exists()

    @cached_property
    def _folder(self) -> Path:
        """Of the embedded one. Kept: every run looks whether it is there."""
        return self._settings.state_dir / "qdrant"

    @cached_property
    def store(self) -> "QdrantMemory":
        """Raises Misconfigured."""
        if self._settings.qdrant_url is None and not self._embedded:
            raise Misconfigured(f"QDRANT_URL is not set. Put the URL of a Qdrant server into the Modal secret {QDRANT_SECRET}.")
        from agents.src.services.qdrant import open_memory  # brings httpx, or the embedded Qdrant

        return open_memory(self._settings)

    def recall(self) -> Recall:
        return Recall(lambda: self.store if self.is_begun else None, self._settings.memory_tokens)

    def editor(self, source: str) -> Editor:
        return Editor(self.store, self._clock, looks_secret, source)

    def sync(self, author: str, source: str = "local") -> Sync:
        return Sync(self.store, self._clock, looks_secret, author, source)

    def replica(self, folder: Path, skill: str, name: str = "local") -> Replica:
        """The memory.md in a skill's folder. `name`: how its writer's name begins."""
        from agents.src.services.replica import FolderReplica, machine_id

        locks = self._settings.state_dir / "locks"
        return FolderReplica(folder, skill, self._db, self._clock, machine_id(), name, locks=locks)

    def replica_on_volume(self, folder: Path, skill: str) -> Replica:
        """The same replica, whichever container it is opened in: a lease, not its lock, keeps others away."""
        from agents.src.services.replica import FolderReplica

        locks = Path(tempfile.gettempdir()) / "modal-invoke-locks"
        return FolderReplica(folder, skill, self._db, self._clock, "modal", "cloud", locks=locks, make=True)

    def keeper(self, catalogue: Catalogue, author: str) -> Keeper:
        """Of the memory.md files in the skills' own folders. `author`: who edits them."""
        return Keeper(self.lessons, lambda skill: self.replica(catalogue.get(skill).folder, skill, "server"), self.sync(author))

    def cloud_keeper(self, catalogue: Catalogue) -> Keeper:
        """Of the memory.md files on the Volume."""
        root = self._settings.state_dir / "memory"

        def replica_of(skill: str) -> Replica:
            return self.replica_on_volume(begun(root / skill, catalogue.get(skill).folder), skill)

        return Keeper(self.lessons, replica_of, self.sync("cloud", "cloud"), restores=True)

    def auto_memory(self, directory: Path) -> tuple[Path, Replica]:
        """Claude Code's own memory of the project that a directory belongs to, and its folder. Raises InvalidRequest."""
        from agents.src.services.auto_memory import AutoMemory
        from agents.src.services.auto_memory_place import find_place

        place = find_place(directory, self._settings.claude_config_dir)
        own = self._settings.state_dir / "auto-memory" / digest(str(place.folder))[:12]
        return place.folder, AutoMemory(place.folder, self.replica(own, place.skill), own)

    async def close(self) -> None:
        if "store" in self.__dict__:
            await self.store.close()


async def keep_here(memory: Memory, catalogue: Catalogue, author: str, nudged: frozenset[str]) -> None:
    """Keeps the memories of the skills that were nudged; without any, of all. Where there is none yet, nothing is opened."""
    mine = [skill for skill in catalogue if skill.name in nudged or not nudged]
    skills = [skill.name for skill in mine if memory.is_begun or may_be_file(skill.folder / MEMORY)]
    if skills or (mine and await memory.lessons.waiting()):
        await memory.keeper(catalogue, author).keep_all(skills)
