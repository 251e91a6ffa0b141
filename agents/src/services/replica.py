"""One skill's memory.md in a folder, and its state in SQL. Implements `Replica` on any `Db`."""

import asyncio
import secrets
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from agents.src.clock import Clock
from agents.src.errors import Misconfigured, Unavailable
from agents.src.memory import Advance, Intent, Mark, MemoryEntry, Sent, State, digest
from agents.src.services.database import Db, Tx
from agents.src.services.memory_file import NAME, MemoryFile

PATIENCE = 10.0
"""Seconds that a sync waits for another of the same file."""
TURN = 0.05
"""Seconds between two tries."""
NEW = "insert into replica (key, writer) values (?, ?) on conflict (key) do nothing"
AGREED = (
    "insert into replica_entry (replica, id, base) values (?, ?, ?) "
    "on conflict (replica, id) do update set base = excluded.base, aside = null"
)
ASIDE = (
    "insert into replica_entry (replica, id, aside) values (?, ?, ?) "
    "on conflict (replica, id) do update set aside = excluded.aside"
)
SEEN = (
    "insert into replica_seen (replica, writer, number, whole) values (?, ?, ?, ?) "
    "on conflict (replica, writer) do update set number = excluded.number, whole = excluded.whole"
)
OUT = "insert into replica_outbox (replica, writer, number, id, sent) values (?, ?, ?, ?, ?)"
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
MADE_UP = 1 << 40
"""The bit of an address that says that it is no network card's, but was drawn at random for this process."""


class FolderReplica:
    """`machine` tells machines apart, as `machine_id` does: a state that was copied to another is not taken for its own.

    `name` is how the writer's name begins. `locks` is the folder of the locks. With `make`, the skill's folder is made where it
    is not there.
    """

    def __init__(
        self, folder: Path, skill: str, db: Db, clock: Clock, machine: str, name: str, *, locks: Path, make: bool = False
    ) -> None:
        self.skill = skill
        self._file = MemoryFile(folder, make=make)
        self._db = db
        self._clock = clock
        self._name = name
        self._machine = machine
        self._locks = locks

    @cached_property
    def _key(self) -> str:
        """The same from every folder that links to this file: two states of one file would each undo what the other did."""
        path = self._file.path
        place = path.parent if path.name == NAME else path
        return digest(self._machine, str(place), self.skill)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        lock = await asyncio.to_thread(self._lock)
        give_up = self._clock.now() + PATIENCE
        # No thread waits: all of them waiting for locks would leave none to whoever holds one.
        while not await asyncio.to_thread(is_taken, lock):
            if self._clock.now() >= give_up:
                raise Unavailable(f"{self._file.path} is being synced by another program; try again when that is done.")
            await self._clock.sleep(TURN)
        try:
            yield
        finally:
            lock.release()

    def _lock(self) -> FileLock:
        with told(self._locks):
            self._locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileLock(self._locks / f"{self._key[:32]}.lock", thread_local=False)

    async def read(self) -> str | None:
        return await asyncio.to_thread(self._file.read)

    async def write(self, text: str, over: str | None) -> bool:
        return await asyncio.to_thread(self._file.write, text, over)

    async def load(self) -> State:
        state = await self._db.read(self._loaded)
        if state is None:
            await self._db.write(self._begin)
            state = await self._db.read(self._loaded)
        assert state is not None  # nothing ever takes it away
        return state

    def _loaded(self, tx: Tx) -> State | None:
        rows = tx.run("select writer, number, generation, intent, verified_at from replica where key = ?", self._key)
        if not rows:
            return None
        [(writer, number, generation, intent, verified_at)] = rows
        entries = tx.run("select id, base, aside from replica_entry where replica = ?", self._key)
        seen = tx.run("select writer, number, whole from replica_seen where replica = ?", self._key)
        outbox = tx.run("select sent from replica_outbox where replica = ? order by number, id", self._key)
        return State(
            writer,
            number,
            generation,
            base={row[0]: MemoryEntry.model_validate_json(row[1]) for row in entries if row[1] is not None},
            aside={row[0]: MemoryEntry.model_validate_json(row[2]) for row in entries if row[2] is not None},
            seen={row[0]: Mark(row[1], bool(row[2])) for row in seen},
            outbox=tuple(Sent.model_validate_json(row[0]) for row in outbox),
            intent=None if intent is None else Intent.model_validate_json(intent),
            verified_at=verified_at,
        )

    def _begin(self, tx: Tx) -> None:
        tx.run(NEW, self._key, self._new_writer())

    def _new_writer(self) -> str:
        return f"{self._name}.{secrets.token_hex(4)}"

    async def intend(self, intent: Intent) -> None:
        await self._set("intent = ?", intent.model_dump_json())

    async def verified(self, at: float) -> None:
        await self._set("verified_at = ?", at)

    async def rename(self, *, unseen: bool = False) -> None:
        def work(tx: Tx) -> None:
            self._begin(tx)
            tx.run("update replica set writer = ?, number = 0 where key = ?", self._new_writer(), self._key)
            if unseen:
                tx.run("delete from replica_seen where replica = ?", self._key)

        await self._db.write(work)

    async def advance(self, step: Advance, generation: str | None = None) -> None:
        def work(tx: Tx) -> None:
            self._begin(tx)
            if step.number is not None:
                tx.run("update replica set number = ? where key = ?", step.number, self._key)
            if generation is not None:
                tx.run("update replica set generation = ?, intent = null where key = ?", generation, self._key)
            self._step(tx, step)

        await self._db.write(work)

    def _step(self, tx: Tx, step: Advance) -> None:
        key = self._key
        gone = [(key, which) for which, entry in step.base.items() if entry is None]
        agreed = [(key, which, entry.model_dump_json()) for which, entry in step.base.items() if entry is not None]
        tx.many("delete from replica_entry where replica = ? and id = ?", gone)
        tx.many(AGREED, agreed)
        tx.many(ASIDE, [(key, which, entry.model_dump_json()) for which, entry in step.aside.items()])
        tx.many(SEEN, [(key, writer, number, int(whole)) for writer, (number, whole) in step.seen.items()])
        sent = [(one.entry, one.model_dump_json()) for one in step.sent]
        tx.many(OUT, [(key, entry.writer, entry.number, entry.id, text) for entry, text in sent])

    async def settle(self, landed: Mapping[str, MemoryEntry], refused: Mapping[str, MemoryEntry | None], number: int) -> None:
        gone = {which: None for which, entry in refused.items() if entry is None}
        aside = {which: entry for which, entry in refused.items() if entry is not None}
        out = "delete from replica_outbox where replica = ? and number = ? returning writer"

        def work(tx: Tx) -> None:
            writers = {writer for (writer,) in tx.run(out, self._key, number)}
            seen = dict.fromkeys(writers, (number, True))
            self._step(tx, Advance(base={**landed, **gone}, aside=aside, seen=seen))

        await self._db.write(work)

    async def _set(self, what: str, *values: object) -> None:
        def work(tx: Tx) -> None:
            self._begin(tx)
            tx.run(f"update replica set {what} where key = ?", *values, self._key)

        await self._db.write(work)


def is_taken(lock: FileLock) -> bool:
    """Tries once. Raises Misconfigured."""
    with told(Path(lock.lock_file).parent):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
    return True


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """A folder for locks that cannot be used, as an error that a person can be told."""
    try:
        yield
    except OSError as error:
        why = f"The folder {folder} cannot be used ({error.strerror})."
        raise Misconfigured(f"{why} Set MODAL_INVOKE_STATE_DIR to one that you may write to.") from None


def machine_id(places: tuple[Path, ...] = MACHINE_IDS, address: Callable[[], int] = uuid.getnode) -> str:
    """The same on every start of this machine, and not the same on two: the system's own id, or else a network card's."""
    for place in places:
        with suppress(OSError):
            if own := place.read_text("utf-8", "replace").strip():
                return digest(own, socket.gethostname())
    card = address()
    return digest("" if card & MADE_UP else f"{card:012x}", socket.gethostname())
