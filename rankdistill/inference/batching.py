"""Batches of similar length under a token budget, so that hardly any computing is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rankdistill.inference import shapes


def by_token_budget(lengths: np.ndarray, budget: int, on_grid: int | None = None) -> Iterator[np.ndarray]:
    """Row numbers in batches with rows x longest <= `budget`, longest rows first; a longer row stands alone.

    Args:
        lengths: int64[n], tokens of each row.
        budget: padded tokens of a batch at most.
        on_grid: the most tokens of a row, where batches take the shapes of `rankdistill.inference.shapes`; None: any
            shape.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = max(1, int(lengths[order[start]]))
        if on_grid is None:
            rows = max(1, budget // width)
        else:
            rows = shapes.most_rows(max(1, budget // shapes.width_of(width, on_grid)))
        yield order[start : start + rows]
        start += rows
