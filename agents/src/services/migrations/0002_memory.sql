-- What tasks have learned. Numbers are given out here, in the order of the commits, for neither database has a word for that which
-- the other knows. `lesson` is JSON.
create table lesson (
    number bigint primary key,
    task_id text not null,
    skill text not null,
    caller text not null,
    lesson text not null,
    state text not null,
    at double precision not null,
    note text not null default '',
    moved_at double precision
);

create index lesson_queue on lesson (state, skill, number) where state in ('new', 'held');

create table lesson_count (last bigint not null);

insert into lesson_count (last) values (0);

-- The number of the running attempt's last batch of events: one that is written twice counts once.
alter table task add column batch integer not null default 0;

-- What each memory.md last agreed on with the shared memory. `key` names the file on its machine; `intent` and all of
-- `replica_entry` and `replica_outbox` is JSON. A row an entry, so that a step costs what it changes.
create table replica (
    key text primary key,
    writer text not null,
    number bigint not null default 0,
    generation text,
    intent text,
    verified_at double precision not null default 0
);

create table replica_entry (
    replica text not null,
    id text not null,
    base text,
    aside text,
    primary key (replica, id)
);

create table replica_seen (
    replica text not null,
    writer text not null,
    number bigint not null,
    whole integer not null,
    primary key (replica, writer)
);

create table replica_outbox (
    replica text not null,
    writer text not null,
    number bigint not null,
    id text not null,
    sent text not null,
    primary key (replica, writer, number, id)
);

-- What one process at a time may do. `until`: when the row no longer counts, in seconds since 1970 UTC.
create table lease (
    name text primary key,
    holder text not null,
    until double precision not null
);
