"""Where dense vectors come from: an endpoint over real HTTP, a stand-in for the library, and the server itself."""

import asyncio
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.src.clock import Clock
from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.embedding import Embedder, Vector, embedded_text, open_embedder
from agents.src.services.embedding_openai import BATCH, LONGEST_PAUSE, TRIES
from agents.src.services.loopback import serve

KEY = SecretStr("the-key-itself")
SPEC = "openai:tiny@2"


class Patient(Clock):
    """Sleeps in no time, and remembers for how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Scripted:
    """An endpoint that gives these answers one after the other, and then vectors: a text's length and its place."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        return self.answers.pop(0) if self.answers else vectors(self.asked[-1]["input"])


def vectors(texts: list[str]) -> Response:
    """In reverse: their index says where they belong."""
    made = [{"index": index, "embedding": [len(text), index]} for index, text in enumerate(texts)]
    return JSONResponse({"object": "list", "data": made[::-1], "model": "tiny"})


def embedding(
    endpoint: Scripted, texts: list[str], *, spec: str = SPEC, query: bool = False, clock: Clock | None = None
) -> list[Vector]:
    """What an embedder of that endpoint gives."""

    async def play() -> list[Vector]:
        async with serve(Starlette(routes=[Route("/v1/embeddings", endpoint.answer, methods=["POST"])])) as url:
            embedder = open_embedder(spec, f"{url}/v1/", KEY, clock or Patient())
            assert embedder
            try:
                return await embedder.embed(texts, query)
            finally:
                await embedder.close()

    return asyncio.run(play())


def test_an_endpoint_is_asked_for_vectors_of_texts_in_their_order() -> None:
    endpoint = Scripted()
    assert embedding(endpoint, ["a", "bcd"]) == [[1, 0], [3, 1]]
    assert endpoint.asked == [{"model": "tiny", "input": ["a", "bcd"], "encoding_format": "float"}]
    assert endpoint.headers[0]["authorization"] == "Bearer the-key-itself"


def test_many_texts_are_sent_in_batches() -> None:
    endpoint = Scripted()
    assert embedding(endpoint, ["x" * number for number in range(1, 131)]) == [[n + 1, n % BATCH] for n in range(130)]
    assert [len(asked["input"]) for asked in endpoint.asked] == [BATCH, BATCH, 2]


def test_no_text_asks_nothing() -> None:
    endpoint = Scripted()
    assert (embedding(endpoint, []), endpoint.asked) == ([], [])


def test_an_empty_text_is_sent_as_one_that_an_endpoint_takes() -> None:
    endpoint = Scripted()
    embedding(endpoint, [""])
    assert endpoint.asked[0]["input"] == [" "]


@pytest.mark.parametrize(("query", "sent"), [(True, "query: a"), (False, "passage: a")])
def test_a_model_is_shown_what_it_was_trained_to_see(query: bool, sent: str) -> None:
    endpoint = Scripted()
    embedding(endpoint, ["a"], spec="openai:intfloat/multilingual-e5-small@2", query=query)
    assert endpoint.asked[0]["input"] == [sent]


@pytest.mark.parametrize(("status", "headers", "pause"), [(429, {"retry-after": "2"}, 2.0), (503, {}, 1.0), (500, {}, 1.0)])
def test_a_busy_endpoint_is_asked_again_after_as_long_as_it_says(status: int, headers: dict[str, str], pause: float) -> None:
    clock = Patient()
    assert embedding(Scripted(Response(status_code=status, headers=headers)), ["a"], clock=clock) == [[1, 0]]
    assert clock.slept == [pause]


def test_an_endpoint_that_stays_busy_is_asked_a_few_times() -> None:
    clock, endpoint = Patient(), Scripted(*[Response(status_code=429)] * 10)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:\d+ is busy or broken \(429\)"):
        embedding(endpoint, ["a"], clock=clock)
    assert (len(endpoint.asked), len(clock.slept)) == (TRIES, TRIES - 1)


def test_nobody_waits_as_long_as_an_endpoint_may_say() -> None:
    clock = Patient()
    busy = Response(status_code=429, headers={"retry-after": str(int(LONGEST_PAUSE) + 1)})
    with pytest.raises(Unavailable):
        embedding(Scripted(busy), ["a"], clock=clock)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "MEMORY_EMBEDDING_API_KEY"), (403, "MEMORY_EMBEDDING_API_KEY"), (404, "has the model tiny"), (400, "URL")],
)
def test_a_refusal_says_what_to_check_and_never_the_key(status: int, words: str) -> None:
    refusal = JSONResponse({"error": {"message": "Incorrect API key: the-key-itself"}}, status)
    with pytest.raises(Misconfigured, match=words) as refused:
        embedding(Scripted(refusal), ["a"])
    assert "the-key" not in refused.value.detail


def test_vectors_of_another_length_are_refused_with_the_way_out() -> None:
    wrong = JSONResponse({"data": [{"index": 0, "embedding": [1, 2, 3]}]})
    with pytest.raises(Misconfigured, match="openai:tiny@3"):
        embedding(Scripted(wrong), ["a"])


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "hello",
        "{}",
        '{"data": []}',
        '{"data": [{"index": 7, "embedding": [1, 2]}]}',
        '{"data": [{"index": 0, "embedding": "AAA="}]}',
    ],
)
def test_an_answer_of_another_form_is_refused(answer: str) -> None:
    with pytest.raises(Misconfigured):
        embedding(Scripted(Response(answer)), ["a"])


def test_an_endpoint_that_is_gone_is_unavailable() -> None:
    async def play() -> None:
        async with serve(Starlette()) as url:
            pass
        embedder = open_embedder(SPEC, url, None, Patient())
        assert embedder
        await embedder.embed(["a"])

    with pytest.raises(Unavailable, match="cannot be reached"):
        asyncio.run(play())


def test_a_closed_embedder_can_be_used_again_in_another_event_loop() -> None:
    endpoint, address, done = Scripted(), Future[str](), threading.Event()

    async def stay() -> None:
        async with serve(Starlette(routes=[Route("/embeddings", endpoint.answer, methods=["POST"])])) as url:
            address.set_result(url)
            await asyncio.to_thread(done.wait)

    async def use(embedder: Embedder) -> list[Vector]:
        try:
            return await embedder.embed(["a"])
        finally:
            await embedder.close()

    server = threading.Thread(target=asyncio.run, args=(stay(),))
    server.start()
    try:
        embedder = open_embedder(SPEC, address.result(10), KEY)
        assert embedder
        assert asyncio.run(use(embedder)) == asyncio.run(use(embedder)) == [[1, 0]]
    finally:
        done.set()
        server.join()


# The server embeds


def test_qdrants_inference_is_sent_texts_in_the_place_of_vectors() -> None:
    embedder = open_embedder("qdrant:sentence-transformers/all-minilm-l6-v2", None, None)
    assert embedder
    model = "sentence-transformers/all-minilm-l6-v2"
    assert (embedder.model, embedder.size) == (model, 384)
    assert asyncio.run(embedder.embed(["a", "b"])) == [{"text": "a", "model": model}, {"text": "b", "model": model}]
    asyncio.run(embedder.close())


# The library


FASTEMBED = '''
from pathlib import Path


class TextEmbedding:
    """As fastembed 0.9 has it, with one model that is there and one that cannot be downloaded."""

    @classmethod
    def list_supported_models(cls):
        return [{"model": "acme/Tiny"}, {"model": "acme/lost"}]

    @classmethod
    def get_embedding_size(cls, model_name):
        sizes = {"acme/tiny": 2, "acme/lost": 2}
        if model_name.lower() not in sizes:
            raise ValueError(f"Embedding size for model {model_name} was None.")
        return sizes[model_name.lower()]

    def __init__(self, model_name):
        if model_name == "acme/lost":
            raise ValueError("Could not load model acme/lost from any source.")
        with Path(__file__).with_name("loads").open("a") as loads:
            loads.write(".")

    def query_embed(self, texts):
        yield from ([float(len(text)), 1.0] for text in texts)

    def passage_embed(self, texts):
        yield from ([float(len(text)), 0.0] for text in texts)
'''


@pytest.fixture
def fastembed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the library, which is optional and downloads its models. Gives a file with a dot for each load."""
    (tmp_path / "fastembed.py").write_text(FASTEMBED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fastembed", raising=False)
    (tmp_path / "loads").touch()
    return tmp_path / "loads"


def test_the_library_makes_vectors_and_loads_its_model_once(fastembed: Path) -> None:
    embedder = open_embedder("fastembed:acme/tiny", None, None)
    assert embedder
    assert (embedder.size, fastembed.read_text()) == (2, "")

    async def both() -> tuple[list[Vector], list[Vector]]:
        documents, queries = await asyncio.gather(embedder.embed(["ab", "c"]), embedder.embed(["ab"], query=True))
        return documents, queries

    assert asyncio.run(both()) == ([[2, 0], [1, 0]], [[2, 1]])
    assert fastembed.read_text() == "."


def test_a_model_that_the_library_does_not_have_is_refused(fastembed: Path) -> None:
    embedder = open_embedder("fastembed:acme/other", None, None)
    assert embedder
    with pytest.raises(Misconfigured, match="no model 'acme/other'"):
        _ = embedder.size
    with pytest.raises(Misconfigured, match="no model 'acme/other'"):
        asyncio.run(embedder.embed(["a"]))


def test_a_model_that_cannot_be_downloaded_says_so(fastembed: Path) -> None:
    embedder = open_embedder("fastembed:acme/lost", None, None)
    assert embedder
    with pytest.raises(Misconfigured, match="cannot load acme/lost"):
        asyncio.run(embedder.embed(["a"]))


def test_without_the_library_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastembed", None)
    embedder = open_embedder("fastembed:acme/tiny", None, None)
    assert embedder
    with pytest.raises(Misconfigured, match="pip install fastembed"):
        asyncio.run(embedder.embed(["a"]))


# The setting


@pytest.mark.parametrize("spec", [None, ""])
def test_without_a_provider_there_is_none(spec: str | None) -> None:
    assert open_embedder(spec, None, None) is None


@pytest.mark.parametrize("spec", ["minilm", "openai:", "openai", "word2vec:m", "openai:m@", "openai:m@x", ":m", "openai:@3"])
def test_a_setting_of_another_form_is_refused_with_the_forms(spec: str) -> None:
    with pytest.raises(Misconfigured, match=r"fastembed:MODEL, openai:MODEL or qdrant:MODEL"):
        open_embedder(spec, None, KEY)


@pytest.mark.parametrize("size", ["@0", "@99999999"])
def test_a_length_that_no_vector_has_is_refused(size: str) -> None:
    with pytest.raises(Misconfigured, match="between 1 and 65536"):
        open_embedder(f"openai:m{size}", None, KEY)


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        ("openai:text-embedding-3-small", 1536),
        ("openai:nomic-embed-text:latest", 768),
        ("openai:own@77", 77),
        ("qdrant:BAAI/bge-m3", 1024),
    ],
)
def test_the_length_of_vectors_is_known_or_said(spec: str, size: int) -> None:
    embedder = open_embedder(spec, None, KEY)
    assert embedder
    assert embedder.size == size


@pytest.mark.parametrize("provider", ["openai", "qdrant"])
def test_an_unknown_model_must_say_its_length(provider: str) -> None:
    with pytest.raises(Misconfigured, match=f"{provider}:own@1024"):
        open_embedder(f"{provider}:own", None, KEY)


@pytest.mark.parametrize(("url", "words"), [(None, "set MEMORY_EMBEDDING_URL"), ("ftp://x", "must start with http")])
def test_an_endpoint_without_an_address_is_refused(url: str | None, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        open_embedder(SPEC, url, None)


def test_an_address_that_is_none_is_refused_at_first_use() -> None:
    embedder = open_embedder(SPEC, "http://[::x", KEY)
    assert embedder
    with pytest.raises(Misconfigured, match="not a URL"):
        asyncio.run(embedder.embed(["a"]))


def test_an_entry_is_found_by_where_it_stands_too() -> None:
    assert embedded_text("planning", "Clients", "Pays late.") == "planning\nClients\nPays late."
    assert embedded_text("planning", "", "Pays late.") == "planning\nPays late."
