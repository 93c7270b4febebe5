"""Lucene's HNSW graphs of dense vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill.indexing.base import Allowed, Ids, Scores, Vectors
from rankdistill.indexing.deepening import deepened
from rankdistill.indexing.documents import named, read_ids, write_ids
from rankdistill.indexing.lucene.folder import Classes, LuceneFolder
from rankdistill.indexing.lucene.hits import search_all
from rankdistill.indexing.topk import Positions, best_first
from rankdistill.indexing.vectors import check_new, check_queries, normalised, refused

BUILD_PARAMETERS: Mapping[str, float] = {"M": 16, "efConstruction": 100}
SEARCH_PARAMETERS: Mapping[str, float] = {"efSearch": 100}
BOUNDS = {"M": (2, 512), "efConstruction": (1, 3200), "efSearch": (1, inf)}
"""Lucene's own."""

UNIT = 1e-3
"""How far from 1 the length of a vector may be where they are compared by dot product."""


class LuceneHnswIndex:
    """Approximate search by cosine, or by dot product of vectors of unit length, which is all that this index compares.

    Args:
        dimension: length of a vector; Lucene takes at most 4,096 in this index.
        similarity: `cosine` (vectors are normalised on their way in) or `dot`.
        build_parameters: some of `BUILD_PARAMETERS`.
        search_parameters: some of `SEARCH_PARAMETERS`.

    Raises:
        MissingDependencyError: there is no Pyserini, or no Java that is new enough.
    """

    def __init__(
        self,
        dimension: int,
        similarity: str,
        build_parameters: Mapping[str, float],
        search_parameters: Mapping[str, float],
    ) -> None:
        self.dimension, self.similarity = dimension, similarity
        self.ids: list[str] = []
        build = {**BUILD_PARAMETERS, **build_parameters}
        self._depth = int({**SEARCH_PARAMETERS, **search_parameters}["efSearch"])
        self._arguments: Any = None
        self._places: dict[str, int] = {}
        arguments = ["-collection", "JsonDenseVectorCollection", "-generator", "DenseVectorDocumentGenerator"]
        graph = ["-M", str(int(build["M"])), "-efC", str(int(build["efConstruction"]))]
        self._lucene = LuceneFolder(
            "io.anserini.index.IndexHnswDenseVectors",
            [*arguments, "-threads", "1", "-optimize", *graph],
            self._searcher,
        )

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """See `Index.add`.

        Raises:
            DataError: a vector compared by dot product has not unit length.
        """
        check_new(ids, vectors, self.dimension, self.ids)
        if self.similarity != "cosine":
            lengths = np.linalg.norm(vectors, axis=1)
            if (np.abs(lengths - 1) > UNIT).any():
                furthest = lengths[np.abs(lengths - 1).argmax()]
                raise refused("vectors of unit length, which Lucene's graph needs", f"length {furthest:.4g}")
        rows = normalised(np.asarray(vectors, np.float32))
        self._lucene.write(
            {"docid": name, "contents": "", "vector": row.tolist()} for name, row in zip(ids, rows, strict=True)
        )
        self.ids.extend(ids)

    def search(self, vectors: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns.

        Lucene returns no more than `efSearch` documents, which is raised to their number where it is smaller.
        """
        positions, scores = self.find(vectors, k, allowed)
        return named(positions, self.ids), scores

    def find(self, vectors: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Positions, Scores]:
        """As `search`, with positions in `ids`, negative where it found no more."""
        check_queries(vectors, self.dimension, k)
        if allowed is not None:
            return deepened(lambda depth: self.find(vectors, depth), allowed, min(k, len(self.ids)))
        width = min(k, len(self.ids))
        rows = normalised(np.asarray(vectors, np.float32))
        searcher = self._lucene.opened()
        self._arguments.efSearch = max(self._depth, width)  # the searcher reads it at each query
        ids, scores = search_all(searcher, rows.tolist(), width, None, self._lucene.subject)
        if len(self._places) != len(self.ids):
            self._places = {name: place for place, name in enumerate(self.ids)}
        places = [self._places.get(name, -1) for name in ids.ravel().tolist()]
        scores = 2 * scores - 1
        if self.similarity != "cosine":
            scores = scores * np.linalg.norm(vectors, axis=1)[:, None]
        return best_first(np.array(places, np.int64).reshape(ids.shape), scores)

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        self._lucene.save(folder)
        write_ids(folder, self.ids)

    @classmethod
    def load(
        cls, folder: Path, dimension: int, similarity: str, search_parameters: Mapping[str, float]
    ) -> LuceneHnswIndex:
        """Read what `save` wrote; raises as `LuceneFolder.read` does."""
        index = cls(dimension, similarity, {}, search_parameters)
        index.ids = read_ids(folder, None)
        index._lucene.read(folder)
        return index

    def _searcher(self, classes: Classes, folder: str) -> Any:
        self._arguments = classes("io.anserini.search.HnswDenseSearcher$Args")()
        self._arguments.index, self._arguments.quiet = folder, True
        return classes("io.anserini.search.HnswDenseSearcher")(self._arguments)
