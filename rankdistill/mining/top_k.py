"""The k best of an array of scores, with ties decided by position."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def top_indices(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Positions of the `k` highest of `scores` (float[n]), best first; of equal scores the earlier position wins.

    `numpy.argpartition` alone returns an arbitrary choice of the documents tied at rank k.
    """
    if k >= len(scores):
        return np.argsort(-scores, kind="stable")
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    eligible = np.flatnonzero(scores >= threshold)
    return eligible[np.argsort(-scores[eligible], kind="stable")[:k]]
