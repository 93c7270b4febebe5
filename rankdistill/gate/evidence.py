"""How sure a mean over queries is: what varies is which queries there are; their documents and labels stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.99
"""Confidence of every interval; a false alarm costs a day, so it is above the usual 95%."""

ENOUGH_QUERIES = 20
"""With fewer, no check fails a teacher on account of how it ranks."""


@dataclass(frozen=True)
class Mean:
    """A mean over queries with its interval.

    Args:
        queries: how many there were.
        value: their mean; NaN where there are none.
        low: lower end of the interval at `LEVEL`.
        high: upper end.
    """

    queries: int
    value: float
    low: float
    high: float

    @property
    def enough(self) -> bool:
        """Whether there are enough queries to judge by."""
        return self.queries >= ENOUGH_QUERIES

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]" if np.isfinite(self.low) else f"{self.value:.3f}"


def mean_of(values: NDArray[np.floating]) -> Mean:
    """Mean with Student's t interval of values, `[queries]`, one a query; the interval is open with fewer than two."""
    from scipy.special import stdtrit

    count = len(values)
    if count < 2:
        return Mean(count, float(values[0]) if count else float("nan"), float("-inf"), float("inf"))
    value = float(values.mean())
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2) * values.std(ddof=1) / np.sqrt(count))
    return Mean(count, value, value - half, value + half)
