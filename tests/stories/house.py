"""A place where tasks run, and how a story speaks with it: over HTTP, with the root token.

    Place    what differs: a server on this machine (`local.py`), or the deployed app (`tests/live/deployed/deployment.py`)
    House    what is the same everywhere

The skills are those that ship and those in `skills/`.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from agents.src.services.database import Tx, open_database
from agents.src.services.processes import processes_of

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
ENDED = {"completed", "failed", "cancelled"}
LONG = "100"
"""Seconds that no story waits for."""
PATIENCE = 40
"""Seconds after which a story that waits gives up."""
SKILLS = Path(__file__).parent / "skills"
DATABASE_SCRIPT = SKILLS / "advisor" / "rehearsals" / "database.yaml"
SPENDING_SCRIPT = SKILLS / "spender" / "rehearsals" / "spending.yaml"
"""What the skills `advisor` and `spender` have in place of a model."""
SAME_PROGRAM = {"slow": ["once"], "apprentice": ["novice"], "asker": ["hasty", "nobody", "patient"]}
"""By the name of a skill those that differ from it in their info.md only."""


class Place(Protocol):
    """Where a server is, and what can be done to it beside HTTP."""

    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str:
        """The root token."""

    @property
    def shared_memory(self) -> Mapping[str, str]:
        """The variables that name the Qdrant where its skills' memories meet others."""

    def lose(self, worker: int, processes: Set[int]) -> None:
        """Kills the process that works at a run, as when its machine is lost, and lets come back what would come back.

        `processes` are the run's own.
        """

    @property
    def database_url(self) -> str | None:
        """PostgreSQL's; None for SQLite in the state directory."""

    @property
    def state_dir(self) -> Path: ...

    def agents(self, *words: str) -> str:
        """What the command `agents` prints that looks after this place's database."""


@dataclass(frozen=True)
class House:
    """A place, seen by a caller who has the root token. `Json` of a task is the task as the server shows it."""

    place: Place
    web: httpx.Client

    def submit(self, skill: str, task: str, prefer: str = "respond-async", **more: Any) -> Json:
        answer = self.web.post("/api/skill", json={"skill": skill, "task": task, **more}, headers={"Prefer": prefer})
        assert answer.status_code in {200, 202}, answer.text
        found: Json = answer.json()
        return found

    def show(self, task_id: str) -> Json:
        answer = self.web.get(f"/api/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def events(self, task: Json, after: int = 0, last_event_id: int = 0) -> Iterator[Json]:
        """The task's events as they come, to the last; those that follow one, where its number is given in either way."""
        end = time.monotonic() + PATIENCE
        query = {"after": after} if after else {}
        headers = {"Last-Event-ID": str(last_event_id)} if last_event_id else {}
        with self.web.stream("GET", f"/api/tasks/{task['id']}/events", params=query, headers=headers) as stream:
            for line in stream.iter_lines():
                assert time.monotonic() < end, "the task does not end"
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def ended(self, task: Json) -> Json:
        """The task once it has ended; fails where its events are not numbered without holes."""
        numbers = [event["seq"] for event in self.events(task)]
        assert numbers == list(range(1, len(numbers) + 1))
        found = self.show(task["id"])
        assert found["status"] in ENDED
        return found

    def first(self, task: Json, kind: str) -> Json:
        """What the first event of this type says, once there is one."""
        data: Json = next(event["data"] for event in self.events(task) if event["type"] == kind)
        return data

    def worker(self, task: Json) -> int:
        """The process that runs the task, once the task's program has begun (and said so, as `slow` does)."""
        return int(self.first(task, "text")["text"].removeprefix("worker "))

    def processes(self, task: Json, attempt: int = 1) -> set[int]:
        return processes_of(f"{task['id']}:{attempt}")

    def lose(self, task: Json) -> None:
        """Kills, without a warning, what runs the task."""
        self.place.lose(self.worker(task), self.processes(task))

    def make_due(self, task: Json) -> None:
        """What waits for its time in this task has waited for long enough: its questions, its notices."""

        def change(tx: Tx) -> None:
            tx.run("update question set due_at = 0 where task_id = ? and due_at is not null", task["id"])
            tx.run("update outbox set due_at = 0 where task_id = ? and due_at is not null", task["id"])
            tx.notify(task["id"])

        async def write() -> None:
            db = open_database(self.place.database_url, self.place.state_dir)
            try:
                await db.write(change)
            finally:
                await db.close()

        asyncio.run(write())


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


@contextmanager
def entering(place: Place) -> Iterator[House]:
    headers = {"Authorization": f"Bearer {place.token}"}
    # Each request has a connection of its own: a place may be killed between two.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=place.url, headers=headers, timeout=90, limits=limits, trust_env=False) as web:
        yield House(place, web)


def collect_skills(folder: Path) -> Path:
    """The skills that ship and those of the stories, in one new folder."""
    for source in (ROOT / "agents" / "skills", Path(__file__).parent / "skills"):
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name, others in SAME_PROGRAM.items():
        for other in others:
            shutil.copy(folder / name / "main.py", folder / other)
    return folder
