"""What every memory store keeps to: embedded in memory, embedded in a folder, over HTTP.

The HTTP of every day is spoken with the double of `tests/qdrant_double.py`. Where QDRANT_TEST_URL names a real Qdrant server (and
QDRANT_TEST_API_KEY its key), all runs there too: `pytest -m qdrant_server`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from agents.src.errors import InvalidRequest, Misconfigured
from agents.src.memory import DIRECT, Mark, MemoryEntry, Origin, Write, changed
from agents.src.services.embedding import Embedder
from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_http import HttpWire
from agents.src.services.qdrant_local import LocalWire
from agents.src.services.qdrant_points import point_id
from agents.src.services.qdrant_wire import CountingWire, Wire
from tests.building import NOON
from tests.qdrant_double import ADA, Double, Toy, an_entry, put, served

SERVER = os.environ.get("QDRANT_TEST_URL")
PLACES = ["memory", "folder", "http"]
PATIENCE = 60.0


@dataclass
class House:
    """The same shared memory, as several processes have it."""

    new_wire: Callable[[], Wire]
    collection: str
    opened: list[QdrantMemory] = field(default_factory=list)
    wires: list[CountingWire] = field(default_factory=list)

    def open(self, embedder: Embedder | None = None) -> QdrantMemory:
        self.wires.append(CountingWire(self.new_wire()))
        self.opened.append(QdrantMemory(self.wires[-1], self.collection, embedder))
        return self.opened[-1]


Told = Callable[[Callable[[House], Awaitable[None]]], None]


@asynccontextmanager
async def a_house(place: str, folder: Path) -> AsyncIterator[House]:
    collection = f"test-{uuid4()}"
    if place == "memory":
        only = LocalWire(None)
        yield House(lambda: only, collection)
    elif place == "folder":
        yield House(lambda: LocalWire(folder), collection)
    elif place == "http":
        async with served(Double(key="key")) as url:
            yield House(lambda: HttpWire(url, SecretStr("key")), collection)
    else:
        assert SERVER
        key = SecretStr(os.environ["QDRANT_TEST_API_KEY"]) if "QDRANT_TEST_API_KEY" in os.environ else None
        wire = HttpWire(SERVER, key)
        try:
            yield House(lambda: HttpWire(SERVER, key), collection)
        finally:
            await wire.call("DELETE", f"/collections/{collection}")
            await wire.close()


@pytest.fixture(params=[*PLACES, *([pytest.param("server", marks=pytest.mark.qdrant_server)] if SERVER else [])])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Told:
    """Runs a story there, and closes what it opened."""

    def run(story: Callable[[House], Awaitable[None]]) -> None:
        async def live() -> None:
            async with asyncio.timeout(PATIENCE), a_house(request.param, tmp_path / "qdrant") as house:
                try:
                    await story(house)
                finally:
                    for memory in house.opened:
                        await memory.close()

        asyncio.run(live())

    return run


def pushed(writer: str, number: int, count: int = 1) -> list[MemoryEntry]:
    return [an_entry(f"{writer}-{number}-{i}", writer=writer, number=number, of=count) for i in range(count)]


def names(entries: Sequence[MemoryEntry]) -> set[str]:
    return {entry.id for entry in entries}


# Writing


def test_an_entry_comes_back_as_it_was_written(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        odd = an_entry("a~1f", 'smile 🙂 ü\n漢字\0 \'quotes" \\ {"json": 1}', section="Über 🙂", skill="a skill/with ünïcode")
        long = an_entry("long", "x " * 1999 + "🙂y", created_at=NOON + 0.123456, writer="laptop-1", number=2**53 + 1, of=7)
        for number in range(20):
            long = changed(long, long.text[:-1] + str(number), Origin(f"user {number}", "task:01ab", NOON + number))
        await put(memory, odd)
        await put(memory, long)
        assert await house.open().get(odd.skill, [odd.id, "not there"]) == {odd.id: odd}
        assert await memory.get("planning", ["long", odd.id]) == {"long": long}

    told(story)


def test_a_write_goes_only_over_what_it_expects(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        first = an_entry("one", "first")
        second, third = changed(first, "second", ADA), changed(first, "third", ADA)
        assert await memory.write([Write(second, first.rev)]) == {"one": None}
        assert await memory.write([Write(first, None)]) == {"one": first}
        assert await memory.write([Write(an_entry("one", "other"), None)]) == {"one": first}
        assert await memory.write([Write(second, first.rev)]) == {"one": second}
        assert await memory.write([Write(third, first.rev)]) == {"one": second}
        assert await memory.write([Write(second, first.rev)]) == {"one": second}

    told(story)


def test_in_one_request_each_entry_is_judged_alone(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        old = [an_entry(f"old-{number}") for number in range(30)]
        await put(memory, *old)
        moved = [changed(entry, "moved", ADA) for entry in old[:10]]
        await memory.write([Write(entry, before.rev) for entry, before in zip(moved, old, strict=False)])
        mine = [Write(changed(entry, "mine", ADA), entry.rev) for entry in old]
        fresh = [Write(an_entry(f"new-{number}"), None) for number in range(30)]
        taken = [Write(an_entry("old-29", "not so new"), None)]
        requests = house.wires[0].requests
        stands = await memory.write([*mine[:29], *fresh, *taken])
        assert house.wires[0].requests == requests + 2
        assert [stands[entry.id] for entry in moved] == moved
        assert [stands[write.entry.id] for write in mine[10:29]] == [write.entry for write in mine[10:29]]
        assert [stands[write.entry.id] for write in fresh] == [write.entry for write in fresh]
        assert stands["old-29"] == old[29]

    told(story)


def test_the_same_id_of_two_skills_is_two_entries(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        mine, theirs = an_entry("same", skill="mine"), an_entry("same", skill="theirs")
        await put(memory, mine)
        await put(memory, theirs)
        assert await memory.get("mine", ["same"]) == {"same": mine}
        assert (await memory.count("mine"), await memory.revisions("theirs")) == (1, {"same": theirs.rev})

    told(story)


def test_of_many_who_count_in_one_entry_none_is_lost(told: Told) -> None:
    async def story(house: House) -> None:
        memories = [house.open(), house.open()]
        await put(memories[0], an_entry("counts", "0 0"))

        async def count(memory: QdrantMemory, mine: int) -> None:
            known = 0
            while known < 50:
                seen = (await memory.get("planning", ["counts"]))["counts"]
                counts = [int(word) for word in seen.text.split()]
                assert counts[mine] in (known, known + 1)
                known, counts[mine] = counts[mine], counts[mine] + 1
                await memory.write([Write(changed(seen, " ".join(map(str, counts)), ADA), seen.rev)])

        await asyncio.gather(*(count(memory, number) for number, memory in enumerate(memories)))
        # Each stopped when it saw 50, and may have written once more.
        assert (await memories[0].get("planning", ["counts"]))["counts"].text in ("50 50", "51 50", "50 51", "51 51")

    told(story)


def test_two_who_find_no_collection_make_one(told: Told) -> None:
    async def story(house: House) -> None:
        memories = [house.open() for _ in range(4)]
        await asyncio.gather(*(put(memory, an_entry(str(number))) for number, memory in enumerate(memories)))
        assert await house.open().count("planning") == 4

    told(story)


def test_writing_nothing_asks_nothing(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        assert await memory.write([]) == {}
        await memory.adopt([], "laptop", 1)
        assert house.wires[0].requests == 0
        assert await memory.get("planning", []) == {}

    told(story)


# What a replica has not seen


def test_changes_are_what_the_marks_leave_out(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        pushes = {(writer, number): pushed(writer, number, 2) for writer in "ab" for number in (1, 2, 3)}
        direct, elsewhere = an_entry("direct", writer=DIRECT), an_entry("elsewhere", skill="other", writer="a", number=9)
        dead = changed(an_entry("dead"), None, ADA).model_copy(update={"writer": "c", "number": 4})
        await put(memory, *(entry for entries in pushes.values() for entry in entries), direct, dead)
        await put(memory, elsewhere)

        async def given(**seen: Mark) -> set[str]:
            return names(await memory.changes("planning", seen))

        def of(*keys: tuple[str, int]) -> set[str]:
            return {entry.id for key in keys for entry in pushes[key]}

        everything = {*of(*pushes), "direct", "dead"}
        assert await given() == everything
        assert await given(a=Mark(2, True)) == everything - of(("a", 1), ("a", 2))
        assert await given(a=Mark(2, False)) == everything - of(("a", 1))
        assert await given(a=Mark(3, True), b=Mark(3, True), c=Mark(4, True)) == {"direct"}
        assert await given(a=Mark(3, False), b=Mark(1, True), c=Mark(9, True)) == {
            "direct",
            *of(("a", 3), ("b", 2), ("b", 3)),
        }
        assert await given(stranger=Mark(1, True)) == everything

    told(story)


def test_few_changes_cost_few_points_however_many_there_are(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        for number in range(1, 5):
            await put(memory, *pushed("a", number, 64))
        await put(memory, *pushed("b", 1, 10))
        before = house.wires[0].read
        found = await memory.changes("planning", {"a": Mark(4, True)})
        assert (len(found), house.wires[0].read - before) == (10, 10)
        before = house.wires[0].read
        assert await memory.changes("planning", {"a": Mark(4, True), "b": Mark(1, True)}) == ()
        assert house.wires[0].read == before

    told(story)


def test_more_than_a_page_of_changes_comes_whole(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        entries = [entry for number in range(1, 11) for entry in pushed("a", number, 64)]
        await put(memory, *entries)
        found = await memory.changes("planning", {})
        assert sorted(found, key=lambda entry: entry.id) == sorted(entries, key=lambda entry: entry.id)
        assert await memory.revisions("planning") == {entry.id: entry.rev for entry in entries}
        assert len(await memory.get("planning", [entry.id for entry in entries])) == 640

    told(story)


def test_what_is_written_while_changes_are_read_is_not_stepped_over(told: Told) -> None:
    """A later push must not be seen without an earlier one: by its mark, the earlier one would never be asked for."""

    async def story(house: House) -> None:
        writer, reader = house.open(), house.open()
        for number in range(1, 7):
            await put(writer, *pushed("a", number, 64))
        pages = await paged(writer)
        behind, ahead = changed(pages[0], "behind", ADA), changed(pages[-1], "ahead", ADA)

        async def meanwhile() -> None:
            for number, (new, old) in enumerate([(behind, pages[0]), (ahead, pages[-1])], 7):
                entry = new.model_copy(update={"writer": "a", "number": number})
                assert await writer.write([Write(entry, old.rev)]) == {entry.id: entry}

        interrupt(house.wires[1], "/points/scroll", meanwhile)
        found = {entry.id: entry.text for entry in await reader.changes("planning", {})}
        assert (found[behind.id], found[ahead.id]) == ("behind", "ahead")
        assert len(found) == 384

    told(story)


async def paged(memory: QdrantMemory) -> list[MemoryEntry]:
    """All entries in the order in which pages give them."""
    entries: list[MemoryEntry] = []
    cursor = None
    while True:
        page = await memory.page(None, cursor, 100)
        entries += page.items
        cursor = page.next
        if cursor is None:
            return entries


def interrupt(wire: CountingWire, end: str, act: Callable[[], Awaitable[None]]) -> None:
    """Does something once, after the first answer to such a request."""
    call, waiting = wire.call, [act]

    async def interrupted(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await call(method, path, body)
        if path.endswith(end) and waiting:
            await waiting.pop()()
        return answer

    wire.call = interrupted  # type: ignore[method-assign]  # a wire with one more thing happening on it


def test_the_dead_are_not_counted_and_not_forgotten(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        first, second = an_entry("one"), an_entry("two")
        await put(memory, first, second)
        dead = changed(first, None, ADA)
        assert await memory.write([Write(dead, first.rev)]) == {"one": dead}
        assert await memory.count("planning") == 1
        assert await memory.count("nobody") == 0
        assert await memory.revisions("planning") == {"one": dead.rev, "two": second.rev}
        assert await memory.get("planning", ["one"]) == {"one": dead}
        look = {"ids": [point_id("planning", name) for name in ("one", "two")], "with_vector": True}
        points = await house.wires[0].call("POST", f"/collections/{house.collection}/points", look)
        assert {point["payload"]["id"]: bool(point["vector"]) for point in points} == {"one": False, "two": True}
        again = changed(dead, "It lives.", ADA)
        assert await memory.write([Write(again, dead.rev)]) == {"one": again}
        assert [hit.entry for hit in await memory.search("lives", None, 5)] == [again]

    told(story)


# Adopting


def test_direct_writes_become_a_writers_push_unless_they_changed(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        entries = [an_entry(f"e{number}", f"argon number {number}") for number in range(4)]
        await put(memory, *entries)
        changed_since, theirs = changed(entries[1], "else", ADA), entries[2].model_copy(update={"writer": "b", "number": 5})
        await memory.write([Write(changed_since, entries[1].rev)])
        await memory.adopt([entries[2]], "b", 5)
        await memory.adopt(entries, "a", 3)
        stands = await memory.get("planning", [entry.id for entry in entries])
        ours = {"writer": "a", "number": 3, "of": 4}
        assert stands["e0"] == entries[0].model_copy(update=ours)
        assert stands["e1"] == changed_since
        assert stands["e2"] == theirs
        assert stands["e3"] == entries[3].model_copy(update=ours)
        assert names([hit.entry for hit in await memory.search("argon", None, 9)]) == {"e0", "e2", "e3"}

    told(story)


def test_of_two_who_adopt_at_once_one_has_it(told: Told) -> None:
    async def story(house: House) -> None:
        memories = [house.open() for _ in range(3)]
        entries = [an_entry(f"e{number}") for number in range(64)]
        await put(memories[0], *entries)
        await asyncio.gather(*(memory.adopt(entries, f"w{number}", number) for number, memory in enumerate(memories, 1)))
        stands = await memories[0].get("planning", [entry.id for entry in entries])
        # Each point was a direct write when the first came to it, and no more when the next did.
        assert {(entry.writer, entry.number) for entry in stands.values()} <= {("w1", 1), ("w2", 2), ("w3", 3)}
        await memories[1].adopt(list(stands.values()), "late", 9)
        assert await memories[2].get("planning", [entry.id for entry in entries]) == stands

    told(story)


# Pages and searches


def test_pages_have_every_live_entry_once_in_one_order(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        entries = [an_entry(f"e{number}", skill=skill) for skill in ("mine", "theirs") for number in range(120)]
        for skill in ("mine", "theirs"):
            await put(memory, *(entry for entry in entries if entry.skill == skill))
        await memory.write([Write(changed(entries[7], None, ADA), entries[7].rev)])
        whole = await paged(memory)
        assert (len(whole), await paged(memory)) == (239, whole)
        assert {(entry.skill, entry.id) for entry in whole} == {(entry.skill, entry.id) for entry in entries} - {("mine", "e7")}
        first = await memory.page(["mine"], None, 100)
        second = await memory.page(["mine"], first.next, 100)
        assert (len(first.items), len(second.items), second.next) == (100, 19, None)
        assert [*first.items, *second.items] == [entry for entry in whole if entry.skill == "mine"]
        assert (await memory.page([], None, 10)).items == ()

    told(story)


@pytest.mark.parametrize(
    "cursor", ["", "1", "x" * 36, "4BEDD1BB-886E-5F8A-B084-8C5A43ACF6BD", "4bedd1bb886e5f8ab0848c5a43acf6bd"]
)
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    async def live() -> None:
        with pytest.raises(InvalidRequest):
            await QdrantMemory(LocalWire(None), "c").page(None, cursor, 10)

    asyncio.run(live())


def test_a_search_finds_words_among_live_entries_of_the_skills_asked_for(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        texts = ["Hash passwords with argon2.", "Videos of this client have 50 fps.", "Passwords are never logged."]
        for skill in ("security", "video", "empty"):
            await put(memory, *(an_entry(f"{skill}-{number}", text, skill) for number, text in enumerate(texts)))
        gone = (await memory.get("security", ["security-2"]))["security-2"]
        await memory.write([Write(changed(gone, None, ADA), gone.rev)])

        async def found(query: str, skills: list[str] | None, limit: int = 10) -> list[str]:
            hits = await memory.search(query, skills, limit)
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            return [hit.entry.id for hit in hits]

        assert await found("hashing a password", ["security"]) == ["security-0"]
        assert set(await found("password", ["security", "video"])) == {"security-0", "video-0", "video-2"}
        assert set(await found("passwords", None)) == {"security-0", "video-0", "video-2", "empty-0", "empty-2"}
        assert len(await found("passwords", None, 2)) == 2
        assert (await found("passwords", []), await found("zebra", None), await found("is it the", None)) == ([], [], [])

    told(story)


def test_with_an_embedder_entries_are_found_by_meaning_too(told: Told) -> None:
    async def story(house: House) -> None:
        toy = Toy()
        memory = house.open(toy)
        await put(memory, an_entry("a", "aaa", section="S"), an_entry("u", "uuu", section="S"))
        asked = len(toy.asked)
        assert toy.asked == ["planning\nS\naaa", "planning\nS\nuuu"]
        assert (await memory.search("uuuuuu", None, 1))[0].entry.id == "u"
        assert toy.asked[asked:] == ["uuuuuu"]

    told(story)


def test_entries_of_before_the_embedder_get_their_vectors_anew(told: Told) -> None:
    async def story(house: House) -> None:
        plain = house.open()
        await put(plain, an_entry("a", "aaa"), an_entry("u", "uuu"), an_entry("dead", "eee"))
        await plain.write([Write(changed(an_entry("dead", "eee"), None, ADA), an_entry("dead", "eee").rev)])
        before = await plain.get("planning", ["a", "u", "dead"])
        assert await plain.reindex() == 0
        first, other = house.open(Toy("first")), house.open(Toy("other", "uaeio"))
        assert await first.search("uuuuuu", None, 2) == ()
        assert (await first.reindex(), await first.reindex()) == (2, 0)
        assert (await first.search("uuuuuu", None, 2))[0].entry.id == "u"
        # Of another model, of the same length: its vectors do not count for this one.
        assert await other.search("uuuuuu", None, 2) == ()
        assert (await other.reindex(), await other.reindex()) == (2, 0)
        assert (await other.search("uuuuuu", None, 2))[0].entry.id == "u"
        longer = house.open(Toy("longer", "aeiouy"))
        assert await longer.reindex() == 2
        assert await plain.get("planning", ["a", "u", "dead"]) == before

    told(story)


def test_an_entry_that_changes_while_vectors_are_made_keeps_its_own(told: Told) -> None:
    async def story(house: House) -> None:
        plain = house.open()
        entries = [an_entry(name, name * 3) for name in "aeu"]
        await put(plain, *entries)
        toy = Toy()
        reindexer = house.open(toy)
        other = house.open(toy)
        mine = changed(entries[0], "ooo", ADA)

        async def meanwhile() -> None:
            assert await other.write([Write(mine, entries[0].rev)]) == {mine.id: mine}

        interrupt(house.wires[1], "/points/scroll", meanwhile)
        await reindexer.reindex()
        assert [hit.entry for hit in await other.search("oooooo", None, 1)] == [mine]
        assert await reindexer.reindex() == 0

    told(story)


# Purging


def test_old_tombstones_go_but_never_a_writers_last_push(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()

        def dead(name: str, writer: str, number: int, at: float, skill: str = "planning") -> MemoryEntry:
            return an_entry(name, skill=skill, dead=True, writer=writer, number=number, changed_at=at)

        await put(
            memory,
            dead("old", "a", 1, NOON - 10),
            dead("new", "a", 2, NOON + 10),
            dead("last", "a", 3, NOON - 10),
            dead("last-too", "a", 3, NOON - 10),
            dead("only", "b", 1, NOON - 10),
            dead("before-a-live-one", "c", 1, NOON - 10),
            dead("direct", DIRECT, 0, NOON - 10),
            *pushed("c", 2),
            an_entry("alive", changed_at=NOON - 10),
        )
        await put(memory, dead("elsewhere", "a", 2, NOON - 10, skill="other"))
        assert await memory.purge(NOON) == 3
        left = {"new", "last", "last-too", "only", "alive", "c-2-0"}
        assert set(await memory.revisions("planning")) == left
        assert set(await memory.revisions("other")) == {"elsewhere"}
        assert await memory.purge(NOON) == 0

    told(story)


def test_what_lives_again_while_tombstones_are_purged_stays(told: Told) -> None:
    async def story(house: House) -> None:
        writer, purger = house.open(), house.open()
        dead = [an_entry(f"dead-{number}", dead=True, changed_at=NOON - 10) for number in range(3)]
        await put(writer, *dead)
        again = changed(dead[1], "It lives.", ADA)

        async def meanwhile() -> None:
            assert await writer.write([Write(again, dead[1].rev)]) == {again.id: again}

        interrupt(house.wires[1], "/points/scroll", meanwhile)
        assert await purger.purge(NOON) == 2
        assert await writer.get("planning", [entry.id for entry in dead]) == {again.id: again}

    told(story)


# What others wrote there


def test_a_point_that_is_no_entry_is_named_and_no_empty_memory(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        await put(memory, an_entry("mine"))
        point = "00000000-0000-0000-0000-00000000000a"
        payload = {"skill": "planning", "text": "by hand", "dead": True, "changed_at": NOON - 10}
        path, body = f"/collections/{house.collection}/points?wait=true", {"id": point, "vector": {}, "payload": payload}
        await house.wires[0].call("PUT", path, {"points": [body]})
        for reading in (memory.changes("planning", {}), memory.revisions("planning"), memory.purge(NOON)):
            with pytest.raises(Misconfigured, match=f'^The point {point} of the skill "planning" in Qdrant .* Delete that point'):
                await reading
        assert set(await memory.revisions("other")) == set()

    told(story)


# What is there


def test_looking_makes_nothing(told: Told) -> None:
    async def story(house: House) -> None:
        memory = house.open()
        standing = await memory.standing()
        assert (standing.collection, standing.entries) == (house.collection, None)
        await put(memory, an_entry("a"))
        assert (await memory.standing()).entries == 1
        assert standing.version[0].isdigit()

    told(story)
