"""Exact sparse search with scipy: every score above 0 is computed. The oracle of the other sparse back ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill.indexing.arrays import read_array, release_read, write_array
from rankdistill.indexing.backend import Backend, IndexSettings
from rankdistill.indexing.base import Allowed, Ids, Scores
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.sparse.base import SparseVectors, check_new, check_queries
from rankdistill.indexing.topk import Positions
from rankdistill.mining.top_k import top_indices

WEIGHTS_FILE, DOCUMENTS_FILE, STARTS_FILE = "weights.npy", "documents.npy", "starts.npy"
"""Postings of term t: `documents[starts[t]:starts[t + 1]]`, and their weights."""

QUERIES_AT_ONCE = 256

SHARING = 4
"""Queries under one filter for which postings are first cut to what it allows."""

READ_AT_ONCE = 1 << 24
"""Weights that reading holds at a time (64 MiB of float32, thrice that with their places)."""


class ExactSparseIndex:
    """Posting lists, `[vocabulary, documents]` in compressed sparse rows, in memory or mapped from disk.

    Args:
        dimension: terms in the vocabulary.
    """

    def __init__(self, dimension: int) -> None:
        from scipy.sparse import csr_array

        self.dimension = dimension
        self.ids: list[str] = []
        self._postings = csr_array((dimension, 0), dtype=np.float32)
        self._mapped: tuple[Any, ...] = ()  # arrays of the postings that lie on disk

    def add(self, ids: Sequence[str], vectors: SparseVectors) -> None:
        """See `Index.add`."""
        from scipy.sparse import csr_array, hstack

        check_new(ids, vectors, self.dimension, self.ids)
        self._postings = csr_array(hstack([self._postings, vectors.astype(np.float32).T], format="csr"))
        self._postings.eliminate_zeros()
        self._mapped = ()
        self.ids.extend(ids)

    def search(self, vectors: SparseVectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        positions, best = self.find(vectors, k, allowed)
        return named(positions, self.ids), best

    def find(self, vectors: SparseVectors, k: int, allowed: Allowed | None = None) -> tuple[Positions, Scores]:
        """As `search`, with positions in `ids`, negative where it found no more."""
        check_queries(vectors, self.dimension, k)
        width = min(k, len(self.ids))
        positions = np.full((vectors.shape[0], width), -1, np.int64)
        best = np.full((vectors.shape[0], width), -np.inf, np.float32)
        for start in range(0, vectors.shape[0], QUERIES_AT_ONCE):
            asked = vectors[start : start + QUERIES_AT_ONCE].astype(np.float32)
            if allowed is None or asked.shape[0] < SHARING:
                scores = asked @ self._postings
            else:
                terms = np.unique(asked.indices)
                scores = asked[:, terms] @ self._postings_among(terms, allowed)
            scores.sort_indices()
            for row in range(scores.shape[0]):
                found = slice(scores.indptr[row], scores.indptr[row + 1])
                documents, values = scores.indices[found], scores.data[found]
                kept = values > 0 if allowed is None else (values > 0) & allowed[documents]
                documents, values = documents[kept], values[kept]
                order = top_indices(values, k)
                positions[start + row, : len(order)] = documents[order]
                best[start + row, : len(order)] = values[order]
        release_read(vectors.shape[0], *self._mapped)
        return positions, best

    def blocks(self, start: int, size: int) -> Iterator[SparseVectors]:
        """The vectors of the documents from `start` on, `[size, vocabulary]` at a time.

        Postings are kept by term. They are gone through once for so many documents as have `READ_AT_ONCE` weights, and
        only these are in memory.
        """
        from scipy.sparse import csr_array

        weights, documents, starts = self._postings.data, self._postings.indices, self._postings.indptr
        count = len(self.ids)
        bands = max(1, -(-len(weights) // READ_AT_ONCE))
        band = max(size, -(-max(1, count) // bands // size) * size)
        for low in range(start, count, band):
            high = min(low + band, count)
            places = []
            for at in range(0, len(documents), READ_AT_ONCE):
                part = np.asarray(documents[at : at + READ_AT_ONCE])
                places.append(at + np.flatnonzero((part >= low) & (part < high)))
            place = np.concatenate(places) if places else np.empty(0, np.int64)
            terms = np.searchsorted(starts, place, side="right") - 1
            rows = csr_array(
                (np.asarray(weights[place]), (np.asarray(documents[place]) - low, terms)),
                shape=(high - low, self.dimension),
            )
            for at in range(0, high - low, size):
                yield rows[at : at + size]

    def _postings_among(self, terms: Positions, allowed: Allowed) -> SparseVectors:
        """The postings of `terms` with the allowed documents alone, under the numbers that these have."""
        from scipy.sparse import csr_array

        some = self._postings[terms]
        kept = allowed[some.indices]
        starts = np.concatenate([[0], np.cumsum(kept)])[some.indptr]
        return csr_array((some.data[kept], some.indices[kept], starts), shape=some.shape)

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        write_array(folder / WEIGHTS_FILE, self._postings.data)
        write_array(folder / DOCUMENTS_FILE, self._postings.indices.astype(np.int32))
        write_array(folder / STARTS_FILE, self._postings.indptr.astype(np.int64))
        write_ids(folder, self.ids)

    @classmethod
    def load(cls, folder: Path, dimension: int, mmap: bool = True) -> ExactSparseIndex:
        """Read what `save` wrote; with `mmap`, postings stay on disk until they are searched."""
        from scipy.sparse import csr_array

        weights, documents, starts = (
            read_array(folder / name, mmap) for name in (WEIGHTS_FILE, DOCUMENTS_FILE, STARTS_FILE)
        )
        index = cls(dimension)
        index.ids = read_ids(folder, None)
        index._postings = csr_array((weights, documents, starts), shape=(dimension, len(index.ids)), copy=False)
        index._mapped = (weights, documents)
        return index


def _create(settings: IndexSettings, threads: int) -> ExactSparseIndex:
    return ExactSparseIndex(settings.dimension)


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> ExactSparseIndex:
    return ExactSparseIndex.load(folder, settings.dimension, mmap)


BACKEND = Backend(_create, _load)
