"""What Anserini's searchers find, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rankdistill.index.base import NOTHING, Ids, Scores
from rankdistill.index.lucene.jvm import java_errors


def search_all(searcher: Any, queries: Sequence[Any], width: int, threads: int, subject: str) -> tuple[Ids, Scores]:
    """The hits of all `queries`.

    Args:
        searcher: one of Anserini's.
        queries: Java objects, texts, or lists of floats, as the searcher takes them.
        width: hits a query at most.
        threads: of Java; with more than 1, the searcher needs `batch_search`, and all hits are held in Java at once.
        subject: what is searched, for errors.
    """
    with java_errors(subject):
        if threads == 1:
            return as_arrays((searcher.search(query, width) for query in queries), len(queries), width)
        from jnius import autoclass

        wanted, names = autoclass("java.util.ArrayList")(), autoclass("java.util.ArrayList")()
        for number, query in enumerate(queries):
            wanted.add(query)
            names.add(str(number))
        found: Mapping[str, Any] = searcher.batch_search(wanted, names, width, threads)
        return as_arrays((found.get(str(number)) for number in range(len(queries))), len(queries), width)


def as_arrays(found: Iterable[Any], queries: int, width: int) -> tuple[Ids, Scores]:
    """Anserini's `ScoredDoc` objects of each query as ids and scores, `[queries, width]`."""
    ids = np.full((queries, width), NOTHING, object)
    scores = np.full((queries, width), -np.inf, np.float32)
    for row, hits in enumerate(found):
        ids[row, : len(hits)] = [hit.docid for hit in hits]
        scores[row, : len(hits)] = [hit.score for hit in hits]
    return ids, scores
