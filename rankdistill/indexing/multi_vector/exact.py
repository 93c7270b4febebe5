"""Exact MaxSim with numpy: every document is scored. The oracle of the other multi-vector back ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankdistill.indexing.arrays import release_read
from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Allowed, Ids, Scores
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.multi_vector.base import (
    check_new,
    check_queries,
    check_similarity,
    read_vectors,
    texts_at,
    write_vectors,
)
from rankdistill.indexing.topk import Positions, top_k
from rankdistill.inference.token_vectors import TokenVectors, joined, max_sim, of_texts

QUERIES_AT_ONCE = 64
TOKENS_AT_ONCE = 1 << 11
"""Document tokens compared at a time: with 64 queries of 12 tokens, 6 MiB of products, which stay near the core."""


class ExactMaxSimIndex:
    """Token vectors in one array, in memory or mapped from disk.

    Args:
        dimension: length of a token's vector.
        similarity: `maxsim` or `meanmaxsim`.

    Raises:
        ConfigError: another similarity.
    """

    def __init__(self, dimension: int, similarity: str) -> None:
        check_similarity(similarity)
        self.dimension = dimension
        self.similarity = similarity
        self.ids: list[str] = []
        self._documents = of_texts([], dimension)

    def add(self, ids: Sequence[str], vectors: TokenVectors) -> None:
        """See `Index.add`."""
        check_new(ids, vectors, self.dimension, self.ids)
        self._documents = joined([self._documents, vectors]) if self.ids else vectors
        self.ids.extend(ids)

    def search(self, vectors: TokenVectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        check_queries(vectors, self.dimension, k)
        width = min(k, len(self.ids))
        places = np.arange(len(self.ids)) if allowed is None else np.flatnonzero(allowed)
        positions = np.full((len(vectors), width), -1, np.int64)
        best = np.full((len(vectors), width), -np.inf, np.float32)
        found = min(width, len(places))
        for first in range(0, len(vectors), QUERIES_AT_ONCE):
            block = slice(first, min(first + QUERIES_AT_ONCE, len(vectors)))
            scores = self._scores(vectors.some(block.start, block.stop), places)
            columns = top_k(scores, width)
            positions[block, :found] = places[columns]
            best[block, :found] = np.take_along_axis(scores, columns, axis=1)
        release_read(len(vectors), self._documents.vectors)
        return named(np.where(np.isneginf(best), -1, positions), self.ids), best

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        write_vectors(folder, self._documents)
        write_ids(folder, self.ids)

    @classmethod
    def load(cls, folder: Path, similarity: str, mmap: bool = True) -> ExactMaxSimIndex:
        """Read what `save` wrote; with `mmap`, vectors stay on disk until they are searched."""
        documents = read_vectors(folder, mmap)
        index = cls(documents.dimension, similarity)
        index._documents = documents
        index.ids = read_ids(folder, len(documents))
        return index

    def _scores(self, queries: TokenVectors, places: Positions) -> NDArray[np.float32]:
        """Of the documents at `places`, which rise; float32 `[queries, places]`."""
        scores = np.empty((len(queries), len(places)), np.float32)
        ends = np.cumsum(self._documents.lengths[places])
        first = 0
        while first < len(places):
            limit = (ends[first - 1] if first else 0) + TOKENS_AT_ONCE
            last = max(first + 1, int(np.searchsorted(ends, limit, side="right")))
            start, stop = int(places[first]), int(places[last - 1]) + 1
            neighbours = last - first == stop - start
            documents = self._documents
            block = documents.some(start, stop) if neighbours else texts_at(documents, places[first:last])
            scores[:, first:last] = max_sim(queries, block, self.similarity == "meanmaxsim")
            first = last
        return scores


def _create(settings: IndexSettings, threads: int) -> ExactMaxSimIndex:
    return ExactMaxSimIndex(settings.dimension, settings.similarity)


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> ExactMaxSimIndex:
    return ExactMaxSimIndex.load(folder, settings.similarity, mmap)


BACKEND = Backend(_create, _load)
