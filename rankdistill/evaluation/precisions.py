"""Exact search at the precisions that vectors are stored in: float32, int8, one bit a dimension.

Quantised by `sentence_transformers.util.quantize_embeddings`, queries and documents alike:

- `float32`: dot products.
- `int8`: 256 equal steps a dimension between the smallest and the largest value among the documents; dot products of
  the middles of the steps. (Dot products of the codes themselves would weigh dimensions by their ranges.)
- `binary`: the sign of each dimension; fewest differing bits (Hamming) first.
- `binary-int8`: as many documents as `RESCORED` times k by Hamming, put in order by their int8 dot products.
"""

from __future__ import annotations

import numpy as np

from rankdistill.indexing.base import Scores, Vectors
from rankdistill.indexing.topk import Positions, best_first, top_k

PRECISIONS = ("float32", "int8", "binary", "binary-int8")
RESCORED = 4
SCORES_AT_ONCE = 1 << 24
"""How many scores a block of queries may have in memory (64 MiB of float32)."""


def search(queries: Vectors, documents: Vectors, precision: str, k: int) -> tuple[Positions, Scores]:
    """The best `k` documents of each query at one of `PRECISIONS`; equal scores by position.

    Args:
        queries: float32 `[n, dimension]`, at unit length where the space compares by cosine.
        documents: float32 `[m, dimension]`, likewise.
        precision: of both sides.
        k: at least 1.

    Returns:
        Positions among the documents and scores, `[n, min(k, m)]`. Scores in `binary` are equal bits less differing
        bits.
    """
    if precision == "float32":
        return _best(queries, documents, k)
    if precision == "binary":
        return _best(_signs(queries), _signs(documents), k)
    ranges = np.vstack((documents.min(axis=0), documents.max(axis=0)))
    coarse_queries, coarse_documents = _steps(queries, ranges), _steps(documents, ranges)
    if precision == "int8":
        return _best(coarse_queries, coarse_documents, k)
    candidates, _ = _best(_signs(queries), _signs(documents), RESCORED * k)
    scores = np.stack([coarse_documents[row] @ query for query, row in zip(coarse_queries, candidates, strict=True)])
    positions, scores = best_first(candidates, scores)
    return positions[:, :k], scores[:, :k]


def _best(queries: Vectors, documents: Vectors, k: int) -> tuple[Positions, Scores]:
    width = min(k, len(documents))
    positions, best = np.empty((len(queries), width), np.int64), np.empty((len(queries), width), np.float32)
    step = max(1, SCORES_AT_ONCE // len(documents))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        scores = queries[block] @ documents.T
        positions[block] = top_k(scores, k)
        best[block] = np.take_along_axis(scores, positions[block], axis=1)
    return positions, best


def _steps(vectors: Vectors, ranges: Vectors) -> Vectors:
    """Each value replaced by the middle of its step; values beyond the ranges by that of the first or last."""
    from sentence_transformers.util import quantize_embeddings

    codes = quantize_embeddings(vectors, "uint8", ranges=ranges)
    width = (ranges[1] - ranges[0]) / 255
    return (ranges[0] + (codes.astype(np.float32) + 0.5) * width).astype(np.float32)


def _signs(vectors: Vectors) -> Vectors:
    """Each bit as 1 or -1: the dot product of two such rows is dimension - 2 Hamming, exact in float32."""
    from sentence_transformers.util import quantize_embeddings

    bits = np.unpackbits(quantize_embeddings(vectors, "ubinary"), axis=1, count=vectors.shape[1])
    return bits.astype(np.float32) * 2 - 1
