"""The statements of the conversation store, in the SQL that SQLite and PostgreSQL share.

Whoever changes both a task and its conversation changes the task first, so that two of them never wait for each other.
"""

COLUMNS = "name, caller, created_at, changed_at, messages, id"
MESSAGE = "m.number, c.name, c.caller, m.role, m.author, m.text, m.task_id, m.at"
JOINED = "message m join conversation c on c.id = m.conversation_id"
# Both give the conversation and the number of its next message, and hold the row until their commit: a message that others see
# has none before it that they do not see.
NEXT = """
    insert into conversation (id, caller, name, created_at, changed_at, messages) values (?, ?, ?, ?, ?, 1)
    on conflict (caller, name) do update set messages = conversation.messages + 1, changed_at = excluded.changed_at
    returning id, messages
"""
NEXT_OF_TASK = """
    update conversation set messages = messages + 1, changed_at = ?
    where id = (select conversation_id from message where task_id = ? limit 1)
    returning id, messages
"""
ADD = "insert into message (conversation_id, number, role, author, text, folded, task_id, at) values (?, ?, ?, ?, ?, ?, ?, ?)"
GET = f"select {COLUMNS} from conversation where caller = ? and name = ?"
NAMED = f"select {COLUMNS} from conversation where name = ? order by caller"
MESSAGES = f"select {MESSAGE} from {JOINED} where c.caller = ? and c.name = ? and m.number > ? order by m.number limit ?"
BEFORE = f"""
    select {MESSAGE} from message own join message m on m.conversation_id = own.conversation_id and m.number < own.number
    join conversation c on c.id = m.conversation_id
    where own.task_id = ? and own.role = 'user' order by m.number desc limit ?
"""
RENAME_TASKS = """
    update task set conversation = ?
    where conversation is not null and id in (select task_id from message where conversation_id = ?)
"""
# A row that holds the new name until the conversation can have it: whoever wants it too waits for the commit.
CLAIM_NAME = """
    insert into conversation (id, caller, name, created_at, changed_at, messages) values (?, ?, ?, ?, ?, 0)
    on conflict (caller, name) do nothing returning id
"""
GIVE_BACK = "delete from conversation where id = ?"
RENAME = f"update conversation set name = ?, changed_at = ? where id = ? returning {COLUMNS}"
DELETE = f"delete from conversation where caller = ? and name = ? returning {COLUMNS}"
DELETE_MESSAGES = "delete from message where conversation_id = ?"
