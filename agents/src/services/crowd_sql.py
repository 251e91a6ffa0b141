"""Counts who is there before a task that comes in. Never further than needed, and from indexes: there may be 100,000."""

from agents.src.services.database import Tx
from agents.src.tasks import MOST_COUNTED, UNREMARKABLE, Ahead, Draft, Places, Task, warning_of

MOST_HELD = 1000
"""Places that are looked at, for those of one skill among them."""
OTHERS = """
    select count(*) from (
        select 1 from task where caller = ? and status in ('queued', 'running') limit ?
    ) as others
"""
# The inner selects choose the index: by skill, all tasks that the skill ever had would be read.
AHEAD = """
    select held.all_of_them, held.of_skill, waiting.all_of_them, waiting.of_skill
    from (
        select count(*) as all_of_them, coalesce(sum(case when skill = ? then 1 else 0 end), 0) as of_skill
        from (select skill from task where worker is not null limit ?) as places
    ) as held, (
        select count(*) as all_of_them, coalesce(sum(case when skill = ? then 1 else 0 end), 0) as of_skill
        from (select skill from task where status = 'queued' and priority >= ? limit ?) as first
    ) as waiting
"""


def warnings_for(tx: Tx, task: Task, places: Places, *, runs: bool) -> tuple[Draft, ...]:
    """What its caller is to be told of a task that is about to be kept. `runs`: it has a place already."""
    [(others,)] = tx.run(OTHERS, task.caller, MOST_COUNTED + 1)
    alone = others < UNREMARKABLE or runs
    warning = warning_of(task, others, places, None if alone else ahead_of(tx, task, places))
    return (warning,) if warning else ()


def ahead_of(tx: Tx, task: Task, places: Places) -> Ahead | None:
    if places == Places():
        return None
    [row] = tx.run(AHEAD, task.skill, MOST_HELD, task.skill, task.priority, MOST_COUNTED + 1)
    return Ahead(*map(int, (row[0], row[1], row[2], row[3])))
