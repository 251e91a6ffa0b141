"""The composition root: the only place that names adapters. Tests call the same functions with other arguments."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agents import __version__
from agents.src.clock import Clock
from agents.src.errors import EngineFailed, Misconfigured
from agents.src.services.database import Db, open_database
from agents.src.services.files import FolderFiles
from agents.src.services.markdown import read_catalogue
from agents.src.services.modal_app import DATABASE_SECRET, VOLUME
from agents.src.services.modal_runner import ModalRunner
from agents.src.services.modal_volume import named_volume
from agents.src.services.processes import end_runs_of, is_gone, worker_name
from agents.src.services.task_store import SqlTaskStore
from agents.src.services.token_store import SqlTokenStore
from agents.src.settings import Settings, granted_variables
from agents.src.skills import Catalogue, Dispatcher, TokenStore
from agents.src.tasks import (
    Engine,
    Execution,
    FileStore,
    Hub,
    Reaper,
    Recovery,
    Runner,
    Solo,
    TaskStore,
    Tools,
    Underway,
    Worker,
    worker_of,
)

VERSION = __version__


@dataclass(frozen=True, slots=True)
class Parts:
    """The assembled program. Belongs to the event loop that opens it."""

    settings: Settings
    clock: Clock
    catalogue: Catalogue
    db: Db
    hub: Hub
    store: TaskStore
    files: FileStore
    tokens: TokenStore
    dispatcher: Dispatcher
    worker: Worker | None
    solo: Solo | None

    async def open(self) -> None:
        """Listens to other processes, recovers what died, and starts to work."""
        self.db.watch(self.hub.signal)
        if self.worker:
            await self.worker.open()
        if self.solo:
            self.solo.open()

    async def close(self) -> None:
        """Ends open streams, gives running tasks back, and closes the database."""
        self.hub.close()
        if self.worker:
            await self.worker.close()
        if self.solo:
            await self.solo.close()
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
    alone: bool = False,
    name: str | None = None,
) -> Parts:
    """Assembles the program.

    Tasks run in this process: any of the queue's, or, `alone`, only those submitted here. With a `runner` they run
    elsewhere. `name` is the worker's. Raises InvalidSkill, Misconfigured, Unavailable.
    """
    clock = clock or Clock()
    catalogue = catalogue if catalogue is not None else read_catalogue(settings.skills_dir)
    hub = Hub()
    db = db or open_database(settings.database_url.get_secret_value() if settings.database_url else None, settings.state_dir)
    store = SqlTaskStore(db, hub, clock)
    tokens = SqlTokenStore(db, clock)
    root = settings.state_dir
    files = files or FolderFiles(root, root / "work", db, clock, settings.max_file_bytes)
    tools = Tools(store, engines if engines is not None else default_engines(settings, catalogue), files, clock)
    underway = Underway(name or worker_name(), store, lambda run: Execution(run, tools), hub, clock)
    solo = Solo(underway, store, clock) if alone and not runner else None
    worker = None
    if not runner and not solo:

        async def clear_away(task_id: str) -> None:
            await end_runs_of(task_id)
            await files.clear_away(task_id)

        recovery = Recovery(store, clock, is_gone, clear_away)
        limits = {skill.name: skill.resources.max_containers for skill in catalogue if skill.resources.max_containers}
        worker = Worker(underway, store, recovery, hub, clock, settings.max_concurrent_tasks, limits)
    chosen = runner or solo or worker
    assert chosen is not None  # one of the three, by the lines above
    dispatcher = Dispatcher(catalogue, store, files, tokens, chosen, clock, settings.task_timeout_seconds)
    return Parts(settings, clock, catalogue, db, hub, store, files, tokens, dispatcher, worker, solo)


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
    return bootstrap(settings, clock=clock, catalogue=catalogue, engines={}, db=db, files=files, runner=runner)


def skill_container(settings: Settings, catalogue: Catalogue, call_id: str) -> Parts:
    """Runs one task, under the name of the call that it was started by. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    files, name = on_volume(settings, db, clock), worker_of(call_id)
    engines = default_engines(settings, catalogue, granted_variables())
    return bootstrap(settings, clock=clock, catalogue=catalogue, engines=engines, db=db, files=files, alone=True, name=name)


async def reap(settings: Settings) -> None:
    """What the app does every minute. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    try:
        store = SqlTaskStore(db, Hub(), clock)
        runner = ModalRunner(store)
        await Reaper(store, runner, runner, clock).reap()
    finally:
        await db.close()


def shared_database(settings: Settings) -> Db:
    """Only a server will do: without one each container would keep its tasks to itself. Raises Misconfigured, Unavailable."""
    if settings.database_url is None:
        raise Misconfigured(f"DATABASE_URL is not set. Put a PostgreSQL database's URL into the Modal secret {DATABASE_SECRET}.")
    return open_database(settings.database_url.get_secret_value(), settings.state_dir)


def on_volume(settings: Settings, db: Db, clock: Clock) -> FolderFiles:
    """Files and artifacts on the Volume, the folders of runs on the container's own disk."""
    volume, scratch = named_volume(VOLUME, clock), Path(tempfile.gettempdir()) / "modal-invoke"
    return FolderFiles(settings.state_dir, scratch, db, clock, settings.max_file_bytes, volume.publish, volume.refresh)
