-- How many questions of a task wait for an answer; how many of its attempts went on after one, and so used up no retry; with which
-- attempt the work began that the next one goes on with (null: that begins anew).
alter table task add column waiting integer not null default 0;
alter table task add column resumed integer not null default 0;
alter table task add column session integer;

-- Who holds a lease: also a run that holds its breath for an answer.
drop index task_leases;
create index task_leases on task (worker, lease_until) where worker is not null;

-- `key` is the asker's own name for it, by which an attempt that asks once more finds it; `digest` names what is asked, `turns` are
-- those who are asked one after the other, `turn` is the one whose turn it is (-1: nobody's yet), until `due_at`.
create table question (
    id text primary key,
    task_id text not null,
    skill text not null,
    caller text not null,
    attempt integer not null,
    session integer not null,
    key text not null,
    digest text not null,
    question text not null,
    turns text not null,
    turn integer not null,
    deadline double precision,
    asked_at double precision not null,
    due_at double precision,
    state text not null,
    answer text,
    answered_at double precision
);

create unique index question_by_key on question (task_id, key);
create index question_by_caller on question (caller, state, id);
create index question_by_state on question (state, id);
create index question_due on question (due_at) where state = 'pending' and due_at is not null;
