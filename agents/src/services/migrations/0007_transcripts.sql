-- Claude Code's own record of a conversation, as far as a task that was parked needs it to go on. `project` is the task's id, `session`
-- Claude Code's, `subpath` names a subagent's part (empty: the main one); `entries` is JSON, as many as came at once.
create table transcript (
    project text not null,
    session text not null,
    subpath text not null,
    number integer not null,
    entries text not null,
    primary key (project, session, subpath, number)
);
