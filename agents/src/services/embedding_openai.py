"""Vectors from an endpoint in the style of OpenAI's: `POST {base}/embeddings`. Ollama, vLLM and many others have one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError

from agents.src.clock import Clock
from agents.src.errors import Misconfigured, Unavailable
from agents.src.services.embedding import Vector

if TYPE_CHECKING:
    import httpx

OPENAI = "https://api.openai.com/v1"
BATCH = 64
"""Texts in one request."""
TRIES = 3
LONGEST_PAUSE = 5.0
"""Seconds that a busy endpoint is waited for before it is asked again."""
TIMEOUT = 30.0
PREFIXES: Mapping[str, tuple[str, str]] = {
    "e5-": ("query: ", "passage: "),
    "nomic-embed-text": ("search_query: ", "search_document: "),
}
"""What some models were trained to see before a query, and before a text that is looked for; by a part of their name."""


class Made(BaseModel):
    index: int
    embedding: list[float]


class Answer(BaseModel):
    data: list[Made]


def open_endpoint(model: str, size: int, url: str | None, key: SecretStr | None, clock: Clock) -> "Endpoint":
    """Raises Misconfigured."""
    if url is None and key is None:
        raise Misconfigured(
            "MEMORY_EMBEDDING names openai: set MEMORY_EMBEDDING_URL, or MEMORY_EMBEDDING_API_KEY for OpenAI's own."
        )
    base = (url or OPENAI).rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise Misconfigured("MEMORY_EMBEDDING_URL must start with http:// or https://")
    return Endpoint(model, size, base, key, clock)


class Endpoint:
    """Implements `Embedder`, in one event loop until it is closed."""

    def __init__(self, model: str, size: int, base: str, key: SecretStr | None, clock: Clock) -> None:
        self.model = model
        self.size = size
        self._base = base
        self._key = key
        self._clock = clock
        self._client: httpx.AsyncClient | None = None

    async def embed(self, texts: Sequence[str], query: bool = False) -> list[Vector]:
        # An endpoint refuses an empty text.
        prefix = next((prefixes[0 if query else 1] for part, prefixes in PREFIXES.items() if part in self.model.lower()), "")
        asked = [f"{prefix}{text}" or " " for text in texts]
        batches = [await self._batch(asked[start : start + BATCH]) for start in range(0, len(asked), BATCH)]
        return [vector for batch in batches for vector in batch]

    async def close(self) -> None:
        """It can be used again, also in another event loop."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def _batch(self, texts: Sequence[str]) -> list[Vector]:
        response = await self._asked({"model": self.model, "input": list(texts), "encoding_format": "float"})
        try:
            made = Answer.model_validate_json(response.content).data
        except ValidationError:
            raise Misconfigured(f"{self._place} does not answer as OpenAI's embeddings do; check MEMORY_EMBEDDING_URL.") from None
        vectors = {one.index: one.embedding for one in made}
        if sorted(vectors) != list(range(len(texts))):
            raise Misconfigured(f"{self._place} gave {len(made)} vectors for {len(texts)} texts.")
        for vector in vectors.values():
            if len(vector) != self.size:
                raise Misconfigured(
                    f"{self.model} makes vectors of {len(vector)} numbers, not {self.size}: "
                    f"set MEMORY_EMBEDDING to openai:{self.model}@{len(vector)}"
                )
        return [vectors[index] for index in range(len(texts))]

    async def _asked(self, body: dict[str, Any]) -> "httpx.Response":
        """Asks again where the endpoint is busy. Raises Unavailable, Misconfigured."""
        for left in reversed(range(TRIES)):
            response = await self._sent(body)
            if response.status_code < 300:
                return response
            if response.status_code != 429 and response.status_code < 500:
                raise Misconfigured(refused(response.status_code, self._place, self.model))
            pause = waiting(response.headers)
            if not left or pause > LONGEST_PAUSE:
                break
            await self._clock.sleep(pause)
        raise Unavailable(f"{self._place} is busy or broken ({response.status_code}); try again later.")

    async def _sent(self, body: dict[str, Any]) -> "httpx.Response":
        import httpx

        try:
            return await self._connected().post(f"{self._base}/embeddings", json=body, headers=self._headers())
        except httpx.InvalidURL:
            raise Misconfigured("MEMORY_EMBEDDING_URL is not a URL.") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._place} cannot be reached ({type(error).__name__}); check MEMORY_EMBEDDING_URL.") from None

    def _connected(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=not self._base.startswith("http://127.0.0.1:"))
        return self._client

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key.get_secret_value()}"} if self._key else {}

    @property
    def _place(self) -> str:
        """Without what a URL may hold of secrets."""
        return f"The embedding endpoint at {self._base.partition('://')[2].rpartition('@')[2].partition('/')[0]}"


def refused(status: int, place: str, model: str) -> str:
    if status in {401, 403}:
        return f"{place} refuses the key ({status}): check MEMORY_EMBEDDING_API_KEY."
    return f"{place} refuses the request ({status}): check MEMORY_EMBEDDING_URL, and that it has the model {model}."


def waiting(headers: Mapping[str, str]) -> float:
    """Seconds, as Retry-After has it; a date, or none: one second."""
    said = headers.get("retry-after", "")
    return float(said) if said.isdecimal() else 1.0
