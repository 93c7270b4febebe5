"""Numbers a query: sums, extremes, ranks and softmaxes over arrays whose rows are grouped by query."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Segments:
    """Where each query's rows start in an array that holds one query after the other; no query is empty.

    Args:
        sizes: rows of each query, each at least 1.
    """

    def __init__(self, sizes: Integers) -> None:
        self.sizes = sizes.astype(np.int64)
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.number = np.repeat(np.arange(len(self.sizes)), self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def sum(self, values: NDArray[np.generic]) -> Floats:
        """Sum of each query's rows."""
        return self._reduce(np.add, np.asarray(values, np.float64))

    def max(self, values: Floats) -> Floats:
        """Largest value of each query."""
        return self._reduce(np.maximum, values)

    def min(self, values: Floats) -> Floats:
        """Smallest value of each query."""
        return self._reduce(np.minimum, values)

    def spread(self, per_query: NDArray[Kind]) -> NDArray[Kind]:
        """One value a query -> the same value in each of its rows."""
        return per_query[self.number]

    def ranks(self, values: Floats) -> Floats:
        """Rank from 1 for each query's largest value; equal values share the mean of their ranks."""
        if not len(values):
            return np.empty(0)
        order = np.lexsort((-values, self.number))
        sorted_values, sorted_number = values[order], self.number[order]
        new = np.concatenate(
            [[True], (sorted_values[1:] != sorted_values[:-1]) | (sorted_number[1:] != sorted_number[:-1])]
        )
        first = np.flatnonzero(new)
        size = np.diff(np.concatenate([first, [len(values)]]))
        group = np.cumsum(new) - 1
        place = first[group] + (size[group] - 1) / 2 - self.starts[sorted_number] + 1
        ranks = np.empty(len(values))
        ranks[order] = place
        return ranks

    def softmax(self, values: Floats, temperature: float = 1.0) -> NDArray[np.float32]:
        """Softmax of each query's values / temperature, in float32 as training computes it."""
        shifted = ((values - self.spread(self.max(values))) / temperature).astype(np.float32)
        powers = np.exp(shifted, dtype=np.float32)
        return np.divide(powers, self.spread(self.sum(powers)).astype(np.float32), dtype=np.float32)

    def correlation(self, left: Floats, right: Floats) -> Floats:
        """Pearson's correlation of each query's rows; NaN where one side does not vary (on ranks: Spearman's)."""
        left, right = left - self.spread(self.sum(left) / self.sizes), right - self.spread(self.sum(right) / self.sizes)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sum(left * right) / np.sqrt(self.sum(left**2) * self.sum(right**2))

    def _reduce(self, operation: np.ufunc, values: Floats) -> Floats:
        return operation.reduceat(values, self.starts) if len(self.starts) else np.empty(0)
