-- Whether its caller was told that a question waits, as `inbox` of a task.
alter table question add column inbox text;

-- What a caller has not seen, in the order in which it came.
drop index task_inbox;
create index task_inbox on task (caller, finished_at, id) where inbox in ('pending', 'delivered');
create index question_inbox on question (caller, asked_at, id) where state = 'pending' and inbox in ('pending', 'delivered');

-- Word of the events that a task's callback is told of. `due_at`: when the next attempt is made, or when the lease of whoever makes
-- one has run out; null once the state is no longer `waiting`. `attempts` fences: whoever comes back late can no longer write.
create table outbox (
    id text primary key,
    task_id text not null,
    seq integer not null,
    kind text not null,
    question_id text,
    at double precision not null,
    state text not null,
    attempts integer not null,
    due_at double precision,
    last_status integer
);

create index outbox_due on outbox (due_at, id) where state = 'waiting';
create index outbox_by_task on outbox (task_id, seq);
