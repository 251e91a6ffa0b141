"""The port: what does the work of a run."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agents.src.tasks.brief import Brief
from agents.src.tasks.event import Draft
from agents.src.tasks.task import Result


@dataclass(frozen=True, slots=True)
class Workspace:
    """A run's own folder, made before it starts and removed after it ended.

    `input/` holds the files that were handed over; what the run leaves in `output/` becomes artifacts.
    """

    run_id: str
    """`<task id>:<attempt>`. Every process that the run starts carries it as MODAL_INVOKE_RUN in its environment."""
    folder: Path

    @property
    def input(self) -> Path:
        return self.folder / "input"

    @property
    def output(self) -> Path:
        return self.folder / "output"


class Engine(Protocol):
    """Does the work of one run.

    Yields a `Draft` for each thing that happens, as it happens, and ends by yielding one `Result` (its artifacts are
    filled in afterwards, from `workspace.output`). Raises a subclass of `TaskFailed` when it cannot. Closing the generator, or
    cancelling the task that reads it, ends every process it started.
    """

    def run(self, brief: Brief, workspace: Workspace) -> AsyncIterator[Draft | Result]: ...
