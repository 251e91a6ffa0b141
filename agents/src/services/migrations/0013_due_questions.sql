-- With the state first: SQLite, which keeps no statistics, else prefers the index of all that is in a state, and reads each pending
-- question to find the one that is due next.
drop index question_due;
create index question_due on question (state, due_at) where state = 'pending' and due_at is not null;
