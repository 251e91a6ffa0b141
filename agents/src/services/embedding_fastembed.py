"""Vectors by the library fastembed, on this machine's processor. It is not installed with the rest: it brings ONNX along."""

import asyncio
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from typing import Any

from agents.src.errors import Misconfigured
from agents.src.services.embedding import Vector


class FastEmbed:
    """Implements `Embedder`. Loads the model with the first text, in a thread: the first time ever, that is a download."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._one_at_a_time = threading.Lock()

    @property
    def size(self) -> int:
        """Raises Misconfigured."""
        try:
            return int(library().TextEmbedding.get_embedding_size(self.model))
        except ValueError:
            raise self._unknown() from None

    async def embed(self, texts: Sequence[str], query: bool = False) -> list[Vector]:
        return await asyncio.to_thread(self._embed, list(texts), query) if texts else []

    async def close(self) -> None: ...

    def _embed(self, texts: list[str], query: bool) -> list[Vector]:
        with self._one_at_a_time:
            made = self._loaded.query_embed(texts) if query else self._loaded.passage_embed(texts)
            return [[float(value) for value in vector] for vector in made]

    @cached_property
    def _loaded(self) -> Any:
        text_embedding = library().TextEmbedding
        if self.model.lower() not in {known["model"].lower() for known in text_embedding.list_supported_models()}:
            raise self._unknown()
        try:
            return text_embedding(model_name=self.model)
        except Exception as error:  # noqa: BLE001  # whatever its downloader raises
            raise Misconfigured(
                f"fastembed cannot load {self.model} ({type(error).__name__}). It downloads a model once: "
                "run this where there is a network, or set FASTEMBED_CACHE_PATH to a folder that has the model."
            ) from None

    def _unknown(self) -> Misconfigured:
        return Misconfigured(
            f"MEMORY_EMBEDDING: fastembed has no model {self.model!r}; see TextEmbedding.list_supported_models()."
        )


def library() -> Any:
    try:
        return import_module("fastembed")
    except ImportError:
        raise Misconfigured("MEMORY_EMBEDDING names fastembed, which is not installed: pip install fastembed") from None
