"""Wires the containers of the deployed app: they share PostgreSQL and a Volume, and nothing else."""

import tempfile
from pathlib import Path

import structlog

from agents.src.bootstrap.engines import default_engines, default_responder
from agents.src.bootstrap.memory import Memory
from agents.src.bootstrap.program import KEEP_EVERY, Parts, bootstrap, escalation_over
from agents.src.clock import Clock
from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.budget_store import SqlBudgets
from agents.src.services.database import Db, open_database
from agents.src.services.files import FolderFiles
from agents.src.services.lease import Lease
from agents.src.services.modal_app import DATABASE_SECRET, KEEP_SECONDS, VOLUME
from agents.src.services.modal_memory import call_keeper
from agents.src.services.modal_responder import ModalResponder
from agents.src.services.modal_runner import ModalRunner
from agents.src.services.modal_volume import named_volume
from agents.src.services.outbox_store import SqlOutboxStore
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.task_store import SqlTaskStore
from agents.src.services.webhooks import Webhooks
from agents.src.settings import OFF, Settings, granted_variables
from agents.src.skills import Catalogue
from agents.src.tasks import Answering, Budgets, Callbacks, Hub, Reaper, Responder, Tidying, worker_of

log = structlog.get_logger()

KEEP_PATIENCE = 60.0
"""Seconds that a round of keeping waits for another."""
DAY = 86400.0
SEND_SECONDS = 30.0
"""After so many, the cron begins no further attempt to reach a callback: it is due again within the minute."""
TOMBSTONES_LAST = 90 * DAY
"""Seconds. A memory.md that was last synced before then brings back what was deleted since."""


def web_container(settings: Settings, catalogue: Catalogue) -> Parts:
    """Takes requests and has every task run in a container of its own. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    runner, files = ModalRunner(SqlTaskStore(db, Hub(), clock)), on_volume(settings, db, clock)
    return bootstrap(
        settings,
        clock=clock,
        catalogue=catalogue,
        engines={},
        db=db,
        files=files,
        runner=runner,
        keep=keep_in_cloud,
        responder=called_responder(settings),
    )


def skill_container(settings: Settings, catalogue: Catalogue, call_id: str) -> Parts:
    """Runs one task, under the name of the call that it was started by. Raises Misconfigured, Unavailable."""
    db, clock = shared_database(settings), Clock()
    files, name = on_volume(settings, db, clock), worker_of(call_id)
    settings = settings.model_copy(update={"question_hold_seconds": 0.0})  # a container that waits is paid for
    engines = default_engines(settings, catalogue, db, granted_variables())
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
            # Of all that runs by itself, this alone has the Volume.
            await Tidying(SqlTaskStore(db, Hub(), clock), on_volume(settings, db, clock), clock).tidy()
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
        # The web app, which does so at once, is not always there.
        answering = Answering(SqlQuestionStore(db, hub, clock), runner)
        await escalation_over(
            answering, store, hub, clock, called_responder(settings), budgets_of(settings, db, hub, clock)
        ).once()
        await send_due(settings, db, hub, clock)
    finally:
        await db.close()


def budgets_of(settings: Settings, db: Db, hub: Hub, clock: Clock) -> Budgets:
    return SqlBudgets(db, hub, clock, settings.daily_budget_usd)


def called_responder(settings: Settings) -> Responder | None:
    """For the containers that have no Claude Code."""
    return None if settings.question_responder == OFF else ModalResponder()


async def respond(settings: Settings, question_id: str) -> None:
    """One call of the responder: the model is asked, and its answer kept, or the next in turn asked.

    Raises Misconfigured, Unavailable, UnknownQuestion.
    """
    db, clock = shared_database(settings), Clock()
    try:
        hub = Hub()
        store = SqlTaskStore(db, hub, clock)
        answering = Answering(SqlQuestionStore(db, hub, clock), ModalRunner(store))
        await escalation_over(
            answering, store, hub, clock, default_responder(settings), budgets_of(settings, db, hub, clock)
        ).respond(question_id)
    finally:
        await db.close()


async def send_due(settings: Settings, db: Db, hub: Hub, clock: Clock) -> None:
    """What callbacks are to be told, for as long as no server is there that does so. Raises Unavailable."""
    outbox, store, questions = SqlOutboxStore(db, hub, clock), SqlTaskStore(db, hub, clock), SqlQuestionStore(db, hub, clock)
    post = Webhooks(private=settings.callback_private_addresses)
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
