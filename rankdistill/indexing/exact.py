"""Exact search with numpy: every score is computed. The oracle of the other back ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rankdistill.data.spill import Spill
from rankdistill.indexing.among import best_among
from rankdistill.indexing.arrays import read_array, release_read, write_array
from rankdistill.indexing.backend import Backend, IndexSettings, RowsOnDisk
from rankdistill.indexing.base import Allowed, Ids, Scores, Vectors
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.topk import Positions, top_k
from rankdistill.indexing.vectors import check_new, check_queries, normalised

VECTORS_FILE = "vectors.npy"
SCORES_AT_ONCE = 1 << 24
"""How many scores a block of queries may have in memory (64 MiB of float32)."""

_PREPARED_AT_ONCE = 8192
"""Vectors that are normalised together."""

MAPPED_AT_ONCE = 1 << 30
"""Bytes of vectors that a search may map together; more are searched a fourth of that at a time."""


class ExactIndex:
    """Vectors in one array, in memory or mapped from disk.

    Args:
        dimension: length of a vector.
        similarity: `cosine` (vectors are normalised on their way in) or `dot`.
    """

    def __init__(self, dimension: int, similarity: str) -> None:
        self.dimension = dimension
        self.similarity = similarity
        self.ids: list[str] = []
        self._held: Vectors = np.empty((0, dimension), np.float32)

    @property
    def _vectors(self) -> Vectors:
        """Those that were added: the rest of `_held` is room for more."""
        return self._held[: len(self.ids)]

    def reserve(self, documents: int) -> None:
        """Make room for so many in all, so that adding them in parts copies nothing that is there."""
        if documents > len(self._held):
            larger = np.empty((documents, self.dimension), np.float32)
            larger[: len(self.ids)] = self._vectors
            self._held = larger

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """See `Index.add`."""
        check_new(ids, vectors, self.dimension, self.ids)
        self.reserve(len(self.ids) + len(ids))
        self._held[len(self.ids) : len(self.ids) + len(ids)] = self._prepared(vectors)
        self.ids.extend(ids)

    def search(self, vectors: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        check_queries(vectors, self.dimension, k)
        queries = self._prepared(vectors)
        width = min(k, len(self.ids))
        if allowed is not None:
            found, scores = best_among(queries, lambda places: self._vectors[places], allowed, width)
            return named(found, self.ids), scores
        if self._vectors.nbytes > MAPPED_AT_ONCE and width:
            return self._search_in_parts(queries, width)
        positions = np.empty((len(queries), width), np.int64)
        best = np.empty((len(queries), width), np.float32)
        step = max(1, SCORES_AT_ONCE // max(1, len(self.ids)))
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            scores = queries[block] @ self._vectors.T
            positions[block] = top_k(scores, k)
            best[block] = np.take_along_axis(scores, positions[block], axis=1)
        return named(positions, self.ids), best

    def _search_in_parts(self, queries: Vectors, width: int) -> tuple[Ids, Scores]:
        """As `search`, with never more than a part of the vectors in memory."""
        rows = max(1, MAPPED_AT_ONCE // (4 * self._vectors.nbytes // len(self._vectors)))
        step = max(1, SCORES_AT_ONCE // rows)
        positions = np.zeros((len(queries), 0), np.int64)
        best = np.zeros((len(queries), 0), np.float32)
        for start in range(0, len(self._vectors), rows):
            part = self._vectors[start : start + rows]
            found = [top_of(queries[block : block + step] @ part.T, width) for block in range(0, len(queries), step)]
            places = np.concatenate([positions, np.concatenate([one[0] for one in found]) + start], axis=1)
            scores = np.concatenate([best, np.concatenate([one[1] for one in found])], axis=1)
            kept = top_k(scores, width)  # what was found before stands first, as its documents do
            positions, best = np.take_along_axis(places, kept, axis=1), np.take_along_axis(scores, kept, axis=1)
            del part
            release_read(len(queries), self._vectors)
        return named(positions, self.ids), best

    def vectors_at(self, positions: Positions) -> Vectors:
        """The vectors of these rows as they are compared, float32 `[n, dimension]`."""
        return np.asarray(self._vectors[positions], np.float32)

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        write_array(folder / VECTORS_FILE, self._vectors)
        write_ids(folder, self.ids)

    @classmethod
    def load(cls, folder: Path, similarity: str, mmap: bool = True) -> ExactIndex:
        """Read what `save` wrote; with `mmap`, vectors stay on disk until they are searched."""
        vectors = read_array(folder / VECTORS_FILE, mmap)
        index = cls(vectors.shape[1], similarity)
        index._held = vectors
        index.ids = read_ids(folder, len(vectors))
        return index

    def _prepared(self, vectors: Vectors) -> Vectors:
        vectors = np.asarray(vectors, np.float32)
        return normalised(vectors) if self.similarity == "cosine" else vectors


def top_of(scores: Scores, k: int) -> tuple[Positions, Scores]:
    """Where the best `k` of each row stand, best first, and the scores there."""
    places = top_k(scores, k)
    return places, np.take_along_axis(scores, places, axis=1)


def exact_of(ids: list[str], vectors: Vectors, similarity: str) -> ExactIndex:
    """An index of vectors that lie somewhere already: what is compared otherwise is copied, to disk if it is much."""
    index = ExactIndex(vectors.shape[1], similarity)
    check_new(ids, vectors, index.dimension, [])
    if similarity == "cosine":
        held = Spill()
        for start in range(0, len(vectors), _PREPARED_AT_ONCE):
            held.append_array(normalised(vectors[start : start + _PREPARED_AT_ONCE]))
        vectors = held.array(np.float32).reshape(vectors.shape)
    index.ids, index._held = ids, vectors
    return index


def _prepare(vectors: Vectors, settings: IndexSettings) -> Vectors:
    return normalised(vectors) if settings.similarity == "cosine" else vectors


def _of_rows(ids: list[str], rows: Vectors, settings: IndexSettings) -> ExactIndex:
    index = ExactIndex(settings.dimension, settings.similarity)
    index.ids, index._held = ids, rows
    return index


def _create(settings: IndexSettings, threads: int) -> ExactIndex:
    return ExactIndex(settings.dimension, settings.similarity)


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> ExactIndex:
    return ExactIndex.load(folder, settings.similarity, mmap)


BACKEND = Backend(_create, _load, rows_file=RowsOnDisk(VECTORS_FILE, _prepare, _of_rows))
