"""The temperature at which a teacher's scores spread over a wanted number of candidates."""

from __future__ import annotations

import numpy as np

from rankdistill.gate.segments import Floats, Segments

MOST_WANTED = 4.0
"""Effective candidates that a recommended temperature aims at; half the candidates where there are fewer than 8."""

STEPS = np.arange(-8.0, 6.5, 0.5)
"""Exponents of 2: the temperatures tried, in units of the scores' deviation."""


def target_of(depth: float) -> float:
    """The effective candidates aimed at, for `depth` candidates a query."""
    return min(MOST_WANTED, depth / 2)


QUERIES_A_BLOCK = 1000
"""Queries of a block that are looked at, evenly spaced."""


class TemperatureSearch:
    """Mean effective candidates, exp(entropy of softmax(t / T)), at each of a ladder of temperatures T.

    Args:
        deviation: of the scores.
    """

    def __init__(self, deviation: float) -> None:
        self.temperatures = deviation * 2**STEPS if deviation > 0 else np.empty(0)
        self.effective = np.zeros(len(self.temperatures))
        self.rows = self.queries = 0

    def update(self, segments: Segments, scores: Floats) -> None:
        """Take in some of the queries with at least two scores."""
        chosen = segments.sizes > 1
        chosen[np.flatnonzero(chosen)] = np.arange(chosen.sum()) % max(1, -(-int(chosen.sum()) // QUERIES_A_BLOCK)) == 0
        scores = scores[segments.spread(chosen)]
        segments = Segments(segments.sizes[chosen])
        self.rows += len(scores)
        self.queries += len(segments)
        shifted = scores - segments.spread(segments.max(scores))
        for place, temperature in enumerate(self.temperatures):
            self.effective[place] += float(_effective(segments, shifted / temperature).sum())

    def temperature(self) -> float | None:
        """The one that reaches the target, between two of the ladder; None where none does (constant scores)."""
        if not self.queries or not len(self.temperatures):
            return None
        reached = self.effective / self.queries
        target = target_of(self.rows / self.queries)
        if not reached[0] <= target <= reached[-1]:
            return None
        return float(np.exp(np.interp(target, reached, np.log(self.temperatures))))


def _effective(segments: Segments, shifted: Floats) -> Floats:
    """exp(entropy) of each query's softmax; `shifted` has maximum 0 in each.

    With Z = sum exp(x): entropy = log Z - sum(x exp(x)) / Z.
    """
    powers = np.exp(shifted)
    total = segments.sum(powers)
    return np.exp(np.log(total) - segments.sum(shifted * powers) / total)
