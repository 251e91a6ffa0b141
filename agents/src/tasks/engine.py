"""The port: what does the work of a run."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agents.src.tasks.asking import Ask
from agents.src.tasks.brief import Brief
from agents.src.tasks.event import Draft
from agents.src.tasks.run import Run
from agents.src.tasks.task import Artifact, Result


@dataclass(frozen=True, slots=True)
class Workspace:
    """A run's own folder, made before it starts and removed after it ended.

    `input/` holds the files that were handed over; what the run leaves in `output/` becomes artifacts.
    """

    run_id: str
    """`<task id>:<attempt>`. Every process that the run starts carries it as MODAL_INVOKE_RUN in its environment."""
    folder: Path
    session: str = ""
    """Names the work: the same for attempts that go on with what an earlier one began."""
    goes_on: bool = False
    """Whether this is the folder as an earlier attempt left it when it was parked."""
    workdir: Path | None = None
    """Where the work is done, if not in `folder`. It is the caller's: nothing in it is removed or collected."""

    @property
    def place(self) -> Path:
        """Where the run's processes work."""
        return self.workdir or self.folder

    @property
    def input(self) -> Path:
        return self.folder / "input"

    @property
    def output(self) -> Path:
        return self.folder / "output"


class Engine(Protocol):
    """Does the work of one run.

    Yields a `Draft` for each thing that happens, as it happens, and ends by yielding one `Result` (its artifacts are
    filled in afterwards, from `workspace.output`). Raises a subclass of `TaskFailed` when it cannot, and `Parked` when `ask` did
    and its processes have ended. Closing the generator, or cancelling the task that reads it, ends every process it started.

    One that `goes_on` reads `ask.heard()` while it works. On None it ends its processes, keeps what it needs, and raises Parked,
    within `PARKING` seconds. It is run again with the same session and `workspace.goes_on` to go on: after an answer, after a
    pause, with what was said meanwhile (`brief.said`); and in the same process where something was said that it did not hear
    before its Result.
    """

    uses_folder: bool
    """Whether it needs the workspace's folder on disk; without, the folder is not made."""
    goes_on: bool
    """Whether, once parked, it goes on where it was, in the folder as it was. Else it begins anew, and asks again.

    Only one that does is held to budgets: `brief.claude.budget_usd` is what one `run` may spend, and after BudgetExhausted it is
    run again, with the same session and `workspace.goes_on`.
    """

    def run(self, brief: Brief, workspace: Workspace, ask: Ask) -> AsyncGenerator[Draft | Result, None]: ...


class Workspaces(Protocol):
    """Makes the folders of runs and keeps what they leave."""

    async def open(self, run: Run) -> Workspace:
        """An empty folder with the files of the brief in `input/`; the folder as it was, for a run that goes on and has one.

        Raises UnknownFile where a file is gone, WorkdirChanged where the folder to work in is not as it was.
        """

    async def set_aside(self, run: Run) -> None:
        """Keeps the run's folder for the attempt that goes on."""

    async def collect(self, run: Run, workspace: Workspace) -> tuple[Artifact, ...]:
        """Keeps the files in `output/` as the task's artifacts, in order of their names."""

    async def discard(self, workspace: Workspace) -> None:
        """Removes the folder."""
