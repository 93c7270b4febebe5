"""Ensembles computed pair by pair in plain Python and numpy, to hold the package's against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.ensembles.stores import Pairs

Rows = dict[tuple[str, str], float]


def zscore(values: np.ndarray) -> np.ndarray:
    if np.ptp(values) == 0:
        return np.zeros(len(values))
    return (values - values.mean()) / values.std()


def minmax(values: np.ndarray) -> np.ndarray:
    spread = np.ptp(values)
    return (values - values.min()) / spread if spread else np.full(len(values), 0.5)


def rank(values: np.ndarray) -> np.ndarray:
    lower = np.array([(values < one).sum() + ((values == one).sum() - 1) / 2 for one in values])
    return lower / (len(values) - 1) if len(values) > 1 else np.array([0.5])


def rrf(values: np.ndarray) -> np.ndarray:
    places = [1 + (values > one).sum() + ((values == one).sum() - 1) / 2 for one in values]
    return 1 / (60 + np.array(places))


PER_QUERY: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda values: values,
    "zscore": zscore,
    "minmax": minmax,
    "rank": rank,
    "rrf": rrf,
}


def percentile(values: np.ndarray, of_the_teacher: np.ndarray) -> np.ndarray:
    low, high = np.percentile(of_the_teacher, [1, 99])
    return (np.clip(values, low, high) - low) / (high - low) if high > low else np.full(len(values), 0.5)


def calibrated(scores: Pairs, name: str) -> Rows:
    """Each query's scores through `PER_QUERY[name]`, or all scores through `percentile`."""
    found: Rows = {}
    if name == "percentile":
        values = np.array([np.float32(score) for score in scores.values()], np.float64)
        return dict(zip(scores, percentile(values, values).tolist(), strict=True))
    for query in {query for query, _ in scores}:
        pairs = [pair for pair in scores if pair[0] == query]
        values = PER_QUERY[name](np.array([np.float32(scores[pair]) for pair in pairs], np.float64))
        found |= dict(zip(pairs, values.tolist(), strict=True))
    return found


def combined(teachers: Sequence[Rows], policy: str, weights: Sequence[float]) -> Rows:
    """The weighted mean over calibrated teachers; `intersect` or `impute`."""
    found: Rows = {}
    for pair in set().union(*teachers):
        have = []
        for scores, weight in zip(teachers, weights, strict=True):
            of_query = [value for (query, _), value in scores.items() if query == pair[0]]
            if pair in scores:
                have.append((scores[pair], weight))
            elif policy == "impute" and of_query:
                have.append((min(of_query), weight))
            elif policy == "intersect":
                break
        else:
            found[pair] = sum(value * weight for value, weight in have) / sum(weight for _, weight in have)
    return found
