"""What Anserini's searchers find, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rankdistill.indexing.base import NOTHING, Ids, Scores
from rankdistill.indexing.lucene.jvm import java_errors

AT_ONCE = 1000
"""Queries whose hits Java holds at a time."""


def search_all(
    searcher: Any, queries: Sequence[Any], width: int, threads: int | None, subject: str
) -> tuple[Ids, Scores]:
    """The hits of all `queries`.

    Args:
        searcher: one of Anserini's.
        queries: Java objects, texts, or lists of floats, as the searcher takes them.
        width: hits a query at most.
        threads: of Java, for searchers that have `batch_search`; None: this one has none.
        subject: what is searched, for errors.
    """
    with java_errors(subject):
        if threads is None or len(queries) == 1:
            found: Iterable[Any] = (searcher.search(query, width) for query in queries)
        else:
            found = _in_batches(searcher, queries, width, threads)
        return as_arrays(found, len(queries), width)


def _in_batches(searcher: Any, queries: Sequence[Any], width: int, threads: int) -> Iterator[Any]:
    from jnius import autoclass

    for start in range(0, len(queries), AT_ONCE):
        wanted, names = autoclass("java.util.ArrayList")(), autoclass("java.util.ArrayList")()
        for number, query in enumerate(queries[start : start + AT_ONCE]):
            wanted.add(query)
            names.add(str(number))
        found: Mapping[str, Any] = searcher.batch_search(wanted, names, width, threads)
        yield from (found.get(name) for name in map(str, range(wanted.size())))


def as_arrays(found: Iterable[Any], queries: int, width: int) -> tuple[Ids, Scores]:
    """Anserini's `ScoredDoc` objects of each query as ids and scores, `[queries, width]`."""
    ids = np.full((queries, width), NOTHING, object)
    scores = np.full((queries, width), -np.inf, np.float32)
    for row, hits in enumerate(found):
        ids[row, : len(hits)] = [hit.docid for hit in hits]
        scores[row, : len(hits)] = [hit.score for hit in hits]
    return ids, scores
