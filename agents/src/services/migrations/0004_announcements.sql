-- Who is told of a task's end and of what it asks. `inbox` is null where its caller does not want to be told there, else `waiting`
-- until there is something to tell, `pending` until that was handed over, `delivered` until they have `seen` it. `callback` is JSON.
alter table task add column inbox text;
alter table task add column callback text;
alter table task add column conversation text;

create index task_inbox on task (caller, inbox, id) where inbox in ('pending', 'delivered');
