"""Exact search among some of the documents: their vectors are taken together, then compared in one product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rankdistill.indexing.base import Allowed, Scores, Vectors
from rankdistill.indexing.topk import Positions, top_k

AT_ONCE = 1 << 14
"""Allowed documents that are compared at a time (25 MB of 384 numbers)."""

DENSE = 0.5
"""Where so many of neighbouring documents are allowed, all of them are compared: that copies none."""

SCORES_AT_ONCE = 1 << 24


def best_among(
    queries: Vectors, vectors: Callable[[slice | Positions], Vectors], allowed: Allowed, width: int
) -> tuple[Positions, Scores]:
    """The best `width` of the allowed documents for each query, `[queries, width]`; equal scores by position.

    Args:
        queries: float32 `[queries, dimension]`.
        vectors: of the documents at some positions, or in a slice of them; float32 `[documents, dimension]`.
        allowed: bool `[documents]`.
        width: columns of the result; where fewer are allowed, a row ends in -1 and minus infinity.
    """
    places = np.flatnonzero(allowed)
    positions = np.full((len(queries), width), -1, np.int64)
    best = np.full((len(queries), width), -np.inf, np.float32)
    step = max(1, SCORES_AT_ONCE // (AT_ONCE * 2))
    for first in range(0, len(places) if len(queries) else 0, AT_ONCE):
        block = places[first : first + AT_ONCE]
        start, stop = int(block[0]), int(block[-1]) + 1
        whole = len(block) >= DENSE * (stop - start)
        part = vectors(slice(start, stop)) if whole else vectors(block)
        columns = block - start if whole and len(block) < stop - start else None
        for row in range(0, len(queries), step):
            some = slice(row, row + step)
            scores = queries[some] @ part.T
            if columns is not None:
                scores = np.take(scores, columns, axis=1)
            positions[some], best[some] = _merged(positions[some], best[some], block, scores)
    return positions, best


def _merged(
    positions: Positions, best: Scores, block: Positions, scores: NDArray[np.float32]
) -> tuple[Positions, Scores]:
    """The best of what was found before, which stands first among equals, and of a block of documents."""
    width = best.shape[1]
    columns = top_k(scores, width)
    every = np.concatenate([best, np.take_along_axis(scores, columns, axis=1)], axis=1)
    named = np.concatenate([positions, block[columns]], axis=1)
    chosen = top_k(every, width)
    return np.take_along_axis(named, chosen, axis=1), np.take_along_axis(every, chosen, axis=1)
