"""Impact indexes: Lucene's posting lists with the quantised weights of sparse vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill.indexing.base import Allowed, Ids, Scores
from rankdistill.indexing.deepening import deepened_ids
from rankdistill.indexing.documents import read_ids, write_ids
from rankdistill.indexing.lucene.folder import Classes, LuceneFolder
from rankdistill.indexing.lucene.hits import search_all
from rankdistill.indexing.lucene.quantisation import FACTOR, quantise, require_exact, require_factor, require_some
from rankdistill.indexing.lucene.terms import lucene_terms, read_terms, write_terms
from rankdistill.indexing.sparse.base import SparseVectors, check_new, check_queries

_ARGUMENTS = ("-collection", "JsonVectorCollection", "-generator", "DefaultLuceneDocumentGenerator", "-threads", "1")


class LuceneImpactIndex:
    """The exact dot product of quantised vectors, divided by the square of the factor.

    Equal scores come in the order of the document ids, as Anserini breaks ties.

    Args:
        dimension: terms in the vocabulary.
        factor: what weights of documents and queries are multiplied with before they are rounded.
        vocabulary: the term of each dimension; without it terms are called `[0]`, `[1]`, ...
        threads: of searching.

    Raises:
        ConfigError: a factor that is not above 0.
        MissingDependencyError: there is no Pyserini, or no Java that is new enough.
    """

    def __init__(
        self, dimension: int, factor: float = FACTOR, vocabulary: Sequence[str] = (), threads: float = 1
    ) -> None:
        require_factor(factor)
        self.dimension, self.factor = dimension, float(factor)
        self.ids: list[str] = []
        self._threads = int(threads)
        self._terms = lucene_terms(vocabulary, dimension)
        arguments = (*_ARGUMENTS, "-impact", "-pretokenized", "-optimize")
        self._lucene = LuceneFolder("io.anserini.index.IndexCollection", arguments, self._searcher)

    def add(self, ids: Sequence[str], vectors: SparseVectors) -> None:
        """See `Index.add`.

        Raises:
            ConfigError: a weight below 0, one that overflows, or a factor that leaves no weight.
        """
        check_new(ids, vectors, self.dimension, self.ids)
        whole = quantise(vectors, self.factor, [f"document {name!r}" for name in ids])
        require_some(vectors, whole, self.factor)
        self._lucene.write(
            {"id": name, "contents": "", "vector": weights}
            for name, weights in zip(ids, self._weights(whole), strict=True)
        )
        self.ids.extend(ids)

    def search(self, vectors: SparseVectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns.

        Raises:
            ConfigError: a weight as in `add`, or a score so large that Lucene's arithmetic may round it.
        """
        check_queries(vectors, self.dimension, k)
        if allowed is not None:
            return deepened_ids(lambda depth: self.search(vectors, depth), self.ids, allowed, k)
        whole = quantise(vectors, self.factor, [f"query {number}" for number in range(vectors.shape[0])])
        searcher = self._lucene.opened()
        queries = [_java_map(weights) for weights in self._weights(whole)]
        ids, scores = search_all(searcher, queries, min(k, len(self.ids)), self._threads, self._lucene.subject)
        require_exact(scores, self.factor)
        # Scores are whole numbers, of which Anserini lowers equal ones by 1e-6 a rank.
        return ids, (np.rint(scores.astype(np.float64)) / self.factor**2).astype(np.float32)

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        self._lucene.save(folder)
        write_terms(folder, self._terms)
        write_ids(folder, self.ids)

    @classmethod
    def load(cls, folder: Path, dimension: int, factor: float = FACTOR, threads: float = 1) -> LuceneImpactIndex:
        """Read what `save` wrote; raises as `LuceneFolder.read` does."""
        index = cls(dimension, factor, threads=threads)
        index.ids, index._terms = read_ids(folder, None), read_terms(folder)
        index._lucene.read(folder)
        return index

    def _weights(self, whole: Any) -> Iterator[dict[str, int]]:
        """Term -> weight of each row."""
        for row in range(whole.shape[0]):
            filled = slice(whole.indptr[row], whole.indptr[row + 1])
            terms = [self._terms[column] for column in whole.indices[filled].tolist()]
            yield dict(zip(terms, whole.data[filled].tolist(), strict=True))

    def _searcher(self, classes: Classes, folder: str) -> Any:
        return classes("io.anserini.search.SimpleImpactSearcher")(folder)


def _java_map(weights: Mapping[str, int]) -> Any:
    from jnius import autoclass

    found = autoclass("java.util.HashMap")()
    for term, weight in weights.items():
        found.put(term, weight)
    return found
