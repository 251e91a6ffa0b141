-- What a task's record keeps of what it said: its last lines and its error lines, as JSON; null where it said nothing.
alter table task add column output text;
