"""Exact search among some of the documents: their vectors are taken together, then compared in one product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rankdistill.indexing.base import Allowed, Scores, Vectors
from rankdistill.indexing.topk import Positions, top_k

AT_ONCE = 1 << 11
"""Allowed documents whose vectors are taken at a time (3 MB of 384 numbers each): they stay near the core."""

QUERIES_AT_ONCE, SCORES_AT_ONCE = 1 << 12, 1 << 23
"""Queries, and scores of them (32 MiB), that are held at a time."""

DENSE = 0.5
"""Where so many of neighbouring documents are allowed, all of them are compared: that copies none."""


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
    for row in range(0, len(queries), QUERIES_AT_ONCE):
        some = slice(row, row + QUERIES_AT_ONCE)
        asked = queries[some]
        span = max(AT_ONCE, SCORES_AT_ONCE // len(asked))
        for first in range(0, len(places), span):
            part = places[first : first + span]
            found = _merged(positions[some], best[some], part, _scores(asked, vectors, part))
            positions[some], best[some] = found
    return positions, best


def _scores(
    queries: Vectors, vectors: Callable[[slice | Positions], Vectors], places: Positions
) -> NDArray[np.float32]:
    """Of the documents at `places`, which rise; `[queries, places]`."""
    scores = np.empty((len(queries), len(places)), np.float32)
    for first in range(0, len(places), AT_ONCE):
        block = places[first : first + AT_ONCE]
        start, stop = int(block[0]), int(block[-1]) + 1
        columns = slice(first, first + len(block))
        if len(block) == stop - start:
            scores[:, columns] = queries @ vectors(slice(start, stop)).T
        elif len(block) >= DENSE * (stop - start):
            scores[:, columns] = np.take(queries @ vectors(slice(start, stop)).T, block - start, axis=1)
        else:
            scores[:, columns] = queries @ vectors(block).T
    return scores


def _merged(
    positions: Positions, best: Scores, block: Positions, scores: NDArray[np.float32]
) -> tuple[Positions, Scores]:
    """The best of what was found before, which stands first among equals, and of a block of documents."""
    width = best.shape[1]
    columns = top_k(scores, width)
    if (positions < 0).all() and columns.shape[1] == width:  # nothing was found before, and there is enough
        return block[columns], np.take_along_axis(scores, columns, axis=1)
    every = np.concatenate([best, np.take_along_axis(scores, columns, axis=1)], axis=1)
    named = np.concatenate([positions, block[columns]], axis=1)
    chosen = top_k(every, width)
    return np.take_along_axis(named, chosen, axis=1), np.take_along_axis(every, chosen, axis=1)
