"""The statements of the outbox, in the SQL that SQLite and PostgreSQL share."""

from agents.src.services.task_sql import COLUMNS as TASK

COLUMNS = "id, task_id, seq, kind, question_id, at, state, attempts, due_at, last_status"
# Nothing more is sent where the answer was that nobody is there any more.
ADD = f"""
    insert into outbox ({COLUMNS}) select {", ".join("?" * len(COLUMNS.split(",")))}
    where not exists (select 1 from outbox where task_id = ? and state = 'given_up' and last_status = 410)
"""
CLAIM = f"""
    with due as materialized (
        select id from outbox where state = 'waiting' and due_at <= ? order by due_at, id limit ? {{skip_locked}}
    )
    update outbox set due_at = ?, attempts = attempts + 1 where id in (select id from due)
    returning {COLUMNS}
"""
SETTLE = """
    update outbox set state = ?, due_at = ?, last_status = ? where id = ? and attempts = ? and state = 'waiting' returning id
"""
GIVE_UP = "update outbox set state = 'given_up', due_at = null, last_status = ? where task_id = ? and state = 'waiting'"
NEXT_DUE = "select min(due_at) from outbox where state = 'waiting'"
LATEST = f"select {COLUMNS} from outbox where task_id in ({{ids}}) order by seq"
TELL = f"""
    update task set next_seq = next_seq + 1 where id = ? and status not in ('completed', 'failed', 'cancelled')
    returning {TASK}, next_seq - 1
"""
