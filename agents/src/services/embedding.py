"""Texts as dense vectors, by which entries are found that say the same in other words. Optional: without it, words alone count.

fastembed:MODEL        on this machine, by the library fastembed, which downloads the model once
openai:MODEL[@SIZE]    an endpoint in the style of OpenAI's
qdrant:MODEL[@SIZE]    Qdrant Cloud's inference: the server makes the vectors of texts that it is sent
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypedDict

from pydantic import SecretStr

from agents.src.clock import Clock
from agents.src.errors import Misconfigured


class Inference(TypedDict):
    """In the place of a vector: what the server is to make one of."""

    text: str
    model: str


Vector = list[float] | Inference
"""A dense vector as Qdrant's REST takes it, in points and in queries."""


class Embedder(Protocol):
    """`model` names what made a vector: vectors of different models cannot be compared. `size` is their length."""

    @property
    def model(self) -> str: ...

    @property
    def size(self) -> int: ...

    async def embed(self, texts: Sequence[str], query: bool = False) -> list[Vector]:
        """One for each text, in order. Raises Unavailable, Misconfigured."""

    async def close(self) -> None: ...


FORMS = "fastembed:MODEL, openai:MODEL or qdrant:MODEL, where MODEL may end in @SIZE, the length of its vectors"
LONGEST = 65536
"""Numbers in a vector, as Qdrant takes it."""
SIZES: Mapping[str, int] = {
    "all-minilm": 384,
    "all-minilm-l6-v2": 384,
    "bge-m3": 1024,
    "bge-small-en-v1.5": 384,
    "mxbai-embed-large": 1024,
    "mxbai-embed-large-v1": 1024,
    "multilingual-e5-small": 384,
    "nomic-embed-text": 768,
    "text-embedding-3-large": 3072,
    "text-embedding-3-small": 1536,
    "text-embedding-ada-002": 1536,
}
"""Lengths of the vectors of some models, by their names in lower case without the maker's."""


def embedded_text(skill: str, section: str, text: str) -> str:
    """What an entry is found by: what it says, and where it stands."""
    return "\n".join(part for part in (skill, section, text) if part)


def open_embedder(spec: str | None, url: str | None, key: SecretStr | None, clock: Clock | None = None) -> Embedder | None:
    """The provider that MEMORY_EMBEDDING names; None for None. Nothing is loaded or asked yet. Raises Misconfigured."""
    if not spec:
        return None
    provider, _, name = spec.partition(":")
    model, _, size = name.partition("@")
    if not model or provider not in {"fastembed", "openai", "qdrant"} or not (size.isdecimal() or name == model):
        raise Misconfigured(f"MEMORY_EMBEDDING: {spec!r} is not of the form {FORMS}.")
    if provider == "fastembed":
        from agents.src.services.embedding_fastembed import FastEmbed

        return FastEmbed(model)
    length = int(size) if size else known_size(provider, model)
    if not 0 < length <= LONGEST:
        raise Misconfigured(f"MEMORY_EMBEDDING: a vector's length is between 1 and {LONGEST}, not {length}.")
    if provider == "qdrant":
        return CloudInference(model, length)
    from agents.src.services.embedding_openai import open_endpoint

    return open_endpoint(model, length, url, key, clock or Clock())


def known_size(provider: str, model: str) -> int:
    size = SIZES.get(model.rpartition("/")[2].partition(":")[0].lower())
    if size is None:
        raise Misconfigured(f"MEMORY_EMBEDDING: say how long the vectors of {model} are, as in {provider}:{model}@1024.")
    return size


class CloudInference:
    """Implements `Embedder` by leaving it to the server. Qdrant's embedded mode cannot do it."""

    def __init__(self, model: str, size: int) -> None:
        self.model = model
        self.size = size

    async def embed(self, texts: Sequence[str], query: bool = False) -> list[Vector]:  # noqa: ARG002  # part of the port
        return [Inference(text=text, model=self.model) for text in texts]

    async def close(self) -> None: ...
