"""A histogram that is filled piece by piece."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rankdistill.gate.verdict import Histogram

BINS = 60


class Counter:
    """Counts values in bins of equal width between two known ends.

    Args:
        title: what is counted, with its unit.
        low: the smallest value that can come.
        high: the largest.
        bins: how many.
    """

    def __init__(self, title: str, low: float, high: float, bins: int = BINS) -> None:
        self.title = title
        self.edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
        self.counts = np.zeros(bins, np.int64)

    def add(self, values: NDArray[np.floating]) -> None:
        """Count `values`."""
        self.counts += np.histogram(values, self.edges)[0]

    def histogram(self) -> Histogram:
        """What was counted so far."""
        return Histogram(self.title, [round(float(edge), 6) for edge in self.edges], self.counts.tolist())
