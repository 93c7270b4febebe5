"""The best k of each row of a matrix of scores, with equal scores in a fixed order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.top_k import top_indices

Positions = NDArray[np.int64]


def top_k(scores: NDArray[np.float32], k: int) -> Positions:
    """Columns of the `k` largest scores of each row, best first; equal scores by column, lowest first.

    Args:
        scores: `[rows, columns]`.
        k: at least 1; all columns where there are fewer.

    Returns:
        `[rows, min(k, columns)]`.
    """
    best = np.empty((len(scores), min(k, scores.shape[1])), np.int64)
    for row, values in enumerate(scores):
        best[row] = top_indices(values, k)
    return best


def best_first(positions: Positions, scores: NDArray[np.float32]) -> tuple[Positions, NDArray[np.float32]]:
    """Order each row by falling score, equal scores by position."""
    if (scores[:, 1:] < scores[:, :-1]).all():
        return positions, scores
    order = np.lexsort((positions, -scores), axis=1)
    return np.take_along_axis(positions, order, axis=1), np.take_along_axis(scores, order, axis=1)
