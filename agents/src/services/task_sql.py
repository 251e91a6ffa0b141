"""The statements of the task store, in the SQL that SQLite and PostgreSQL share. `task_rows.py` reads what they give."""

COLUMNS = (
    "id, skill, prompt, caller, created_at, status, args, metadata, priority, attempt, result, error, input_tokens, "
    "output_tokens, cache_read_tokens, cache_creation_tokens, cost_usd, started_at, finished_at, cancel_requested, run_at, "
    "waiting, resumed, session, inbox, callback, conversation, workdir, paused, said, heard, budget_usd, compute_seconds, "
    "compute_usd"
)
# A run holds the task: it works, or waits for an answer with its process alive.
LEASED = "status in ('running', 'input_required')"
WIDTH = len(COLUMNS.split(","))
INSERT = """
    insert into task (id, skill, prompt, caller, created_at, status, args, metadata, priority, attempt, brief, next_seq, run_at,
        started_at, worker, lease_until, session, inbox, callback, conversation, workdir, budget_usd, idempotency_key,
        fingerprint)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (caller, idempotency_key) where idempotency_key is not null do nothing
"""
# Read where one task is shown, not with lists of them: it may be long.
OUTPUT = "select output from task where id = ?"
ENDED = "select id from task where id in ({ids}) and status in ('completed', 'failed', 'cancelled')"
ADD_EVENT = "insert into event (task_id, seq, type, at, data) values (?, ?, ?, ?, ?)"
# Goes from number to number, so that of a long log only the page is touched.
EVENTS = """
    with recursive page (last, size) as (
        select cast(? as bigint), cast(0 as bigint)
        union all
        select last + 1, size + length(data) from page join event on task_id = ? and seq = last + 1 where last < ? and size < ?
    )
    select task_id, seq, type, at, data from event where task_id = ? and seq > ? and seq <= (select max(last) from page)
    order by seq
"""
LAST_EVENTS = """
    with recursive page (first, number, size) as (
        select cast(next_seq as bigint), cast(0 as bigint), cast(0 as bigint) from task where id = ?
        union all
        select first - 1, number + 1, size + length(data) from page join event on task_id = ? and seq = first - 1
        where number < ? and size < ?
    )
    select task_id, seq, type, at, data from event where task_id = ? and seq >= (select min(first) from page) order by seq
"""
# Materialized: the rows are chosen once, so that never more than the limit are taken.
CLAIM = f"""
    with due as materialized (
        select id from task where status = 'queued' and run_at <= ? {{which}}
        order by priority desc, run_at, id limit ? {{skip_locked}}
    )
    update task set status = 'running', worker = ?, lease_until = ?, attempt = attempt + 1, started_at = coalesce(started_at, ?),
        next_seq = next_seq + 1, batch = 0, closing = 0, session = coalesce(session, attempt + 1),
        resumed = case when session is null then resumed else resumed + 1 end
    where id in (select id from due)
    returning {COLUMNS}, brief, next_seq - 1
"""
SPENT = """
    input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,
    cache_read_tokens = cache_read_tokens + ?, cache_creation_tokens = cache_creation_tokens + ?, cost_usd = cost_usd + ?
"""
APPEND = f"""
    update task set next_seq = next_seq + ?, batch = coalesce(?, batch), {SPENT}
    where id = ? and worker = ? and attempt = ? and {LEASED} and batch < coalesce(?, batch + 1)
    returning next_seq
"""
HAS_BATCH = f"select 1 from task where id = ? and worker = ? and attempt = ? and {LEASED} and batch >= ?"
# There is something to tell now. Not said of a task that does not want it told: the column is in an index.
TOLD = ", inbox = case when inbox = 'waiting' then 'pending' else inbox end"
# For SETTLE: a task that is paused does not go back into the queue, and one that has ended is not paused.
AGAIN, OVER = "case when paused = 1 then 'input_required' else ? end", "?, paused = 0"
SETTLE = f"""
    update task set status = {{moved}}, result = ?, error = ?, finished_at = ?, run_at = coalesce(?, run_at), worker = null,
        lease_until = null, session = null, heard = 0, output = coalesce(?, output), compute_seconds = compute_seconds + ?,
        compute_usd = compute_usd + ?, next_seq = next_seq + 1 {{told}}
    where id = ? and worker = ? and attempt = ? and {LEASED} {{unless}}
    returning {COLUMNS}, next_seq - 1
"""
# The next attempt goes on with what this one began: at once, where the answers came in the meantime and it is not paused.
PARK = f"""
    update task set status = case when waiting > 0 or paused = 1 then 'input_required' else 'queued' end,
        heard = coalesce(?, heard), run_at = ?, worker = null, lease_until = null, output = coalesce(?, output),
        compute_seconds = compute_seconds + ?, compute_usd = compute_usd + ?, next_seq = next_seq + 1
    where id = ? and worker = ? and attempt = ? and {LEASED} {{unless}}
    returning {COLUMNS}, next_seq - 1
"""
NO_LONGER_WAITING = "update task set waiting = 0 where id = ?"
SETTLED = f"""
    select {COLUMNS} from task where id = ? and attempt = ? and status = ? and coalesce(result, '') = coalesce(?, '')
        and coalesce(error, '') = coalesce(?, '') and run_at = coalesce(?, run_at)
"""
# One statement: between two, the task could go from running back to the queue, and neither would find it.
CANCEL = f"""
    update task set cancel_requested = 1, next_seq = next_seq + 1,
        status = case when worker is null then 'cancelled' else status end,
        paused = case when worker is null then 0 else paused end,
        finished_at = case when worker is null then ? else finished_at end,
        inbox = case when worker is null and inbox = 'waiting' then 'pending' else inbox end
    where id = ? and status in ('queued', 'input_required', 'running') and cancel_requested = 0
    returning {COLUMNS}, next_seq - 1
"""
RENEW = f"""
    update task set lease_until = ? where worker = ? and {LEASED} and id in ({{ids}})
    returning id, attempt, cancel_requested, paused, said
"""
WISHES = """
    select id, attempt, cancel_requested, paused, said from task
    where worker = ? and (cancel_requested = 1 or paused = 1 or said > 0)
"""
SAID = "select data from event where task_id = ? and type = 'said' order by seq"
HUSH = f"update task set closing = 1 where id = ? and worker = ? and attempt = ? and {LEASED} and said <= ? returning id"
HOLDS = f"select 1 from task where id = ? and worker = ? and attempt = ? and {LEASED}"
WAITING = "select id, call_id from task where status = 'queued' and run_at < ? order by priority desc, run_at, id"
# Both are answered from indexes alone; the second one's condition is that of its partial index.
COUNTS = "select status, count(*) from task {where} group by status"
USED = """
    select coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cache_read_tokens), 0),
        coalesce(sum(cache_creation_tokens), 0), coalesce(sum(cost_usd), 0), coalesce(sum(compute_seconds), 0),
        coalesce(sum(compute_usd), 0)
    from task where (input_tokens > 0 or output_tokens > 0 or cost_usd > 0 or compute_seconds > 0) {whose}
"""
