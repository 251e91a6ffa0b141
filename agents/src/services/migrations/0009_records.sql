-- What a task's record keeps of what it said: its last lines and its error lines, as JSON; null where it said nothing.
alter table task add column output text;

-- For how long its runs held their workers, and what that cost in USD: null where a second of it had no known price.
alter table task add column compute_seconds double precision not null default 0;
alter table task add column compute_usd double precision default 0;

drop index task_usage;
create index task_usage
    on task (caller, input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, cost_usd, compute_seconds, compute_usd)
    where input_tokens > 0 or output_tokens > 0 or cost_usd > 0 or compute_seconds > 0;
