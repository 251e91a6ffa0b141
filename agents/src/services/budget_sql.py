"""The statements of the account, in the SQL that SQLite and PostgreSQL share."""

from agents.src.services.task_sql import COLUMNS as TASK
from agents.src.services.task_sql import LEASED

SERVER = ""
"""The caller in whose row the server's own limit stands; no token has this name."""
SPEND = """
    insert into spending (day, caller, usd) values (?, ?, ?)
    on conflict (day, caller) do update set usd = spending.usd + excluded.usd
"""
ALL_OF_DAY = """
    (select coalesce(sum(usd), 0) from spending where day = ?), (select limit_usd from spending where day = ? and caller = '')
"""
OF_TASK = f"""
    select task.budget_usd, task.cost_usd, token.budget_usd, mine.limit_usd, coalesce(mine.usd, 0), {ALL_OF_DAY}
    from task left join token on token.name = task.caller
        left join spending mine on mine.day = ? and mine.caller = task.caller
    where task.id = ?
"""
OF_DAY = f"select {ALL_OF_DAY}"
OF_CALLER = """
    select (select coalesce(sum(usd), 0) from spending where day = ? and caller = ?),
        (select limit_usd from spending where day = ? and caller = ?), (select budget_usd from token where name = ?)
"""
HOLD = f"select 1 from task where id = ? and worker = ? and attempt = ? and {LEASED} {{for_update}}"
RAISE_TASK = "update task set budget_usd = ? where id = ? and coalesce(budget_usd, 0) < ? returning id"
RAISE_DAY = """
    insert into spending (day, caller, limit_usd) values (?, ?, ?)
    on conflict (day, caller) do update set limit_usd = excluded.limit_usd
        where coalesce(spending.limit_usd, 0) < excluded.limit_usd
    returning day
"""
TELL = f"update task set next_seq = next_seq + 1 where id = ? returning {TASK}, next_seq - 1"
