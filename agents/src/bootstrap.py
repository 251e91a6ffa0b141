"""The composition root: the only place that names adapters. Tests call the same functions with other arguments."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from agents import __version__
from agents.src.clock import Clock
from agents.src.errors import EngineFailed, Misconfigured, Unavailable
from agents.src.memory import Editor, Keeper, Keeping, KeepRound, LessonStore, Recall, Replica, Sync, digest
from agents.src.services.database import Db, open_database
from agents.src.services.files import FolderFiles
from agents.src.services.inbox_store import SqlInboxStore
from agents.src.services.lease import Lease
from agents.src.services.lesson_store import SqlLessonStore
from agents.src.services.markdown import read_catalogue
from agents.src.services.modal_app import DATABASE_SECRET, KEEP_SECONDS, QDRANT_SECRET, VOLUME
from agents.src.services.modal_memory import begun, call_keeper
from agents.src.services.modal_runner import ModalRunner
from agents.src.services.modal_volume import named_volume
from agents.src.services.outbox_store import SqlOutboxStore
from agents.src.services.processes import end_runs_of, is_gone, worker_name
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.secrets import looks_secret
from agents.src.services.task_store import SqlTaskStore
from agents.src.services.token_store import SqlTokenStore
from agents.src.services.webhooks import Webhooks
from agents.src.settings import Settings, granted_variables
from agents.src.skills import Catalogue, Dispatcher, TokenStore
from agents.src.tasks import (
    Answering,
    ByCallback,
    Callbacks,
    Engine,
    Escalation,
    Execution,
    FileStore,
    Hub,
    InboxStore,
    OutboxStore,
    Post,
    QuestionStore,
    Reaper,
    Recovery,
    Run,
    Runner,
    Solo,
    TaskStore,
    Tools,
    Underway,
    Worker,
    worker_of,
)

if TYPE_CHECKING:
    from agents.src.services.qdrant import QdrantMemory

log = structlog.get_logger()

VERSION = __version__
KEEP_EVERY = 600.0
"""Seconds between two looks of a server at all memories. Modal's schedule says the same."""
KEEP_PAUSE = 2.0
"""Seconds between two calls of the Function that keeps the memory."""
KEEP_PATIENCE = 60.0
"""Seconds that such a call waits for another."""
SEND_SECONDS = 30.0
"""After so many, the cron begins no further attempt to reach a callback: it is due again within the minute."""
DAY = 86400.0
TOMBSTONES_LAST = 90 * DAY
"""Seconds. A memory.md that was last synced before then brings back what was deleted since."""


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
        self._settings = settings
        self._db = db
        self._clock = clock
        self._embedded = embedded
        self.lessons: LessonStore = SqlLessonStore(db, clock)
        self.nudge = nudge or (lambda skill: None)  # noqa: ARG005

    @property
    def is_begun(self) -> bool:
        """Whether there can be anything in it: an embedded one that nobody has written to lies nowhere."""
        return self._settings.qdrant_url is not None or not self._embedded or (self._settings.state_dir / "qdrant").exists()

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


@dataclass(frozen=True, slots=True)
class Parts:
    """The assembled program. Belongs to the event loop that opens it."""

    settings: Settings
    clock: Clock
    catalogue: Catalogue
    db: Db
    hub: Hub
    store: TaskStore
    questions: QuestionStore
    answering: Answering
    escalation: Escalation | None
    inbox: InboxStore
    outbox: OutboxStore
    callbacks: Callbacks | None
    files: FileStore
    tokens: TokenStore
    dispatcher: Dispatcher
    memory: Memory
    keeping: Keeping
    worker: Worker | None
    solo: Solo | None

    async def open(self) -> None:
        """Listens to other processes, recovers what died, and starts to work."""
        self.db.watch(self.hub.signal)
        if self.worker:
            await self.worker.open()
        if self.solo:
            self.solo.open()
        if self.escalation:
            self.escalation.open()
        if self.callbacks:
            self.callbacks.open()
        self.keeping.open()

    async def close(self) -> None:
        """Ends open streams, gives running tasks back, keeps what they learned, and closes the database."""
        self.hub.close()
        if self.escalation:
            await self.escalation.close()
        if self.worker:
            await self.worker.close()
        if self.solo:
            await self.solo.close()
        if self.callbacks:
            await self.callbacks.close()
        await self.keeping.close()
        await self.memory.close()
        await self.db.close()


def bootstrap(
    settings: Settings,
    *,
    clock: Clock | None = None,
    catalogue: Catalogue | None = None,
    engines: Mapping[str, Engine] | None = None,
    db: Db | None = None,
    files: FolderFiles | None = None,
    runner: Runner | None = None,
    keep: KeepRound | None = None,
    post: Post | None = None,
    alone: bool = False,
    name: str | None = None,
    author: str = "server",
) -> Parts:
    """Assembles the program.

    Tasks run in this process: any of the queue's, or, `alone`, only those submitted here. With a `runner` they run
    elsewhere. With `keep`, memories are kept elsewhere too, in a Qdrant that others share. `post` sends to callbacks. `name` is
    the worker's; `author` edits the skills' memory.md files here. Raises InvalidSkill, Misconfigured, Unavailable.
    """
    clock = clock or Clock()
    catalogue = catalogue if catalogue is not None else read_catalogue(settings.skills_dir)
    hub = Hub()
    db = db or open_database(settings.database_url.get_secret_value() if settings.database_url else None, settings.state_dir)
    store = SqlTaskStore(db, hub, clock)
    questions = SqlQuestionStore(db, hub, clock)
    tokens = SqlTokenStore(db, clock)
    root = settings.state_dir
    files = files or FolderFiles(root, root / "work", db, clock, settings.max_file_bytes)
    memory = Memory(settings, db, clock, embedded=keep is None)
    here = partial(keep_here, memory, catalogue, author)
    every = None if alone or runner else KEEP_EVERY
    keeping = Keeping(keep or here, every=every, pause=KEEP_PAUSE if keep else 0.0)
    memory.nudge = keeping.nudge
    engines = engines if engines is not None else default_engines(settings, catalogue)
    tools = Tools(*(store, questions, hub, engines, files, clock, memory.recall(), keeping.nudge), settings.question_hold_seconds)
    underway = Underway(name or worker_name(), store, lambda run: Execution(run, tools), hub, clock)
    solo = Solo(underway, store, clock) if alone and not runner else None
    worker = None
    if not runner and not solo:

        async def clear_away(run: Run) -> None:
            await end_runs_of(run.task.id)
            if run.task.waiting:
                await files.set_aside(run)
            await files.clear_away(run.task.id)

        recovery = Recovery(store, clock, is_gone, clear_away)
        limits = {skill.name: skill.resources.max_containers for skill in catalogue if skill.resources.max_containers}
        worker = Worker(underway, store, recovery, hub, clock, settings.max_concurrent_tasks, limits)
    chosen = runner or solo or worker
    assert chosen is not None  # one of the three, by the lines above
    limits_of_requests = (settings.task_timeout_seconds, settings.callback_private_addresses)
    dispatcher = Dispatcher(catalogue, store, files, tokens, chosen, clock, *limits_of_requests)
    answering = Answering(questions, chosen)
    escalation = None if alone else Escalation(answering, store, hub, clock, ByCallback(store), None)
    inbox, outbox = SqlInboxStore(db), SqlOutboxStore(db, hub, clock)
    post = post or Webhooks(private=settings.callback_private_addresses)
    callbacks = None if alone else Callbacks(outbox, store, questions, post, hub, clock)
    return Parts(
        *(settings, clock, catalogue, db, hub, store, questions, answering, escalation, inbox, outbox, callbacks),
        *(files, tokens, dispatcher, memory, keeping, worker, solo),
    )


async def keep_here(memory: Memory, catalogue: Catalogue, author: str, nudged: frozenset[str]) -> None:
    """Keeps the memories of the skills that were nudged; without any, of all. Where there is none yet, nothing is opened."""
    mine = [skill for skill in catalogue if skill.name in nudged or not nudged]
    skills = [skill.name for skill in mine if memory.is_begun or (skill.folder / "memory.md").exists()]
    if skills or (mine and await memory.lessons.waiting()):
        await memory.keeper(catalogue, author).keep_all(skills)


def default_engines(settings: Settings, catalogue: Catalogue, granted: Mapping[str, str] | None = None) -> dict[str, Engine]:
    """`granted`: variables that the skills' programs and tools get."""
    # Imported here: the web container runs no engine, and would wait a tenth of a second for them.
    from agents.src.services.script import ScriptEngine

    return {"claude": claude_engine(settings, granted or {}), "script": ScriptEngine(folders(catalogue), granted)}


def claude_engine(settings: Settings, granted: Mapping[str, str]) -> Engine:
    from agents.src.services.claude_code import ClaudeEngine
    from agents.src.services.claude_credentials import CredentialSource
    from agents.src.services.rehearsal import read_script

    credentials = CredentialSource(settings.claude_config_dir, settings.anthropic_api_key, settings.claude_code_oauth_token)
    rehearsal = read_script(settings.rehearsal) if settings.rehearsal else None
    return ClaudeEngine(credentials, settings.anthropic_base_url, rehearsal, environment=granted)


def folders(catalogue: Catalogue) -> Callable[[str], Path]:
    """Where a skill's program lies. What is given raises EngineFailed for a skill that is gone since the task was accepted."""

    def folder_of(name: str) -> Path:
        if name not in catalogue:
            raise EngineFailed(f"The skill {name} is no longer in the catalogue; put it back, or submit to another.")
        return catalogue.get(name).folder

    return folder_of


# The containers of the deployed app: they share PostgreSQL and a Volume, and nothing else.


def web_container(settings: Settings, catalogue: Catalogue) -> Parts:
    """Takes requests and has every task run in a container of its own. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    runner, files = ModalRunner(SqlTaskStore(db, Hub(), clock)), on_volume(settings, db, clock)
    return bootstrap(
        settings, clock=clock, catalogue=catalogue, engines={}, db=db, files=files, runner=runner, keep=keep_in_cloud
    )


def skill_container(settings: Settings, catalogue: Catalogue, call_id: str) -> Parts:
    """Runs one task, under the name of the call that it was started by. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    files, name = on_volume(settings, db, clock), worker_of(call_id)
    engines = default_engines(settings, catalogue, granted_variables())
    return bootstrap(
        settings,
        clock=clock,
        catalogue=catalogue,
        engines=engines,
        db=db,
        files=files,
        keep=keep_in_cloud,
        alone=True,
        name=name,
    )


async def keep_in_cloud(nudged: frozenset[str]) -> None:  # noqa: ARG001  # a round is of all
    try:
        await call_keeper()
    except Unavailable as error:
        log.warning("memory_not_kept", detail=error.detail)


async def keep_memory(settings: Settings, catalogue: Catalogue) -> None:
    """What the app does every ten minutes, and when a memory was changed. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    memory, volume = Memory(settings, db, clock, embedded=False), named_volume(VOLUME, clock)
    try:
        # Two rounds may overlap where a new deployment's begins before an old one's has ended.
        async with Lease(db, clock, "memory", KEEP_SECONDS, KEEP_PATIENCE).held():
            await volume.refresh()
            await memory.cloud_keeper(catalogue).keep_all(skill.name for skill in catalogue)
            await volume.publish()
            await purge_daily(memory, clock.now())
    finally:
        await memory.close()
        await db.close()


async def purge_daily(memory: Memory, now: float) -> None:
    """In the first round after midnight UTC."""
    if now % DAY < KEEP_EVERY and (count := await memory.store.purge(now - TOMBSTONES_LAST)):
        log.info("memory_purged", tombstones=count)


async def reap(settings: Settings) -> None:
    """What the app does every minute. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    try:
        hub = Hub()
        store = SqlTaskStore(db, hub, clock)
        runner = ModalRunner(store)
        await Reaper(store, runner, runner, clock).reap()
        await send_due(settings, db, hub, clock)
    finally:
        await db.close()


async def send_due(settings: Settings, db: Db, hub: Hub, clock: Clock, post: Post | None = None) -> None:
    """What callbacks are to be told, for as long as no server is there that does so. Raises Unavailable."""
    post = post or Webhooks(private=settings.callback_private_addresses)
    outbox, store, questions = SqlOutboxStore(db, hub, clock), SqlTaskStore(db, hub, clock), SqlQuestionStore(db, hub, clock)
    callbacks = Callbacks(outbox, store, questions, post, hub, clock)
    try:
        await callbacks.send_due(clock.now() + SEND_SECONDS)
    finally:
        await callbacks.close()


def shared_database(settings: Settings) -> Db:
    """Only a server will do: without one each container would keep its tasks to itself. Raises Misconfigured, Unavailable."""
    if settings.database_url is None:
        raise Misconfigured(f"DATABASE_URL is not set. Put a PostgreSQL database's URL into the Modal secret {DATABASE_SECRET}.")
    return open_database(settings.database_url.get_secret_value(), settings.state_dir)


def on_volume(settings: Settings, db: Db, clock: Clock) -> FolderFiles:
    """Files and artifacts on the Volume, the folders of runs on the container's own disk."""
    volume, scratch = named_volume(VOLUME, clock), Path(tempfile.gettempdir()) / "modal-invoke"
    return FolderFiles(settings.state_dir, scratch, db, clock, settings.max_file_bytes, volume.publish, volume.refresh)
