"""How well an order puts the labelled positives of a query above its other candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rankdistill.gate.segments import Floats, Segments


def concordance(segments: Segments, values: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Share of a query's (positive, other) pairs in which the positive has the higher value, ties counting half.

    It is the area under the ROC curve, (sum of the others below each positive) / (P * N), from the rank sum of Mann and
    Whitney 1947 (10.1214/aoms/1177730491). 0.5 is chance.

    Args:
        segments: the queries.
        values: one a row; higher is better.
        positive: which rows are positives.

    Returns:
        One value a query, NaN where a query has no positive or nothing else.
    """
    positives = segments.sum(positive)
    others = segments.sizes - positives
    rank_sum = segments.sum(np.where(positive, segments.ranks(values), 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - (rank_sum - positives * (positives + 1) / 2) / (positives * others)
