"""In which order texts of several groups are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Mixture:
    """Passes of `length` rows each, in which every group has its share, spread evenly.

    A group is gone through in shuffled order, again and again, whatever its share: no text comes twice before the
    others of its group came once. Within a pass the groups are interleaved at random but evenly, so that every batch
    holds about the same mixture. A pass depends on nothing but its number, so an interrupted run goes on anywhere.

    Args:
        groups: row numbers of each group, at least one a group.
        weights: how much of a pass each group gets, relative to the others.
        length: rows of a pass.
        seed: of the shuffles.
    """

    def __init__(self, groups: Sequence[NDArray[np.int64]], weights: Sequence[float], length: int, seed: int) -> None:
        self.groups, self.seed = groups, seed
        self.counts = _apportion(np.asarray(weights, dtype=np.float64), length)
        self._last: tuple[int, NDArray[np.int64]] | None = None

    def rows(self, number: int) -> NDArray[np.int64]:
        """The rows of pass `number`, counted from 0, in training order."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._draw(number)
        return self._last[1]

    def _draw(self, number: int) -> NDArray[np.int64]:
        drawn = [self._of_group(group, number) for group in range(len(self.groups))]
        generator = np.random.default_rng((self.seed, 1, number))
        places = [(np.arange(count) + generator.random(count)) / max(1, count) for count in self.counts]
        return np.concatenate(drawn)[np.argsort(np.concatenate(places), kind="stable")]

    def _of_group(self, group: int, number: int) -> NDArray[np.int64]:
        rows, count = self.groups[group], int(self.counts[group])
        start = number * count
        rounds = range(start // len(rows), -(-(start + count) // len(rows)))
        stream = [rows[np.random.default_rng((self.seed, 2, group, one)).permutation(len(rows))] for one in rounds]
        offset = start - rounds.start * len(rows)
        return np.concatenate(stream)[offset : offset + count] if stream else rows[:0]


def _apportion(weights: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """Whole numbers that sum to `length`, in proportion to the weights; the largest remainders are rounded up."""
    exact = weights / weights.sum() * length
    counts = np.floor(exact).astype(np.int64)
    missing = length - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return counts
