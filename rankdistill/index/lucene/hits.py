"""What Anserini's searchers find, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rankdistill.index.base import NOTHING, Ids, Scores
from rankdistill.index.lucene.jvm import java_errors


def search_batch(searcher: Any, queries: Sequence[Any], width: int, threads: int, subject: str) -> tuple[Ids, Scores]:
    """The hits of all `queries`, searched by `threads` threads of Java.

    Args:
        searcher: one of Anserini's, with `batch_search`.
        queries: Java objects, or texts.
        width: hits a query at most.
        threads: at least 1.
        subject: what is searched, for errors.
    """
    from jnius import autoclass

    wanted, names = autoclass("java.util.ArrayList")(), autoclass("java.util.ArrayList")()
    for number, query in enumerate(queries):
        wanted.add(query)
        names.add(str(number))
    with java_errors(subject):
        found: Mapping[str, Any] = searcher.batch_search(wanted, names, width, threads)
        return as_arrays((found.get(str(number)) for number in range(len(queries))), len(queries), width)


def search_each(search: Callable[[Any], Any], queries: Sequence[Any], width: int, subject: str) -> tuple[Ids, Scores]:
    """The hits of `queries`, one after the other."""
    with java_errors(subject):
        return as_arrays((search(query) for query in queries), len(queries), width)


def as_arrays(found: Iterable[Any], queries: int, width: int) -> tuple[Ids, Scores]:
    """Anserini's `ScoredDoc` objects of each query as ids and scores, `[queries, width]`."""
    ids = np.full((queries, width), NOTHING, object)
    scores = np.full((queries, width), -np.inf, np.float32)
    for row, hits in enumerate(found):
        ids[row, : len(hits)] = [hit.docid for hit in hits]
        scores[row, : len(hits)] = [hit.score for hit in hits]
    return ids, scores
