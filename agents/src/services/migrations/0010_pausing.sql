-- Whether its caller has the task stand still; how many messages the caller has said to it, and how many of these an attempt was given
-- that the next one goes on with; whether the run that holds it takes no more of them, since it is about to complete.
alter table task add column paused integer not null default 0;
alter table task add column said integer not null default 0;
alter table task add column heard integer not null default 0;
alter table task add column closing integer not null default 0;

create index event_said on event (task_id, seq) where type = 'said';
