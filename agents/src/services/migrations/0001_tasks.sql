-- Times are seconds since 1970 UTC; JSON is text, so that both databases keep it as it was written.
create table task (
    id text primary key,
    skill text not null,
    prompt text not null,
    caller text not null,
    created_at double precision not null,
    status text not null,
    args text not null,
    metadata text not null,
    priority integer not null,
    attempt integer not null,
    result text,
    error text,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    cache_read_tokens bigint not null default 0,
    cache_creation_tokens bigint not null default 0,
    cost_usd double precision not null default 0,
    started_at double precision,
    finished_at double precision,
    cancel_requested integer not null default 0,
    brief text not null,
    next_seq integer not null,
    run_at double precision not null,
    worker text,
    call_id text,
    lease_until double precision,
    idempotency_key text,
    fingerprint text
);

create index task_queue on task (status, priority desc, run_at, id) where status = 'queued';
create index task_leases on task (status, worker, lease_until) where status = 'running';
create index task_by_caller on task (caller, id);
create index task_by_caller_status on task (caller, status, id);
create index task_by_skill on task (skill, id);
create index task_by_status on task (status, id);
create index task_usage
    on task (caller, input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, cost_usd)
    where input_tokens > 0 or output_tokens > 0 or cost_usd > 0;
create unique index task_by_key on task (caller, idempotency_key) where idempotency_key is not null;

create table event (
    task_id text not null,
    seq integer not null,
    type text not null,
    at double precision not null,
    data text not null,
    primary key (task_id, seq)
);

create table file (
    id text primary key,
    caller text not null,
    name text not null,
    size bigint not null,
    media_type text not null,
    sha256 text not null,
    created_at double precision not null
);

create table token (
    name text primary key,
    hash text not null unique,
    skills text,
    rate text not null,
    created_at double precision not null,
    expires_at double precision,
    revoked_at double precision
);

create table allowance (
    caller text primary key,
    arrival double precision not null
);
