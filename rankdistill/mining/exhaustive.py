"""Exact search of a corpus by comparing everything, with never more than a chunk of it encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import BackendError
from rankdistill.mining.source import Hits
from rankdistill.mining.top_k import top_indices
from rankdistill.progress import Progress

NOT_FOUND = -np.inf
"""The score of a document that does not belong into the list at all."""

_NONE = -1

Queries = TypeVar("Queries")
Documents = TypeVar("Documents")


class Scorer(Protocol[Queries, Documents]):
    """What search needs of a kind of model."""

    @property
    def documents_at_once(self) -> int:
        """Documents that are encoded and compared together."""

    @property
    def queries_at_once(self) -> int:
        """Queries that are compared with them together."""

    def encode_queries(self, texts: Sequence[str]) -> Queries:
        """All queries."""

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> Documents:
        """A chunk of documents; `progress` is called with the number of texts done since its last call."""

    def scores(self, queries: Queries, block: slice, documents: Documents) -> NDArray[np.float32]:
        """float32[queries of the block, documents]; `NOT_FOUND` leaves a document out."""


def search(
    scorer: Scorer[Queries, Documents],
    contents: Mapping[str, str],
    queries: Sequence[str],
    depth: int,
    progress: Progress,
) -> Hits:
    """The best `depth` documents of each query, best first.

    Documents are encoded a chunk at a time and only each query's best so far are kept, so memory does not grow with
    the corpus. Documents of equal score come in the order of the corpus.

    Args:
        scorer: encodes and compares both sides.
        contents: doc_id -> text.
        queries: the query texts.
        depth: most documents for one query; fewer come back where the scorer leaves documents out.
        progress: called with the number of texts just encoded.

    Raises:
        BackendError: a score is NaN or infinite.
    """
    doc_ids = list(contents)
    depth = min(depth, len(doc_ids))
    encoded = scorer.encode_queries(queries)
    progress(len(queries))
    best_scores = np.full((len(queries), depth), NOT_FOUND, dtype=np.float32)
    best_documents = np.full((len(queries), depth), _NONE, dtype=np.int64)
    texts = iter(contents.values())
    for start in range(0, len(doc_ids), scorer.documents_at_once):
        chunk = list(islice(texts, scorer.documents_at_once))
        documents = scorer.encode_documents(chunk, progress)
        positions = np.arange(start, start + len(chunk))
        for first in range(0, len(queries), scorer.queries_at_once):
            block = slice(first, first + scorer.queries_at_once)
            scores = _numbers(scorer.scores(encoded, block, documents))
            _merge(best_scores[block], best_documents[block], scores, positions)
    found = [row > NOT_FOUND for row in best_scores]
    ids = [[doc_ids[place] for place in row[kept]] for row, kept in zip(best_documents, found, strict=True)]
    return ids, [row[kept] for row, kept in zip(best_scores, found, strict=True)]


def _numbers(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    bad = np.isnan(scores) | np.isposinf(scores)
    if bad.any():
        raise BackendError(
            expected="finite scores",
            got=f"{np.count_nonzero(bad)} of {scores.size} that are NaN or infinite",
            consequence="these documents would be missing or first for no reason, so nothing was mined",
            remedy="look at the model's weights",
        )
    return scores


def _merge(
    best_scores: NDArray[np.float32],
    best_documents: NDArray[np.int64],
    scores: NDArray[np.float32],
    positions: NDArray[np.int64],
) -> None:
    """Put the best of old and new into `best_scores` and `best_documents`, both [queries, depth], in place.

    Old entries are earlier documents and stand first, so position decides ties as document order does.
    """
    depth = best_scores.shape[1]
    for row in range(len(scores)):
        all_scores = np.concatenate([best_scores[row], scores[row]])
        all_documents = np.concatenate([best_documents[row], positions])
        kept = top_indices(all_scores, depth)
        best_scores[row], best_documents[row] = all_scores[kept], all_documents[kept]
