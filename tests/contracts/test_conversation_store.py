"""What every store of conversations keeps to, on both databases; and what tasks say in them, in their own transactions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from agents.src.conversations import LONGEST, Conversation, Message, Role, words_of
from agents.src.errors import InvalidRequest, NameTaken, UnknownConversation
from agents.src.services.conversation_store import SqlConversationStore
from agents.src.services.database import Db, Row, Tx, Watcher
from agents.src.tasks import Ending, Failure, Inbox, Key, LeaseLost, QuestionRules, Result, Status, cancelled, failed, parked
from agents.src.tasks.run import completed
from tests.building import NOON, a_brief, a_task, new_id
from tests.conftest import OpenDb
from tests.contracts.test_question_store import EXPIRED, WHERE
from tests.contracts.test_task_store import MINE, THEIRS, WRONG, House, a_house, at_home

T = TypeVar("T")
Story = Callable[[House, SqlConversationStore], Awaitable[None]]


def among_talkers(open_db: OpenDb, story: Story) -> None:
    at_home(open_db, lambda house: story(house, talk_of(house)))


def talk_of(house: House) -> SqlConversationStore:
    return SqlConversationStore(house.db, house.clock)


async def say(talk: SqlConversationStore, text: str, name: str = "auth", caller: str = "ada") -> Message:
    return await talk.add(caller, name, Role.USER, caller, text)


async def said(talk: SqlConversationStore, name: str = "auth", caller: str = "ada") -> list[str]:
    return [message.text for message in (await talk.messages(caller, name, 0, 1000)).items]


async def names(talk: SqlConversationStore, search: str = "", caller: str | None = "ada") -> list[str]:
    return [one.name for one in (await talk.page(caller, words_of(search), None, 100)).items]


# What is said


def test_a_message_comes_back_as_it_was_said(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        added = await talk.add("ada", "auth", Role.SYSTEM, "grace", "Zeile 1\n 'Zeile' 2 % 🙂")
        assert added == Message(1, "auth", "ada", Role.SYSTEM, "grace", "Zeile 1\n 'Zeile' 2 % 🙂", None, NOON)
        assert (await talk.messages("ada", "auth", 0, 10)).items == (added,)
        await house.clock.advance(5)
        await say(talk, "More.")
        assert await talk.get("ada", "auth") == Conversation("auth", "ada", NOON, NOON + 5, 2)

    among_talkers(open_db, story)


def test_what_is_too_long_is_shortened_and_what_no_database_keeps_is_left_out(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        long, odd = await say(talk, "x" * (LONGEST + 1)), await say(talk, "a\0b\ud800c")
        assert await said(talk) == [long.text, odd.text]
        assert len(long.text) <= LONGEST
        assert long.text.endswith(" more characters are left out.]")
        assert odd.text == "ab?c"

    among_talkers(open_db, story)


def test_a_conversation_is_read_in_pages_oldest_first_while_it_goes_on(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        for number in range(5):
            await say(talk, str(number))
        await say(talk, "elsewhere", "other")
        first = await talk.messages("ada", "auth", 0, 3)
        assert ([message.text for message in first.items], first.next) == (["0", "1", "2"], 3)
        await say(talk, "5")
        last = await talk.messages("ada", "auth", 3, 3)
        assert ([message.text for message in last.items], last.next) == (["3", "4", "5"], None)
        assert (await talk.messages("ada", "auth", 6, 3)).items == ()

    among_talkers(open_db, story)


def test_messages_of_many_processes_are_numbered_without_holes(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        theirs = talk_of(a_house(open_db(), house.clock))
        await asyncio.gather(*(say((talk, theirs)[number % 2], str(number)) for number in range(20)))
        assert [message.id for message in (await talk.messages("ada", "auth", 0, 100)).items] == list(range(1, 21))
        assert sorted(map(int, await said(talk))) == list(range(20))
        assert (await talk.get("ada", "auth")).messages == 20

    among_talkers(open_db, story)


def test_a_conversation_belongs_to_its_caller(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        await say(talk, "mine")
        await say(talk, "yours", caller="bob")
        await say(talk, "ours", "other", caller="bob")
        assert (await said(talk), await said(talk, caller="bob")) == (["mine"], ["yours"])
        assert (await names(talk), await names(talk, caller="bob")) == (["auth"], ["other", "auth"])
        assert len(await names(talk, caller=None)) == 3
        assert [one.caller for one in await talk.named("auth")] == ["ada", "bob"]
        for asked in (talk.get("ada", "other"), talk.messages("ada", "other", 0, 1), talk.delete("ada", "other")):
            with pytest.raises(UnknownConversation, match="other"):
                await asked
        with pytest.raises(UnknownConversation):
            await talk.rename("ada", "other", "mine")
        assert await names(talk, caller="bob") == ["other", "auth"]

    among_talkers(open_db, story)


# Lists and searches


def test_the_one_that_changed_last_is_the_first_on_the_list(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        for name in ("a", "b", "c", "d", "b"):
            await house.clock.advance(0.25)
            await say(talk, "Hello.", name)
        first = await talk.page("ada", (), None, 3)
        assert [one.name for one in first.items] == ["b", "d", "c"]
        second = await talk.page("ada", (), first.next, 3)
        assert ([one.name for one in second.items], second.next) == (["a"], None)
        assert (await talk.page("ada", (), None, 4)).next is None

    among_talkers(open_db, story)


def test_those_that_changed_at_the_same_moment_are_each_listed_once(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        for number in range(7):
            await say(talk, "Hello.", f"c{number}")
        seen, cursor = [], None
        while True:
            page = await talk.page("ada", (), cursor, 2)
            seen += [one.name for one in page.items]
            if (cursor := page.next) is None:
                break
        assert seen == [f"c{number}" for number in range(6, -1, -1)]

    among_talkers(open_db, story)


def test_a_search_wants_all_words_in_one_message_whatever_their_case(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        await say(talk, "Die Größe der ÄPFEL ist 50% von 1_000!")
        await say(talk, "Something else.")
        await say(talk, "Äpfel fallen.", "trees")
        await say(talk, "Äpfel und Größe.", "theirs", "bob")

        async def found(query: str) -> list[str]:
            return [message.text[:8] for message in await talk.search("ada", words_of(query), 10)]

        assert await found("äpfel") == ["Äpfel fa", "Die Größ"]
        assert await found("GRÖSSE a\u0308pfel") == ["Die Größ"]
        assert await found("größe else") == []
        assert await found("fallen die") == []
        for literal in ("50%", "1_000", "000!"):
            assert await found(literal) == ["Die Größ"]
        for wild in ("5%0", "1_0_0", "f_llen", "!"):
            assert len(await found(wild)) == (wild == "!")
        assert await names(talk, "äpfel") == ["trees", "auth"]
        assert await names(talk, "äpfel else") == []
        assert await names(talk, "größe") == ["auth"]
        assert {one.caller for one in await talk.search(None, ("äpfel",), 10)} == {"ada", "bob"}
        assert len(await talk.search("ada", ("äpfel",), 1)) == 1
        assert await names(talk, "größe", None) == ["theirs", "auth"]

    among_talkers(open_db, story)


# Changes


def test_a_renamed_conversation_keeps_its_messages_and_its_tasks(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth")
        renamed = await talk.rename("ada", "auth", "login")
        assert (renamed.name, renamed.messages) == ("login", 1)
        assert await names(talk) == ["login"]
        assert (await house.store.get(run.task.id)).conversation == "login"
        assert [message.text for message in await talk.before(run.task.id, 20)] == []
        await house.store.settle(run, completed(Result(text="Done.")))
        assert len(await said(talk, "login")) == 2
        assert await names(talk) == ["login"]
        await say(talk, "A new one.")
        assert await said(talk) == ["A new one."]

    among_talkers(open_db, story)


def test_a_name_that_is_taken_stays_where_it_is(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth")
        await say(talk, "There.", "login")
        with pytest.raises(NameTaken, match="login"):
            await talk.rename("ada", "auth", "login")
        assert sorted(await names(talk)) == ["auth", "login"]
        assert (await house.store.get(run.task.id)).conversation == "auth"
        assert (await said(talk), await said(talk, "login")) == (["Please."], ["There."])
        assert (await talk.rename("ada", "auth", "auth")).name == "auth"
        await say(talk, "Theirs.", "mine", "bob")
        assert (await talk.rename("ada", "auth", "mine")).caller == "ada"

    among_talkers(open_db, story)


def test_of_two_who_want_one_name_one_gets_it(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        theirs = talk_of(a_house(open_db(), house.clock))
        for name in ("a", "b"):
            await say(talk, name, name)
        both = (talk.rename("ada", "a", "c"), theirs.rename("ada", "b", "c"))
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conversation", "NameTaken"]
        assert len(await names(talk)) == 2

    among_talkers(open_db, story)


def test_a_conversation_that_is_renamed_while_its_tasks_end_loses_none_of_their_endings(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        theirs = talk_of(a_house(open_db(), house.clock))
        runs = [await house.run(conversation="a") for _ in range(12)]

        async def rename() -> None:
            for name, new in (("a", "b"), ("b", "a"), ("a", "b")):
                await theirs.rename("ada", name, new)

        await asyncio.gather(rename(), *(house.store.settle(run, completed(Result(text="Done."))) for run in runs))
        assert await names(talk) == ["b"]
        assert [message.id for message in (await talk.messages("ada", "b", 0, 100)).items] == list(range(1, 25))

    among_talkers(open_db, story)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ä", "a" * 101, "a\n", "a\0"])
def test_a_name_that_cannot_be_one(open_sqlite: OpenDb, name: str) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        await say(talk, "Hello.")
        for change in (say(talk, "Hello.", name), talk.rename("ada", "auth", name)):
            with pytest.raises(InvalidRequest, match="letters, digits"):
                await change
        assert await names(talk) == ["auth"]

    among_talkers(open_sqlite, story)


def test_a_deleted_conversation_is_gone_with_its_messages(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        await say(talk, "Gone.")
        await say(talk, "Stays.", "other")
        assert (await talk.delete("ada", "auth")).messages == 1
        with pytest.raises(UnknownConversation):
            await talk.get("ada", "auth")
        assert await talk.search("ada", ("gone",), 10) == ()
        assert await house.db.read(lambda tx: tx.run("select count(*) from message")) == [(1,)]
        await say(talk, "New.")
        assert (await talk.messages("ada", "auth", 0, 10)).items[0].id == 1
        assert (await said(talk), await said(talk, "other")) == (["New."], ["Stays."])

    among_talkers(open_db, story)


# Tasks


def test_a_tasks_prompt_and_its_ending_are_said_in_its_conversation(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth", prompt="Plan it.", skill="planning")
        await house.clock.advance(3)
        await house.store.settle(run, completed(Result(text="Six steps.\n\nFirst, …")))
        told = f"@ada Task {run.task.id} completed (exit 0).\n\nSix steps."
        assert (await talk.messages("ada", "auth", 0, 10)).items == (
            Message(1, "auth", "ada", Role.USER, "ada", "Plan it.", run.task.id, NOON),
            Message(2, "auth", "ada", Role.ASSISTANT, "planning", told, run.task.id, NOON + 3),
        )
        assert await talk.get("ada", "auth") == Conversation("auth", "ada", NOON, NOON + 3, 2)

    among_talkers(open_db, story)


ENDINGS = {
    "failed (exit 1): It would not.\n\nSo far.": failed(WRONG, Result(text="So far.")),
    "failed (exit 1): The engine could not be run.": failed(Failure(type="x", title="The engine could not be run.", detail="")),
    "cancelled (exit 130).": cancelled(),
}


@pytest.mark.parametrize(("told", "ending"), ENDINGS.items(), ids=list(ENDINGS))
def test_it_is_said_how_a_task_ended(open_db: OpenDb, told: str, ending: Ending) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth")
        await house.store.settle(run, ending)
        assert (await said(talk))[1:] == [f"@ada Task {run.task.id} {told}"]

    among_talkers(open_db, story)


def test_it_is_said_of_one_that_is_cancelled_in_the_queue_and_of_one_whose_question_expires(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        queued = await house.queued(conversation="auth")
        await house.store.request_cancel(queued.id)
        run = await house.run(conversation="auth")
        asked = await house.questions.ask(run, "k1", WHERE, QuestionRules())
        await house.store.settle(run, parked())
        assert len(await said(talk)) == 3
        await house.questions.expire(asked, EXPIRED)
        assert (await said(talk))[1::2] == [
            f"@ada Task {queued.id} cancelled (exit 130).",
            f"@ada Task {run.task.id} failed (exit 1): Nobody.",
        ]

    among_talkers(open_db, story)


def test_a_task_that_goes_back_to_the_queue_says_nothing(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth")
        await house.store.settle(run, Ending(Status.QUEUED, parked().event, run_at=NOON))
        assert await said(talk) == ["Please."]

    among_talkers(open_db, story)


def test_a_repeated_request_says_nothing_twice(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        for _ in range(2):
            await house.store.add(a_task(conversation="auth"), a_brief(), Key("k", "f"))
        assert await said(talk) == ["Please."]

    among_talkers(open_db, story)


def test_an_ending_that_is_refused_is_not_told(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth")
        await house.db.write(lambda tx: tx.run("update task set status = 'queued', worker = null"))
        again = await house.store.claim_one(run.task.id, THEIRS)
        with pytest.raises(LeaseLost):
            await house.store.settle(run, completed(Result(text="Stale.")))
        assert again
        await house.store.settle(again, completed(Result(text="Fresh.")))
        assert [text.splitlines()[-1] for text in (await said(talk))[1:]] == ["Fresh."]

    among_talkers(open_db, story)


def test_who_wants_to_be_told_of_a_task_without_a_conversation_is_told_in_their_own(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        first, second = [await house.run(inbox=Inbox.WAITING) for _ in range(2)]
        assert await names(talk) == []
        for run in (first, second):
            await house.store.settle(run, completed(Result(text="Done.")))
        told = [f"@ada Task {run.task.id} completed (exit 0).\n\nDone." for run in (first, second)]
        assert await said(talk, "claude-code-ada") == told
        await talk.rename("ada", "claude-code-ada", "heard")
        assert (await house.store.get(first.task.id)).conversation is None
        await talk.rename("ada", "heard", "claude-code-ada")
        both = await house.run(inbox=Inbox.WAITING, conversation="auth")
        await house.store.settle(both, completed(Result(text="Done.")))
        assert len(await said(talk, "claude-code-ada")) == 2
        assert len(await said(talk)) == 2

    among_talkers(open_db, story)


def test_what_a_result_may_hold_is_told_without_what_no_database_keeps(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth")
        await house.store.settle(run, completed(Result(text="a\0b" + "x" * 20_000)))
        assert (await said(talk))[1].splitlines()[-1] == "ab" + "x" * 497 + "…"

    among_talkers(open_db, story)


def test_a_conversation_that_was_deleted_is_not_made_again_by_an_ending(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        run = await house.run(conversation="auth")
        await talk.delete("ada", "auth")
        await say(talk, "Another one.")
        assert (await house.store.settle(run, completed(Result()))).status is Status.COMPLETED
        assert await said(talk) == ["Another one."]
        assert await talk.before(run.task.id, 20) == ()

    among_talkers(open_db, story)


def test_what_was_said_before_a_tasks_own_prompt(open_db: OpenDb) -> None:
    async def story(house: House, talk: SqlConversationStore) -> None:
        for number in range(3):
            await say(talk, str(number))
        await say(talk, "elsewhere", "other")
        task = await house.queued(conversation="auth", prompt="Now.")
        await say(talk, "later")
        assert [message.text for message in await talk.before(task.id, 20)] == ["0", "1", "2"]
        await house.store.request_cancel(task.id)
        assert [message.text for message in await talk.before(task.id, 20)] == ["0", "1", "2"]
        assert [message.text for message in await talk.before(task.id, 2)] == ["1", "2"]
        assert await talk.before(new_id(), 20) == ()

    among_talkers(open_db, story)


class Overheard(Db):
    """A real database, and the statements that it was given."""

    def __init__(self, db: Db) -> None:
        self.db = db
        self.statements: list[str] = []

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self.db.read(lambda tx: work(Listening(tx, self.statements)))

    async def write(self, work: Callable[[Tx], T], then: Callable[[T], None] | None = None) -> T:
        return await self.db.write(lambda tx: work(Listening(tx, self.statements)), then)

    def watch(self, watcher: Watcher) -> None: ...

    async def close(self) -> None: ...


class Listening(Tx):
    def __init__(self, tx: Tx, statements: list[str]) -> None:
        self.tx, self.statements = tx, statements
        self.skip_locked, self.for_update = tx.skip_locked, tx.for_update

    def run(self, sql: str, *values: object) -> list[Row]:
        self.statements.append(sql)
        return self.tx.run(sql, *values)

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        self.statements.append(sql)
        self.tx.many(sql, rows)

    def script(self, sql: str) -> None:
        self.tx.script(sql)

    def notify(self, task_id: str) -> None:
        self.tx.notify(task_id)


def test_a_task_without_a_conversation_costs_no_statement_more(open_sqlite: OpenDb) -> None:
    async def story(house: House) -> None:
        overheard = Overheard(house.db)
        theirs = a_house(overheard, house.clock)

        async def lived(**fields: object) -> int:
            before = len(overheard.statements)
            run = (await theirs.store.add(a_task(**fields), a_brief(), claim=MINE)).run
            assert run
            await theirs.store.settle(run, completed(Result(text="Done.")))
            return len(overheard.statements) - before

        assert (await lived(), await lived(inbox=Inbox.WAITING), await lived(conversation="auth")) == (4, 6, 8)

    at_home(open_sqlite, story)
