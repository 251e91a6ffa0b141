"""Wires the program, wherever it runs. Tests call the same function with other arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from agents.src.bootstrap.engines import default_engines, default_responder
from agents.src.bootstrap.memory import Memory, keep_here
from agents.src.clock import Clock
from agents.src.conversations import ConversationStore
from agents.src.memory import Keeping, KeepRound
from agents.src.services.budget_store import SqlBudgets
from agents.src.services.conversation_store import SqlConversationStore
from agents.src.services.database import Db, open_database
from agents.src.services.files import FolderFiles
from agents.src.services.inbox_store import SqlInboxStore
from agents.src.services.markdown import read_catalogue
from agents.src.services.outbox_store import SqlOutboxStore
from agents.src.services.processes import end_runs_of, is_gone, worker_name
from agents.src.services.question_store import SqlQuestionStore
from agents.src.services.steering_store import SqlSteeringStore
from agents.src.services.task_store import SqlTaskStore
from agents.src.services.token_store import SqlTokenStore
from agents.src.services.webhooks import Webhooks
from agents.src.services.workdirs import FolderWorkdirs, NoWorkdirs
from agents.src.settings import Settings
from agents.src.skills import Catalogue, Dispatcher, TokenStore, checked_prices
from agents.src.tasks import (
    Answering,
    Budgets,
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
    Recovery,
    Responder,
    Run,
    Runner,
    Solo,
    Steering,
    TaskStore,
    Tidying,
    Tools,
    Underway,
    Worker,
)

KEEP_EVERY = 600.0
"""Seconds between two looks of a server at all memories. Modal's schedule says the same."""
KEEP_PAUSE = 2.0
"""Seconds between two calls of the Function that keeps the memory."""


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
    steering: Steering
    escalation: Escalation
    """Of a process that runs its own tasks only (`solo`), whoever submits one there opens it for that one."""
    inbox: InboxStore
    outbox: OutboxStore
    callbacks: Callbacks
    files: FileStore
    tokens: TokenStore
    budgets: Budgets
    dispatcher: Dispatcher
    memory: Memory
    conversations: ConversationStore
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
        else:
            self.escalation.open()
            self.callbacks.open()
        self.keeping.open()

    async def close(self) -> None:
        """Ends open streams, gives running tasks back, keeps what they learned, and closes the database."""
        self.hub.close()
        await self.escalation.close()
        if self.worker:
            await self.worker.close()
        if self.solo:
            await self.solo.close()
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
    responder: Responder | None = None,
    alone: bool = False,
    name: str | None = None,
    author: str = "server",
) -> Parts:
    """Assembles the program.

    Tasks run in this process: any of the queue's, or, `alone`, only those submitted here. With a `runner` they run
    elsewhere. With `keep`, memories are kept elsewhere too, in a Qdrant that others share. `post` sends to callbacks,
    `responder` answers for people. `name` is the worker's; `author` edits the skills' memory.md files here.
    Raises InvalidSkill, Misconfigured, Unavailable.
    """
    clock = clock or Clock()
    catalogue = catalogue if catalogue is not None else read_catalogue(settings.skills_dir)
    hub = Hub()
    db = db or open_database(settings.database_url.get_secret_value() if settings.database_url else None, settings.state_dir)
    store = SqlTaskStore(db, hub, clock)
    questions = SqlQuestionStore(db, hub, clock)
    conversations = SqlConversationStore(db, clock)
    tokens = SqlTokenStore(db, clock)
    budgets = SqlBudgets(db, hub, clock, settings.daily_budget_usd)
    root = settings.state_dir
    workdirs = NoWorkdirs() if runner else FolderWorkdirs(settings.workdirs, root)
    files = files or FolderFiles(root, root / "work", db, clock, settings.max_file_bytes, workdirs=workdirs)
    memory = Memory(settings, db, clock, embedded=keep is None)
    here = partial(keep_here, memory, catalogue, author)
    every = None if alone or runner else KEEP_EVERY
    keeping = Keeping(keep or here, every=every, pause=KEEP_PAUSE if keep else 0.0)
    memory.nudge = keeping.nudge
    engines = engines if engines is not None else default_engines(settings, catalogue, db)
    tools = Tools(
        *(store, questions, hub, engines, files, clock, memory.recall(), keeping.nudge),
        hold=settings.question_hold_seconds,
        conversations=conversations,
        budgets=budgets,
    )
    underway = Underway(name or worker_name(), store, lambda run: Execution(run, tools), hub, clock)
    solo = Solo(underway, store, clock) if alone and not runner else None
    worker = None
    limits = {skill.name: skill.resources.max_containers for skill in catalogue if skill.resources.max_containers}
    if not runner and not solo:

        async def clear_away(run: Run) -> None:
            await end_runs_of(run.task.id)
            if run.task.waiting:
                await files.set_aside(run)
            await files.clear_away(run.task.id)

        recovery = Recovery(store, clock, is_gone, clear_away, Tidying(store, files, clock))
        worker = Worker(underway, store, recovery, hub, clock, settings.max_concurrent_tasks, limits)
    chosen = runner or solo or worker
    assert chosen is not None  # one of the three, by the lines above
    limits_of_requests = (settings.task_timeout_seconds, settings.callback_private_addresses)
    dispatcher = Dispatcher(
        *(catalogue, store, files, tokens, chosen, clock, workdirs, *limits_of_requests),
        prices=checked_prices(settings.compute_prices) if runner else None,
        cap=settings.max_concurrent_tasks if worker else None,
        limits={} if solo else limits,
    )
    answering = Answering(questions, chosen)
    escalation = escalation_over(answering, store, hub, clock, responder or default_responder(settings), budgets)
    steering = Steering(SqlSteeringStore(db, hub, clock), chosen)
    inbox, outbox = SqlInboxStore(db), SqlOutboxStore(db, hub, clock)
    post = post or Webhooks(private=settings.callback_private_addresses)
    callbacks = Callbacks(outbox, store, questions, post, hub, clock)
    return Parts(
        *(settings, clock, catalogue, db, hub, store, questions, answering, steering, escalation),
        *(inbox, outbox, callbacks, files, tokens, budgets, dispatcher),
        *(memory, conversations, keeping, worker, solo),
    )


def escalation_over(
    answering: Answering, store: TaskStore, hub: Hub, clock: Clock, responder: Responder | None, budgets: Budgets
) -> Escalation:
    """The same wherever it runs: who is not there in one process would be passed over for all."""
    return Escalation(answering, store, hub, clock, ByCallback(store), responder, budgets)
