"""How a run's ending changes its task, in one transaction: the task leaves the run's hands, and whoever waits is told."""

from dataclasses import replace

from agents.src.services import question_sql, task_sql
from agents.src.services.database import Row, Tx
from agents.src.services.task_log import Change, recorded
from agents.src.services.task_rows import ending_row, output_of, task_of
from agents.src.services.transcript_store import forget
from agents.src.tasks import Draft, Ending, EventType, Run, Status, cancelled


def settle(tx: Tx, run: Run, ending: Ending, now: float) -> Change | None:
    """None where the run holds the task no more."""
    # A task whose cancellation was asked for meanwhile does not wait for another run.
    unless = "" if ending.status.ended else "and cancel_requested = 0"
    moves = parked if ending.status is Status.INPUT_REQUIRED else settled
    change = moves(tx, run, ending, now, unless)
    if change is None and not ending.status.ended:
        return settled(tx, run, replace(cancelled(), output=ending.output, held=ending.held), now)
    return change


def settled(tx: Tx, run: Run, ending: Ending, now: float, unless: str = "") -> Change | None:
    values = (
        *ending_row(ending),
        *(now if ending.status.ended else None, ending.run_at, *record_row(tx, run, ending)),
        *(run.task.id, run.worker, run.task.attempt),
    )
    told = task_sql.TOLD if ending.status.ended and run.task.inbox else ""
    moved = task_sql.OVER if ending.status.ended else task_sql.AGAIN
    rows = tx.run(task_sql.SETTLE.format(unless=unless, told=told, moved=moved), *values)
    if not rows:
        return None
    if ending.status is Status.COMPLETED and run.brief.engine == "claude":
        forget(tx, run.task.id)
    change = without_questions(tx, recorded(tx, rows[0], ending.event, now))
    return standing_still(tx, change, now) if change[0].paused else change


def standing_still(tx: Tx, change: Change, now: float) -> Change:
    """The attempt has ended, and no other begins before the task is resumed."""
    task, events = change
    waits, paused = recorded(tx, tx.run(question_sql.TELL, task.id)[0], Draft(EventType.PAUSED), now)
    return waits, events + paused


def parked(tx: Tx, run: Run, ending: Ending, now: float, unless: str) -> Change | None:
    values = (ending.heard, now, *record_row(tx, run, ending), run.task.id, run.worker, run.task.attempt)
    rows = tx.run(task_sql.PARK.format(unless=unless), *values)
    if not rows:
        return None
    return recorded(tx, rows[0], Draft(EventType.PAUSED) if task_of(rows[0]).paused else ending.event, now)


def record_row(tx: Tx, run: Run, ending: Ending) -> Row:
    """What the run adds to the task's record: its output, after that of earlier attempts (None: nothing), and what it held."""
    held = (ending.held.compute_seconds, ending.held.compute_usd)
    if ending.output is None:
        return None, *held
    earlier = output_of(tx.run(task_sql.OUTPUT, run.task.id)) if run.task.attempt > 1 else None
    return (earlier.then(ending.output) if earlier else ending.output).model_dump_json(), *held


def without_questions(tx: Tx, change: Change) -> Change:
    """Nobody is to answer what no run will read."""
    task, events = change
    if not task.waiting:
        return change
    tx.run(question_sql.WITHDRAW, task.id)
    tx.run(task_sql.NO_LONGER_WAITING, task.id)
    return replace(task, waiting=0), events


def settled_before(tx: Tx, run: Run, ending: Ending) -> Change | None:
    """The task without an event, where this attempt has ended so already, or was cancelled instead."""
    answered_meanwhile = replace(ending, status=Status.QUEUED)
    paused_meanwhile = replace(ending, status=Status.INPUT_REQUIRED)
    might_be = {
        Status.INPUT_REQUIRED: (ending, answered_meanwhile, cancelled()),
        Status.QUEUED: (ending, paused_meanwhile, cancelled()),
    }
    for one in might_be.get(ending.status, (ending,)):
        if rows := tx.run(task_sql.SETTLED, run.task.id, run.task.attempt, *ending_row(one), one.run_at):
            return task_of(rows[0]), ()
    return None
