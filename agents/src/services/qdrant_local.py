"""Qdrant in this process, without a server: qdrant-client's local mode, in a folder or in memory.

Local mode loses what it has acknowledged when threads share it, and refuses a second process: one thread does all, and
processes take turns (`Turns`).
"""

import asyncio
import contextlib
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.qdrant_turns import PATIENCE, Turns
from agents.src.services.qdrant_wire import Refusal, only_reads

if TYPE_CHECKING:
    from qdrant_client.local.qdrant_local import QdrantLocal

DATA = "data"
"""The client's own folder, within the one that has the locks."""
IDLE = 5.0
"""Seconds without a call after which the folder is closed."""
LOOK = 0.05
"""Seconds between two looks, while the folder is open and nothing is asked, at whether another process waits for it."""

Job = tuple[Callable[[], Any], Future[Any]]


class LocalWire:
    """`folder`: None for a memory that is gone when it is closed. `patience`: seconds to wait for other processes."""

    def __init__(self, folder: Path | None, patience: float = PATIENCE) -> None:
        self.place = "in memory" if folder is None else str(folder)
        self._folder = folder
        self._turns = Turns(folder, patience) if folder else None
        self._client: QdrantLocal | None = None
        self._asked = 0.0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def version(self) -> str:
        return version("qdrant-client")

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        if self._closed:
            raise Unavailable("The memory is closed: the program is stopping.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="qdrant-local", daemon=True)
            self._thread.start()
        future: Future[Any] = Future()
        self._jobs.put((lambda: self._answer(method, path, body), future))
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """After what was asked before."""
        self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    # In the thread

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=LOOK if self._client and self._turns else None)
            except queue.Empty:
                if time.monotonic() - self._asked > IDLE or self._is_wanted():
                    self._shut()
                continue
            if job is None:
                self._shut()
                return
            self._carry_out(*job)
            if self._client and self._is_wanted():
                self._shut()

    def _carry_out(self, act: Callable[[], Any], future: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(act())
        except (Refusal, Misconfigured, Unavailable) as error:
            future.set_exception(error)
        except BaseException as error:  # noqa: BLE001  # whoever asked is told; this thread lives on
            future.set_exception(self._translated(error))
            # What the client has in memory may not be what is on the disk: it is read anew.
            self._shut()
        finally:
            self._asked = time.monotonic()

    def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        from agents.src.services.qdrant_embedded import answer

        if self._is_missing() and only_reads(method, path):
            raise Refusal(404, f"Collection not found: nothing is kept in {self.place} yet")
        client = self._opened()
        try:
            result = answer(client, method, path, body)
        except Refusal:
            commit(client)  # whatever was done before it was refused, the client has in memory as well
            raise
        if method == "PUT":
            hasten(client)
        commit(client)
        return result

    def _is_missing(self) -> bool:
        return self._folder is not None and not (self._folder / DATA).exists()

    def _opened(self) -> "QdrantLocal":
        if self._client is None:
            self._client = self._open_in_turn() if self._turns else open_quietly(":memory:")
        return self._client

    def _open_in_turn(self) -> "QdrantLocal":
        assert self._folder and self._turns
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._turns.take()
        except OSError as error:
            raise Misconfigured(
                f"The memory in {self._folder} cannot be opened ({error.strerror}). "
                "Set MODAL_INVOKE_STATE_DIR to a folder that you may write to."
            ) from None
        try:
            return open_folder(self._folder / DATA)
        except BaseException:
            self._turns.give()
            raise

    def _is_wanted(self) -> bool:
        return self._turns is not None and self._turns.is_over()

    def _shut(self) -> None:
        if self._client is None or self._turns is None:
            return
        client, self._client = self._client, None
        with contextlib.suppress(OSError, sqlite3.Error):  # all that was answered is on the disk
            client.close()
        self._turns.give()

    def _translated(self, error: BaseException) -> BaseException:
        if isinstance(error, sqlite3.Error | OSError):
            return Unavailable(f"The memory in {self.place} cannot be used now: {error}.")
        return error


def open_quietly(folder: str) -> "QdrantLocal":
    """Without the client's warnings about size, which would be printed into whatever a command prints."""
    from qdrant_client.common import client_warnings
    from qdrant_client.local.qdrant_local import QdrantLocal

    class Quiet(QdrantLocal):
        LARGE_DATA_THRESHOLD = sys.maxsize

        def _load(self) -> None:
            try:
                super()._load()
            except BaseException:
                # It would leave its files open.
                if self._flock_file is not None:
                    self._flock_file.close()
                raise

    client_warnings.SEEN_MESSAGES.add("large-local-collection")
    return Quiet(folder)


def open_folder(folder: Path) -> "QdrantLocal":
    """Raises Unavailable where a stranger has it open, Misconfigured where it cannot be read."""
    meta = folder / "meta.json"
    if meta.exists() and not meta.stat().st_size:
        meta.unlink()  # whoever made the folder died over it; later on the file is only ever replaced
    try:
        client = open_quietly(str(folder))
    except RuntimeError as error:
        raise Unavailable(f"The memory in {folder} is open in another program: {error}") from None
    except Exception as error:  # noqa: BLE001  # whatever a damaged file makes of unpickling
        raise Misconfigured(
            f"The memory in {folder} cannot be read ({type(error).__name__}: {error}). Move that folder away, or put a backup in "
            "its place; then `agents memory push --force` fills it from each memory.md."
        ) from None
    hasten(client)
    return client


def hasten(client: "QdrantLocal") -> None:
    """With a write-ahead log, a commit waits for the disk once instead of several times; and a request is one (`commit`)."""
    for collection in client.collections.values():
        with contextlib.suppress(AttributeError):  # in a version that keeps its points otherwise
            if collection.storage is not None and not isinstance(collection.storage.storage, Gathering):
                collection.storage.storage.close()
                collection.storage.storage = gathering(collection.storage.location)


def gathering(path: Path) -> "Gathering":
    connection = sqlite3.connect(path, factory=Gathering, check_same_thread=False)
    connection.execute("pragma journal_mode=wal")
    return connection


def commit(client: "QdrantLocal") -> None:
    """Puts on the disk what a request has written: all of it, or, where that fails, nothing."""
    for collection in client.collections.values():
        if collection.storage is not None:
            collection.storage.storage.commit()


class Gathering(sqlite3.Connection):
    """The client commits each point by itself, with this as a context manager: here they become one transaction."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        return False
