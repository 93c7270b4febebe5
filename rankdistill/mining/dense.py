"""Exact search with a dense model over a corpus whose vectors are never held all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.source import Hits, Progress
from rankdistill.mining.top_k import top_indices

DOCUMENTS_AT_ONCE = 4096
QUERIES_AT_ONCE = 1024
_NONE = -1


class DenseEncoder(Protocol):
    """The part of `rankdistill.inference.TextEncoder` that search needs."""

    @property
    def similarity(self) -> str:
        """`cosine` or `dot`."""

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, dimension]."""

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, dimension]."""


def search(
    encoder: DenseEncoder, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress
) -> Hits:
    """The best `depth` documents of each query, best first, by cosine or dot product as the encoder says.

    Documents are encoded a chunk at a time and only each query's best so far are kept, so memory does not grow with
    the corpus. Documents of equal score come in the order of the corpus.

    Args:
        encoder: embeds both sides.
        contents: doc_id -> text.
        queries: the query texts.
        depth: most documents for one query; fewer come back only where the corpus is smaller.
        progress: called with the number of texts just encoded.
    """
    doc_ids = list(contents)
    depth = min(depth, len(doc_ids))
    query_vectors = _comparable(encoder.encode_queries(queries), encoder.similarity)
    progress(len(queries))
    best_scores = np.full((len(queries), depth), -np.inf, dtype=np.float32)
    best_documents = np.full((len(queries), depth), _NONE, dtype=np.int64)
    for start in range(0, len(doc_ids), DOCUMENTS_AT_ONCE):
        chunk = [contents[doc_id] for doc_id in doc_ids[start : start + DOCUMENTS_AT_ONCE]]
        vectors = _comparable(encoder.encode_documents(chunk), encoder.similarity)
        positions = np.arange(start, start + len(chunk))
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            block = slice(first, first + QUERIES_AT_ONCE)
            _merge(best_scores[block], best_documents[block], query_vectors[block] @ vectors.T, positions)
        progress(len(chunk))
    return [[doc_ids[position] for position in row] for row in best_documents], list(best_scores)


def _comparable(vectors: NDArray[np.float32], similarity: str) -> NDArray[np.float32]:
    """Unit vectors if `similarity` is cosine (a zero vector stays zero), the vectors themselves if it is dot."""
    if similarity != "cosine":
        return vectors
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, np.finfo(np.float32).tiny)


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
