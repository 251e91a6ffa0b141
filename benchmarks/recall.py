"""How much of what a question needs is found: LoCoMo's evidence questions, through what the product asks Qdrant and does after.

    python benchmarks/recall.py --data locomo10.json [--split dev|test|all] [--dense [--cache FOLDER]]

Download `data/locomo10.json` of snap-research/LoCoMo first. `dev` are its first five conversations, by which all was chosen;
`test` are the last five. Without --split both are shown, and all together. --dense adds all-MiniLM-L6-v2 (what that needs,
benchmarks/minilm.py says). Qdrant is qdrant-client's own, in memory: a search is the work of one thread that waits for nothing,
so its CPU time is its latency on a machine that is free. Making the question's dense vector is not in it.
"""

import argparse
import hashlib
import random
import statistics
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).parents[1]))

from agents.src.services import bm25
from agents.src.services.embedding import embedded_text
from agents.src.services.ranking import BM25, dense_name, query_body, ranked
from benchmarks.locomo import Conversation, Entry, Mode, read_locomo, recall
from benchmarks.minilm import SIZE, MiniLM, model_folder

SPLITS = {"dev": range(5), "test": range(5, 10), "all": range(10)}
DENSE = dense_name(SIZE)
ROUNDS = 10_000
Matrix = Any
"""(texts, 384) in numpy."""
Search = Callable[[str, Matrix | None], list[Entry]]


@dataclass
class Figures:
    """Of one method, question by question: in which conversation it was asked, recall, seconds of CPU."""

    of: list[int] = field(default_factory=list)
    at_5: list[float] = field(default_factory=list)
    at_10: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, conversation: int, found: list[Entry], evidence: frozenset[str], seconds: float) -> None:
        self.of.append(conversation)
        self.at_5.append(recall(found[:5], evidence))
        self.at_10.append(recall(found[:10], evidence))
        self.seconds.append(seconds)

    def within(self, split: range) -> "Figures":
        rows = [row for row in zip(self.of, self.at_5, self.at_10, self.seconds, strict=True) if row[0] in split]
        return Figures(*map(list, zip(*rows, strict=True)))


class Memory:
    """One conversation in Qdrant, with the vectors of `texts`."""

    def __init__(self, conversation: Conversation, entries: Sequence[Entry], texts: Sequence[str], dense: Matrix | None) -> None:
        from qdrant_client import QdrantClient, models

        self.entries = entries
        self.client = QdrantClient(":memory:")
        sizes = {} if dense is None else {DENSE: models.VectorParams(size=SIZE, distance=models.Distance.COSINE)}
        words = {BM25: models.SparseVectorParams(modifier=models.Modifier.IDF)}
        self.client.create_collection("c", vectors_config=sizes, sparse_vectors_config=words)
        points = [
            models.PointStruct(
                id=number,
                vector={BM25: models.SparseVector(**bm25.document(text)._asdict())}
                | ({} if dense is None else {DENSE: dense[number].tolist()}),
                payload={"skill": conversation.name, "section": entry.section, "model": MiniLM.model},
            )
            for number, (entry, text) in enumerate(zip(entries, texts, strict=True))
        ]
        self.client.upsert("c", points)

    def search(self, text: str, dense: Matrix | None) -> list[Entry]:
        """As the product does it."""
        from qdrant_client import models

        vector = None if dense is None else (DENSE, dense.tolist())
        body = query_body(bm25.query(text), vector, MiniLM.model, None, 10)
        requests = [models.QueryRequest.model_validate(search) for search in body["searches"]]
        answers = [answer.model_dump() for answer in self.client.query_batch_points("c", requests)]
        return [self.entries[int(found.id)] for found in ranked(answers, 10)]

    def anchor(self, text: str, dense: Matrix | None) -> list[Entry]:
        """As Qdrant's documentation does it: `qdrant/bm25`, and fused with the dense search by ranks (RRF, k = 2)."""
        from qdrant_client import models

        ids = list(dict.fromkeys(map(bm25.term_id, bm25.stems(text))))
        words = models.SparseVector(indices=ids, values=[1.0] * len(ids))
        query = {"using": BM25, "query": words, "limit": 50}
        if dense is None:
            points = self.client.query_points("c", query=words, using=BM25, limit=10).points
        else:
            both = [models.Prefetch(**query), models.Prefetch(using=DENSE, query=dense.tolist(), limit=50)]
            points = self.client.query_points("c", prefetch=both, query=models.RrfQuery(rrf=models.Rrf()), limit=10).points
        return [self.entries[int(point.id)] for point in points]


class Vectors:
    """Of texts, made once and kept in a folder where one is given."""

    def __init__(self, cache: Path | None) -> None:
        folder = model_folder()
        if folder is None:
            raise SystemExit("--dense needs a model: see benchmarks/minilm.py")
        self.model = MiniLM(folder)
        self.cache = cache

    def of(self, texts: Sequence[str]) -> Matrix:
        import numpy as np

        if self.cache is None:
            return self.model.matrix(texts)
        path = self.cache / f"{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            np.save(path, self.model.matrix(texts))
        return np.load(path)


def measure(conversations: Mapping[int, Conversation], mode: Mode, vectors: Vectors | None) -> dict[str, Figures]:
    """By method."""
    measured: dict[str, Figures] = defaultdict(Figures)
    for number, conversation in conversations.items():
        entries = conversation.entries(mode)
        plain = [entry.text for entry in entries]
        placed = [embedded_text(conversation.name, entry.section, entry.text) for entry in entries]
        loose = [Entry("", entry.text, entry.turns) for entry in entries]
        asked = vectors.of([question.text for question in conversation.questions]) if vectors else None
        for name, of, texts in (("anchor", entries, plain), ("without sections", loose, plain), ("product", entries, placed)):
            memory = Memory(conversation, of, texts, vectors.of(texts) if vectors else None)
            search = memory.anchor if name == "anchor" else memory.search
            for dense in [None] if asked is None else [None, asked]:
                figures = measured[f"{name}, {'words' if dense is None else 'words and meaning'}"]
                ask(number, conversation, search, dense, figures)
            memory.client.close()
    return measured


def ask(number: int, conversation: Conversation, search: Search, dense: Matrix | None, figures: Figures) -> None:
    for at, question in enumerate(conversation.questions):
        started = time.thread_time()
        found = search(question.text, None if dense is None else dense[at])
        figures.add(number, found, question.evidence, time.thread_time() - started)


def ceiling(conversations: Iterable[Conversation], mode: Mode) -> float:
    asked = [(list(one.entries(mode)), question.evidence) for one in conversations for question in one.questions]
    return statistics.fmean(recall(entries, evidence) for entries, evidence in asked)


def gain(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The mean difference, with its 95 % interval by paired bootstrap."""
    differences = [one - other for one, other in zip(ours, theirs, strict=True)]
    dice = random.Random(1)
    means = sorted(statistics.fmean(dice.choices(differences, k=len(differences))) for _ in range(ROUNDS))
    return f"{statistics.fmean(differences):+.3f} [{means[ROUNDS // 40]:+.3f}, {means[-ROUNDS // 40]:+.3f}]"


def show(mode: Mode, measured: Mapping[str, Figures], split: str) -> None:
    within = {name: figures.within(SPLITS[split]) for name, figures in measured.items()}
    print(f"\n{mode}, {split}: {len(next(iter(within.values())).of)} questions")
    print(f"{'':38} {'R@5':>5} {'R@10':>5} {'p50':>6} {'p95 ms':>7}   R@10 against the anchor")
    for name, figures in within.items():
        quantiles = statistics.quantiles([seconds * 1000 for seconds in figures.seconds], n=20)
        anchor = within[f"anchor,{name.partition(',')[2]}"]
        against = "" if anchor is figures else gain(figures.at_10, anchor.at_10)
        rate = f"{statistics.fmean(figures.at_5):5.3f} {statistics.fmean(figures.at_10):5.3f}"
        print(f"{name:38} {rate} {quantiles[9]:6.1f} {quantiles[18]:7.1f}   {against}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("locomo10.json"))
    parser.add_argument("--split", choices=SPLITS, default="all")
    parser.add_argument("--dense", action="store_true")
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    if not given.data.is_file():
        parser.error(f"there is no {given.data}: download data/locomo10.json of snap-research/LoCoMo and name it by --data")
    warnings.filterwarnings("ignore", module="qdrant_client")
    conversations = {number: one for number, one in enumerate(read_locomo(given.data)) if number in SPLITS[given.split]}
    vectors = Vectors(given.cache) if given.dense else None
    for mode in get_args(Mode):
        measured = measure(conversations, mode, vectors)
        print(f"\n{mode}: all entries together hold {ceiling(conversations.values(), mode):.3f} of the evidence")
        for split in SPLITS if given.split == "all" else [given.split]:
            show(mode, measured, split)


if __name__ == "__main__":
    main()
