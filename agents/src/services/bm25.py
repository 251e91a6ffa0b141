"""Texts as sparse vectors of words: the same that Qdrant's own `qdrant/bm25` makes of English text.

A word's id is the hash of its stem; how rare it is, Qdrant adds at search (`modifier: idf`). Ids and values must not change:
they are stored in every collection.
"""

import re
import unicodedata
from collections import Counter
from typing import NamedTuple

import mmh3

from agents.src.services.english import OTHER_FORMS, STOPWORDS
from agents.src.services.porter2 import stem

K, B, AVERAGE_LENGTH = 1.2, 0.75, 256
"""As Qdrant has them. A fixed average: no vector depends on the other entries."""
OTHER_FORM = 0.7
"""What another form of a word in the query counts."""
VIRAMA, NUKTA = 9, 7
SIGNS = "".join(
    sign
    for sign in map(chr, range(0x0591, 0x1D00))
    if unicodedata.category(sign) in {"Mn", "Mc"} and unicodedata.combining(sign) not in {VIRAMA, NUKTA}
)
"""Vowel signs of Arabic, Hebrew and Indian scripts: parts of words, though not letters."""
WORD = re.compile(rf"(?:[^\W_]|[{SIGNS}])+")
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]{3,}"
)
"""Scripts that put no spaces between words, or particles behind them."""


class Sparse(NamedTuple):
    """A sparse vector, as Qdrant's REST has it. Indices are unique; a text without words has none."""

    indices: list[int]
    values: list[float]


def document(text: str) -> Sparse:
    """A word's value grows with how often it occurs, up to 2.2, and shrinks with the length of the text."""
    words = _words(text)
    found = _stems(words)
    norm = K * (1 - B + B * len(found) / AVERAGE_LENGTH)
    counts = Counter(map(term_id, [*found, *_pairs(words)]))
    return Sparse(list(counts), [times * (K + 1) / (times + norm) for times in counts.values()])


def query(text: str) -> Sparse:
    """Every word counts once; its other forms, which the vectors of entries do not know of, count less."""
    words = _words(text)
    found = _stems(words)
    forms = {term_id(form): OTHER_FORM for word in found for form in sorted(OTHER_FORMS.get(word, ()))}
    values = forms | {term_id(word): 1.0 for word in [*found, *_pairs(words)]}
    return Sparse(list(values), list(values.values()))


def stems(text: str) -> list[str]:
    """Of the words that count, in order."""
    return _stems(_words(text))


def _stems(words: list[str]) -> list[str]:
    return [stem(word) for word in words if word not in STOPWORDS]


def _pairs(words: list[str]) -> list[str]:
    """Every two characters of scripts without spaces, which Qdrant leaves out: there a run of them is one word."""
    runs = [run for word in words if not word.isascii() for run in UNSPACED.findall(word)]
    return [run[at : at + 2] for run in runs for at in range(len(run) - 1)]


def _words(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(unicodedata.normalize("NFC", text))]


def term_id(term: str) -> int:
    return abs(mmh3.hash(term))
