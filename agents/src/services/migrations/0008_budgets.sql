-- What a task may spend, and what all tasks of a token may spend in one UTC day, in US dollars; null: without limit.
alter table task add column budget_usd double precision;
alter table token add column budget_usd double precision;

-- What was spent on a UTC day (`2026-01-31`) by a caller's tasks; all callers' rows of a day are what the server spent. `limit_usd` is
-- what the caller's limit was raised to on that day; the server's stands in the row of the caller ''.
create table spending (
    day text not null,
    caller text not null,
    usd double precision not null default 0,
    limit_usd double precision,
    primary key (day, caller)
);
