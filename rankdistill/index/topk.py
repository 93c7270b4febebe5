"""The best k of a matrix of scores, with equal scores in a fixed order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def top_k(scores: NDArray[np.float32], k: int) -> Positions:
    """Columns of the `k` largest scores of each row, best first; equal scores by column, lowest first.

    Args:
        scores: `[rows, columns]`.
        k: at least 1; all columns where there are fewer.

    Returns:
        `[rows, min(k, columns)]`.
    """
    columns = scores.shape[1]
    if k >= columns:
        return np.argsort(-scores, axis=1, kind="stable")
    chosen = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    worst = np.take_along_axis(scores, chosen, axis=1).min(axis=1)
    for row in np.flatnonzero((scores >= worst[:, None]).sum(axis=1) > k):  # a tie across the edge: lowest columns
        above = np.flatnonzero(scores[row] > worst[row])
        level = np.flatnonzero(scores[row] == worst[row])
        chosen[row] = np.concatenate([above, level[: k - above.size]])
    chosen.sort(axis=1)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def best_first(positions: Positions, scores: NDArray[np.float32]) -> tuple[Positions, NDArray[np.float32]]:
    """Order each row by falling score, equal scores by position."""
    order = np.lexsort((positions, -scores), axis=1)
    return np.take_along_axis(positions, order, axis=1), np.take_along_axis(scores, order, axis=1)
