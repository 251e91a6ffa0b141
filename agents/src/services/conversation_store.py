"""Conversations in SQL. Implements `ConversationStore` on any `Db`."""

from collections.abc import Sequence

from agents.src.clock import Clock
from agents.src.conversations import Conversation, ConversationPage, Message, MessagePage, Role, check_name, shortened
from agents.src.errors import NameTaken, UnknownConversation
from agents.src.services import conversation_sql as sql
from agents.src.services.conversation_log import add_message
from agents.src.services.database import Db, Row, Tx


class SqlConversationStore:
    def __init__(self, db: Db, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def add(self, caller: str, name: str, role: Role, author: str, text: str) -> Message:
        now, made, kept = self._clock.now(), self._clock.new_id(), shortened(text)
        check_name(name)

        def work(tx: Tx) -> int:
            [(conversation_id, number)] = tx.run(sql.NEXT, made, caller, name, now, now)
            add_message(tx, (conversation_id, number), role, author, kept, None, now)
            return int(number)

        return Message(await self._db.write(work), name, caller, role, author, kept, None, now)

    async def get(self, caller: str, name: str) -> Conversation:
        return one_of(await self._db.read(lambda tx: tx.run(sql.GET, caller, name)), name)

    async def named(self, name: str) -> tuple[Conversation, ...]:
        rows = await self._db.read(lambda tx: tx.run(sql.NAMED, name))
        return tuple(conversation_of(row) for row in rows)

    async def page(self, caller: str | None, words: Sequence[str], cursor: str | None, limit: int) -> ConversationPage:
        conditions, values = found_by(words, "m.folded")
        wanted = [f"exists (select 1 from message m where m.conversation_id = conversation.id and {conditions})"] if words else []
        if caller is not None:
            wanted, values = ["caller = ?", *wanted], [caller, *values]
        if cursor is not None:
            wanted, values = [*wanted, "(changed_at, id) < (?, ?)"], [*values, *place_of(cursor)]
        where = f"where {' and '.join(wanted)}" if wanted else ""
        select = f"select {sql.COLUMNS} from conversation {where} order by changed_at desc, id desc limit ?"
        rows = await self._db.read(lambda tx: tx.run(select, *values, limit + 1))
        items = tuple(conversation_of(row) for row in rows[:limit])
        return ConversationPage(items, cursor_of(rows[limit - 1]) if len(rows) > limit else None)

    async def messages(self, caller: str, name: str, cursor: int, limit: int) -> MessagePage:
        rows = await self._db.read(lambda tx: tx.run(sql.MESSAGES, caller, name, cursor, limit + 1))
        if not rows:
            await self.get(caller, name)
        items = tuple(message_of(row) for row in rows[:limit])
        return MessagePage(items, items[-1].id if len(rows) > limit else None)

    async def search(self, caller: str | None, words: Sequence[str], limit: int) -> tuple[Message, ...]:
        conditions, values = found_by(words, "m.folded")
        if caller is not None:
            conditions, values = f"c.caller = ? and {conditions}", [caller, *values]
        select = f"select {sql.MESSAGE} from {sql.JOINED} where {conditions} order by m.at desc, c.id desc, m.number desc limit ?"
        rows = await self._db.read(lambda tx: tx.run(select, *values, limit))
        return tuple(message_of(row) for row in rows)

    async def before(self, task_id: str, limit: int) -> tuple[Message, ...]:
        rows = await self._db.read(lambda tx: tx.run(sql.BEFORE, task_id, limit))
        return tuple(message_of(row) for row in reversed(rows))

    async def rename(self, caller: str, name: str, new: str) -> Conversation:
        now, claim = self._clock.now(), self._clock.new_id()
        if check_name(new) == name:
            return await self.get(caller, name)

        def work(tx: Tx) -> list[Row]:
            found = tx.run(sql.GET, caller, name)
            if not found:
                return []
            conversation_id = found[0][-1]
            tx.run(sql.RENAME_TASKS, new, conversation_id)
            if not tx.run(sql.CLAIM_NAME, claim, caller, new, now, now):
                raise NameTaken(f"There is a conversation named {new!r} already; choose another name.")
            tx.run(sql.GIVE_BACK, claim)
            return tx.run(sql.RENAME, new, now, conversation_id)

        return one_of(await self._db.write(work), name)

    async def delete(self, caller: str, name: str) -> Conversation:
        def work(tx: Tx) -> list[Row]:
            gone = tx.run(sql.DELETE, caller, name)
            for row in gone:
                tx.run(sql.DELETE_MESSAGES, row[-1])
            return gone

        return one_of(await self._db.write(work), name)


def found_by(words: Sequence[str], column: str) -> tuple[str, list[object]]:
    """The condition that all the words occur in the column, and its values; without words, one that always holds."""
    conditions = [f"{column} like ? escape '!'" for _ in words]
    return " and ".join(conditions) or "1 = 1", [f"%{escaped(word)}%" for word in words]


def escaped(word: str) -> str:
    """`%` and `_` stand for themselves."""
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def cursor_of(row: Row) -> str:
    """The place of a conversation in the list: when it changed, and its id."""
    return f"{row[3]!r}~{row[-1]}"


def place_of(cursor: str) -> tuple[float, str]:
    changed_at, _, conversation_id = cursor.partition("~")
    return float(changed_at), conversation_id


def one_of(rows: Sequence[Row], name: str) -> Conversation:
    if not rows:
        raise UnknownConversation(f"There is no conversation {name!r}, or it is somebody else's.")
    return conversation_of(rows[0])


def conversation_of(row: Row) -> Conversation:
    return Conversation(*row[:5])


def message_of(row: Row) -> Message:
    number, conversation, caller, role, author, text, task_id, at = row
    return Message(number, conversation, caller, Role(role), author, text, task_id, at)
