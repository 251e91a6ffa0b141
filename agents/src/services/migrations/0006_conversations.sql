-- What was said around tasks. `messages` counts those of a conversation, and so numbers them from 1 without holes; `folded` is the
-- text as searches compare it. At most one message of a task is its prompt (role `user`) and one its ending.
create table conversation (
    id text primary key,
    caller text not null,
    name text not null,
    created_at double precision not null,
    changed_at double precision not null,
    messages bigint not null
);

create unique index conversation_by_name on conversation (caller, name);
create index conversation_by_change on conversation (caller, changed_at, id);

create table message (
    conversation_id text not null,
    number bigint not null,
    role text not null,
    author text not null,
    text text not null,
    folded text not null,
    task_id text,
    at double precision not null,
    primary key (conversation_id, number)
);

create index message_by_task on message (task_id) where task_id is not null;
