"""The statements of the question store, in the SQL that SQLite and PostgreSQL share.

Whoever changes a question first locks its task's row (`LOCK`, `HOLD`), so that two answers to two questions of a task never
miss each other.
"""

from agents.src.services.task_sql import COLUMNS as TASK
from agents.src.services.task_sql import LEASED, SPENT, TOLD

COLUMNS = (
    "id, task_id, skill, caller, key, question, turns, deadline, turn, asked_at, due_at, state, answer, answered_at, "
    "attempt, session, digest, inbox"
)
LOCK = "select worker from task where id = ? {for_update}"
HOLD = f"select session from task where id = ? and worker = ? and attempt = ? and {LEASED} {{for_update}}"
KNOWN = f"select {COLUMNS} from question where task_id = ? and key = ?"
# One that was withdrawn when an attempt failed leaves its key to the next attempt, which asks anew.
GIVE_UP_KEY = "update question set key = key || ' ' || id where task_id = ? and key = ? and state = 'withdrawn'"
ALIKE = f"""
    select {COLUMNS} from question where task_id = ? and digest = ? and attempt < ? and state <> 'withdrawn'
    order by attempt desc, id limit 1
"""
ADD = f"insert into question ({COLUMNS}) values ({', '.join('?' * len(COLUMNS.split(',')))})"
# The task waits, and has the event's number.
WAIT = f"""
    update task set status = 'input_required', waiting = waiting + 1, next_seq = next_seq + 1 where id = ?
    returning {TASK}, next_seq - 1
"""
CLOSE = f"""
    update question set state = ?, answer = ?, answered_at = ?, due_at = null where id = ? and state = 'pending'
    returning {COLUMNS}
"""
EXPIRE = """
    update question set state = 'expired', answered_at = ?, due_at = null where id = ? and turn = ? and state = 'pending'
    returning id
"""
# The last answer sets the task going again: the run that holds it, or the next one, unless it is paused.
GO_ON = f"""
    update task set waiting = waiting - 1, next_seq = next_seq + 1,
        status = case when waiting > 1 then status when worker is not null then 'running'
            when paused = 1 then status else 'queued' end,
        run_at = case when waiting = 1 and worker is null then ? else run_at end
    where id = ? returning {TASK}, next_seq - 1
"""
# Without an answer: a run that holds the task goes on, to learn that there is none.
WAIT_NO_MORE = f"""
    update task set waiting = waiting - 1, next_seq = next_seq + 1,
        status = case when waiting > 1 or worker is null then status else 'running' end
    where id = ? returning {TASK}, next_seq - 1
"""
TELL = f"update task set next_seq = next_seq + 1 where id = ? returning {TASK}, next_seq - 1"
CHARGE = f"""
    update task set next_seq = next_seq + 1, {SPENT} where id = ? and finished_at is null
    returning {TASK}, next_seq - 1
"""
FAIL = f"""
    update task set status = 'failed', error = ?, finished_at = ?, waiting = 0, paused = 0, session = null,
        next_seq = next_seq + 1 {TOLD}
    where id = ? returning {TASK}, next_seq - 1
"""
PASS_ON = f"update question set turn = ?, due_at = ? where id = ? and state = 'pending' and turn = ? returning {COLUMNS}"
OVERDUE = f"select {COLUMNS} from question where state = 'pending' and due_at <= ? {{which}} order by due_at limit ?"
NEXT_DUE = "select min(due_at) from question where state = 'pending' and due_at is not null {which}"
WITHDRAW = "update question set state = 'withdrawn', due_at = null where task_id = ? and state = 'pending'"
