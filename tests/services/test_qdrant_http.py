"""Qdrant over HTTP: what is told when it cannot be used, and what becomes of writes whose answer is lost.

Against the double of `tests/qdrant_double.py`; the last test drives that double with Qdrant's own client.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from agents.src.errors import Misconfigured, Unavailable
from agents.src.memory import Mark, Write, changed
from agents.src.services.qdrant import QdrantMemory
from agents.src.services.qdrant_http import HttpWire, addresses
from agents.src.services.qdrant_points import INDEXES
from tests.building import PATIENCE
from tests.qdrant_double import ADA, Double, Fault, Toy, an_entry, put, served

KEY = SecretStr("a-secret-key")


def tell(double: Double, story: Callable[[QdrantMemory, str], Awaitable[None]], key: SecretStr | None = None) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE), served(double) as url:
            memory = QdrantMemory(HttpWire(url, key), "memory")
            try:
                await story(memory, url)
            finally:
                await memory.close()

    asyncio.run(live())


# What cannot be used


@pytest.mark.parametrize(
    ("double", "key", "told"),
    [
        (Double(key="another"), KEY, "does not accept the key in QDRANT_API_KEY"),
        (Double(key="another"), None, "wants a key: set QDRANT_API_KEY"),
        (Double(version="1.16.9"), None, "is version 1.16.9, .* Upgrade it to 1.17 or newer"),
        (Double(version="0.11.0"), None, "Upgrade it"),
        (Double(version="dev"), None, "is not Qdrant; look at QDRANT_URL"),
        (Double(title="elasticsearch"), None, "is not Qdrant; look at QDRANT_URL"),
    ],
)
def test_what_must_be_put_right_is_told_at_the_first_use(double: Double, key: SecretStr | None, told: str) -> None:
    async def story(memory: QdrantMemory, url: str) -> None:
        for asking in (memory.count("s"), memory.page(None, None, 1), memory.search("words", None, 1), memory.changes("s", {})):
            with pytest.raises(Misconfigured, match=f"Qdrant at {url}|What answers at {url}") as caught:
                await asking
            assert re.search(told, caught.value.detail)
            assert KEY.get_secret_value() not in caught.value.detail
        assert not double.client.collections

    tell(double, story, key)


def test_nobody_there() -> None:
    async def live() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        memory = QdrantMemory(HttpWire(f"http://ada:secret@127.0.0.1:{port}", KEY), "memory")
        with pytest.raises(Unavailable, match=f"cannot be reached at http://127.0.0.1:{port}. Is it running") as caught:
            await memory.count("s")
        assert "secret" not in caught.value.detail
        await memory.close()

    asyncio.run(live())


@asynccontextmanager
async def answering(text: str) -> AsyncIterator[HttpWire]:
    """A wire to a server that answers each request with these bytes, or never."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.encode())
        if not text:
            await reader.read()
        writer.close()

    answered: list[asyncio.Task[None] | None] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    wire = HttpWire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, answer=PATIENCE if text else 0.05)
    yield wire
    await wire.close()
    await asyncio.gather(*(task for task in answered if task))
    server.close()


def test_somebody_who_never_answers() -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE), answering("") as wire:
            with pytest.raises(Unavailable, match=r"has not answered in 0.05 s; try again"):
                await QdrantMemory(wire, "memory").count("s")

    asyncio.run(live())


@pytest.mark.parametrize(
    "text",
    [
        "200 OK\r\ncontent-length: 5\r\n\r\n<ok/>",
        "405 No\r\ncontent-length: 0\r\n\r\n",
        "302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_something_else_that_answers(text: str) -> None:
    async def live() -> None:
        async with asyncio.timeout(PATIENCE), answering(f"HTTP/1.1 {text}") as wire:
            with pytest.raises(Misconfigured, match="is not Qdrant"):
                await QdrantMemory(wire, "memory").count("s")

    asyncio.run(live())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1", "http://127.0.0.1:6333"),
        ("https://xyz.cloud.qdrant.io", "https://xyz.cloud.qdrant.io:6333"),
        (" https://qdrant.example.com:443/prefix/ ", "https://qdrant.example.com:443/prefix"),
        ("http://ada:secret@[::1]:7000", "http://[::1]:7000"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    base, place = addresses(url)
    assert place == shown
    assert base.replace("ada:secret@", "") == shown
    assert ("ada:secret@" in base) == ("ada:secret@" in url)


@pytest.mark.parametrize(
    "url", ["", "localhost:6333", "ftp://host", "https://", "http://host:port", "http://host:99999", "http://[1"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"QDRANT_URL must look like https://HOST:6333"):
        HttpWire(url, None)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(Misconfigured, match="QDRANT_API_KEY has characters") as caught:
        HttpWire("http://127.0.0.1", SecretStr(key))
    assert key not in caught.value.detail


# Faults on the way


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.BUSY, "is too busy .503.; try again later"),
        (Fault.LIMITED, "is too busy .429.; try again in 7 s"),
        (Fault.BROKEN, "has failed .500.: Service unavailable. Its own log may say why"),
        (Fault.LOST_REQUEST, "broke off; try again"),
    ],
)
def test_a_write_that_fails_is_told_and_not_sent_twice(fault: Fault, told: str) -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        await memory.count("s")
        double.faults.append(fault)
        with pytest.raises(Unavailable, match=told):
            await put(memory, an_entry("one"))
        assert [path for _, path in double.asked].count("/collections/memory/points/batch") == 1
        assert await memory.get("planning", ["one"]) == {}
        await put(memory, an_entry("one"))

    tell(double, story)


def test_a_write_whose_answer_is_lost_can_be_sent_again() -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        first = an_entry("one")
        second = changed(first, "second", ADA)
        await put(memory, first)
        double.faults.append(Fault.LOST_REPLY)
        with pytest.raises(Unavailable, match="broke off"):
            await memory.write([Write(second, first.rev)])
        assert await memory.get("planning", ["one"]) == {"one": second}
        assert await memory.write([Write(second, first.rev)]) == {"one": second}

    tell(double, story)


def test_a_write_that_arrives_late_changes_nothing_that_came_after_it() -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        first, fresh = an_entry("one"), an_entry("fresh")
        second, third = changed(first, "second", ADA), changed(first, "third", ADA)
        await put(memory, first)
        double.faults.append(Fault.LATE)
        with pytest.raises(Unavailable):
            await memory.write([Write(second, first.rev), Write(fresh, None)])
        assert await memory.write([Write(third, first.rev)]) == {"one": third}
        edited = changed(fresh, "edited", ADA)
        await put(memory, fresh)
        await memory.write([Write(edited, fresh.rev)])
        double.late()
        assert await memory.get("planning", ["one", "fresh"]) == {"one": third, "fresh": edited}

    tell(double, story)


def test_of_a_batch_that_was_half_done_the_other_half_follows() -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        old = [an_entry(f"old-{number}") for number in range(4)]
        await put(memory, *old)
        push = {"writer": "a", "number": 1, "of": 8}
        writes = [Write(changed(entry, "new", ADA).model_copy(update=push), entry.rev) for entry in old]
        writes += [Write(an_entry(f"new-{number}", writer="a", number=1, of=8), None) for number in range(4)]
        double.faults.append(Fault.HALF)
        with pytest.raises(Unavailable):
            await memory.write(writes)
        seen = await memory.changes("planning", {})
        mark = Mark.after([entry for entry in seen if entry.writer == "a"])
        assert mark == Mark(1, whole=False)
        assert await memory.write(writes) == {write.entry.id: write.entry for write in writes}
        assert len(await memory.changes("planning", {"a": mark})) == 8

    tell(double, story)


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.BUSY, Fault.BROKEN])
def test_a_read_is_tried_twice(fault: Fault) -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        await put(memory, an_entry("one"))
        double.faults_of_reads = deque([fault])
        assert await memory.count("planning") == 1
        double.faults_of_reads = deque([fault, fault])
        with pytest.raises(Unavailable):
            await memory.count("planning")
        assert not double.faults_of_reads

    tell(double, story)


def test_no_failure_looks_like_an_empty_memory() -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        await put(memory, an_entry("one"))
        askings: list[Callable[[], Awaitable[Any]]] = [
            lambda: memory.changes("planning", {}),
            lambda: memory.count("planning"),
            lambda: memory.revisions("planning"),
            lambda: memory.get("planning", ["one"]),
            lambda: memory.page(None, None, 10),
            lambda: memory.search("fact", None, 10),
            lambda: memory.purge(0.0),
            lambda: memory.reindex(),
        ]
        for ask in askings:
            double.faults_of_reads = deque([Fault.LOST_REPLY, Fault.BUSY])
            with pytest.raises(Unavailable):
                await ask()
            assert not double.faults_of_reads

    tell(double, story)


# The collection


def test_a_collection_gets_all_indexes_though_another_died_in_the_middle_of_making_it() -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        wire = HttpWire(url, None)
        await wire.call("PUT", "/collections/memory", {"vectors": {}, "sparse_vectors": {"bm25": {"modifier": "idf"}}})
        await wire.close()
        await put(memory, an_entry("one"))
        assert double.indexes["memory"] == INDEXES
        count = len(double.asked)
        await memory.count("planning")
        assert len(double.asked) == count + 1

    tell(double, story)


def test_a_collection_that_is_gone_is_made_again() -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        await put(memory, an_entry("one"))
        double.client.delete_collection("memory")
        double.indexes.clear()
        assert await memory.count("planning") == 0
        await put(memory, an_entry("one"))

    tell(double, story)


def test_a_collection_of_something_else_is_left_alone() -> None:
    double = Double()

    async def story(memory: QdrantMemory, url: str) -> None:
        double.client.create_collection("memory", {"text": models.VectorParams(size=4, distance=models.Distance.COSINE)})
        for _ in range(2):
            with pytest.raises(Misconfigured, match=r"was made by something else. Set QDRANT_COLLECTION to another name"):
                await put(memory, an_entry("one"))
        assert "memory" not in double.indexes or not double.indexes["memory"]

    tell(double, story)


def test_a_server_that_cannot_add_a_vector_says_so() -> None:
    double = Double(version="1.17.4")

    async def story(memory: QdrantMemory, url: str) -> None:
        await put(memory, an_entry("one"))
        other = QdrantMemory(HttpWire(url, None), "memory", Toy())
        with pytest.raises(Misconfigured, match=r"Upgrade Qdrant to 1.18 or newer, or set QDRANT_COLLECTION to a new name"):
            await other.count("planning")
        await other.close()
        fresh = QdrantMemory(HttpWire(url, None), "fresh", Toy())
        await put(fresh, an_entry("one"))
        await fresh.close()

    tell(double, story)


class Away(Toy):
    """An embedder that cannot be reached while `away`."""

    away = True

    async def embed(self, texts: Any, query: bool = False) -> Any:
        if self.away:
            raise Unavailable("The endpoint does not answer.")
        return await super().embed(texts, query)


def test_while_the_embedder_is_away_entries_are_kept_and_found_by_their_words() -> None:
    async def story(memory: QdrantMemory, url: str) -> None:
        embedder = Away()
        there = QdrantMemory(HttpWire(url, None), "memory", embedder)
        await put(there, an_entry("one", "Use argon."))
        assert [hit.entry.id for hit in await there.search("argon", None, 5)] == ["one"]
        assert await there.reindex() == 0
        embedder.away = False
        assert await there.search("aaaa", None, 5) == ()
        assert (await there.reindex(), await there.reindex()) == (1, 0)
        assert [hit.entry.id for hit in await there.search("aaaa", None, 5)] == ["one"]
        await there.close()

    tell(Double(), story)


# The double itself


def test_the_double_answers_qdrants_own_client_as_a_server_does() -> None:
    double = Double(key="key")

    def drive(url: str) -> None:
        client = QdrantClient(url=url, headers={"api-key": "key"}, check_compatibility=False)
        sparse = {"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)}
        assert client.create_collection("c", vectors_config={}, sparse_vectors_config=sparse)
        refused(409, lambda: client.create_collection("c", vectors_config={}))
        refused(404, lambda: client.count("nowhere"))
        one = models.PointStruct(
            id=1, vector={"bm25": models.SparseVector(indices=[7], values=[1.0])}, payload={"rev": "a", "n": 1}
        )
        here = models.Filter(must=[models.FieldCondition(key="rev", match=models.MatchValue(value="a"))])
        client.upsert("c", [one])
        refused(400, lambda: client.count("c", count_filter=here))
        refused(400, lambda: client.scroll("c", order_by="n"))
        client.create_payload_index("c", "rev", models.PayloadSchemaType.KEYWORD)
        assert client.count("c", count_filter=here).count == 1
        two = models.PointStruct(id=1, vector={}, payload={"rev": "b"})
        assert client.upsert("c", [two], update_filter=here, update_mode=models.UpdateMode.UPDATE_ONLY).status == "completed"
        assert client.upsert("c", [one], update_filter=here, update_mode=models.UpdateMode.UPDATE_ONLY).status == "completed"
        assert client.retrieve("c", [1, 2])[0].payload == {"rev": "b"}
        client.upsert("c", [one])
        found = client.query_points("c", query=models.SparseVector(indices=[7], values=[1.0]), using="bm25")
        assert [point.id for point in found.points] == [1]
        client.set_payload("c", {"n": 2}, here)
        assert client.scroll("c")[0][0].payload == {"rev": "a", "n": 2}
        client.delete("c", here)
        assert client.count("c").count == 0
        client.close()

    def refused(status: int, act: Callable[[], object]) -> None:
        with pytest.raises(UnexpectedResponse) as caught:
            act()
        assert caught.value.status_code == status

    async def live() -> None:
        async with asyncio.timeout(PATIENCE), served(double) as url:
            await asyncio.to_thread(drive, url)

    asyncio.run(live())
