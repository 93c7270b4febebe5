"""What a corpus says of its words: in how many documents each stands. No labels, no queries, no model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rankdistill.data import Dataset

WORD = re.compile(r"\w+(?:['’-]\w+)*")
"""A word as it stands in a text, with its hyphens and apostrophes."""


class Corpus:
    """The documents of a collection, whose words are counted when that is first asked for.

    Args:
        dataset: the collection.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @cached_property
    def weights(self) -> Weights:
        """The words' weights."""
        return Weights(self._dataset.contents.values())


class Weights:
    """BM25's weights of words in documents, with frequencies from `texts` alone.

    Args:
        texts: all documents.
        k1: saturation of term frequency.
        b: length normalisation.
    """

    def __init__(self, texts: Iterable[str], k1: float = 0.9, b: float = 0.4) -> None:
        self._k1, self._b = k1, b
        frequencies: Counter[str] = Counter()
        documents = words = 0
        for text in texts:
            found = words_of(text)
            frequencies.update(set(found))
            documents, words = documents + 1, words + len(found)
        self._frequencies, self._documents = frequencies, documents
        self._mean = words / max(1, documents)

    def rarity(self, words: Sequence[str]) -> NDArray[np.float64]:
        """ln(1 + (N - n + .5) / (n + .5)) of each word, n the documents that have it; float64[words]."""
        counts = np.array([self._frequencies[word] for word in words], dtype=np.float64)
        return np.log1p((self._documents - counts + 0.5) / (counts + 0.5))

    def of_document(self, words: Sequence[str]) -> NDArray[np.float64]:
        """BM25's weight of each word in the document of these words (Lucene's variant), float64[words].

        `idf(t) * f / (f + k1 (1 - b + b |d| / avg))` with f the count of t in d; see `rankdistill.mining.bm25`.
        """
        counts = Counter(words)
        frequency = np.array([counts[word] for word in words], dtype=np.float64)
        saturation = self._k1 * (1 - self._b + self._b * len(words) / max(1.0, self._mean))
        return self.rarity(words) * frequency / (frequency + saturation)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, in their order."""
    return WORD.findall(text.lower())
