"""Batches of similar length under a token budget, so that hardly any computing is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def by_token_budget(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Row numbers in batches with rows x longest <= `budget`, longest rows first; a longer row stands alone.

    Args:
        lengths: int64[n], tokens of each row.
        budget: padded tokens of a batch at most.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + rows]
        start += rows
