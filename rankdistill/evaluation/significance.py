"""Is a difference between two runs more than chance? Tests and intervals over paired per-query values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError, DataError

PERMUTATIONS = 100_000
RESAMPLES = 10_000
_AT_ONCE, _CELLS = 1000, 10_000_000
"""Resamples that are drawn together, and their values: fewer than so many at once of more than 10,000 queries."""

Values = NDArray[np.float64]


def randomisation_test(a: Values, b: Values, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """Two-sided p-value of the paired randomisation test of equal means.

    Under the null hypothesis the two values of a query are exchangeable, so each difference may change its sign.
    p = (1 + #{|permuted mean| >= |observed mean|}) / (1 + permutations): never 0, and valid for any number of
    permutations (Phipson and Smyth 2010, arXiv 1603.05766). The test is Fisher's; Smucker et al. 2007
    (10.1145/1321440.1321528) compare it with others for retrieval.

    Args:
        a: one value a query, `[queries]`.
        b: the other run's values for the same queries, `[queries]`.
        permutations: how many random sign changes.
        seed: of the sign changes.

    Raises:
        DataError: the shapes differ, there is no query, or a value is not finite.
        ConfigError: `permutations` is below 1.
    """
    differences = _differences(a, b)
    _at_least_one("permutations", permutations)
    rng = np.random.default_rng(seed)
    observed = abs(differences.sum())
    slack = 1e-12 * max(1.0, np.abs(differences).sum())  # equal sums in another order of addition count as equal
    extreme = 0
    for size in _block_sizes(permutations, differences.size):
        signs = rng.integers(0, 2, size=(size, differences.size), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ differences) >= observed - slack).sum())
    return (1 + extreme) / (1 + permutations)


def bootstrap_interval(
    values: Values, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, `[queries]` (Efron 1979), queries drawn with replacement.

    Raises:
        DataError: there is no value, or one is not finite.
        ConfigError: `confidence` is not between 0 and 1, or `resamples` is below 1.
    """
    values = _differences(values, np.zeros_like(values))
    _at_least_one("resamples", resamples)
    _require_confidence(confidence)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[rng.integers(0, values.size, size=(size, values.size))].mean(axis=1)
            for size in _block_sizes(resamples, values.size)
        ]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def trainings_interval(
    a: Values, b: Values, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `a` minus that of `b` over queries and trainings.

    Each resample draws the queries with replacement, the same ones for both systems, and the trainings of each system
    by themselves. Few trainings make the interval too narrow: of n, their part of the variance is (n - 1) / n of what
    it is (Davison and Hinkley 1997, section 3.8). With one training each it is the interval over queries.

    Args:
        a: one value a training and query, `[trainings, queries]`.
        b: the baseline's, `[its trainings, queries]`, for the same queries.
        confidence: between 0 and 1.
        resamples: how many.
        seed: of the draws.

    Raises:
        DataError: shapes that are no such tables, or differ in their queries; a value is not finite.
        ConfigError: `confidence` is not between 0 and 1, or `resamples` is below 1.
    """
    tables = [np.atleast_2d(np.asarray(table, np.float64)) for table in (a, b)]
    if all(len(table) == 1 for table in tables):
        return bootstrap_interval(_differences(tables[0][0], tables[1][0]), confidence, resamples, seed)
    first, second = _resampled_means(tables, confidence, resamples, seed)
    return _middle(first - second, confidence)


def ratio_interval(
    a: Values, b: Values, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `a` divided by that of `b`, drawn as `trainings_interval` draws.

    A resample in which `b` is 0 throughout has no ratio and is left out.

    Args:
        a: one value a training and query, `[trainings, queries]`.
        b: what is divided by, `[its trainings, queries]`, for the same queries.
        confidence: between 0 and 1.
        resamples: how many.
        seed: of the draws.

    Raises:
        DataError: shapes that are no such tables, or differ in their queries; a value is not finite; `b` is 0 in all.
        ConfigError: `confidence` is not between 0 and 1, or `resamples` is below 1.
    """
    tables = [np.atleast_2d(np.asarray(table, np.float64)) for table in (a, b)]
    first, second = _resampled_means(tables, confidence, resamples, seed)
    if not second.any():
        raise DataError(
            expected="a baseline with a value above 0, to divide by",
            got="0 for every query",
            consequence="nothing was compared",
            remedy="look at the baseline's run: it finds nothing that is relevant",
        )
    return _middle(first[second != 0] / second[second != 0], confidence)


def _resampled_means(tables: Sequence[Values], confidence: float, resamples: int, seed: int) -> list[Values]:
    """The mean of each table in every resample: the same queries for all, the trainings of each by themselves."""
    means = [table.mean(axis=0) for table in tables]
    _differences(*means)
    _at_least_one("resamples", resamples)
    _require_confidence(confidence)
    rng = np.random.default_rng(seed)
    found: list[list[Values]] = [[] for _ in tables]
    for size in _block_sizes(resamples, means[0].size):
        queries = rng.integers(0, means[0].size, size=(size, means[0].size))
        counts = np.apply_along_axis(np.bincount, 1, queries, minlength=means[0].size) / means[0].size
        for table, side in zip(tables, found, strict=True):
            drawn = rng.integers(0, len(table), size=(size, len(table)))
            side.append(np.take_along_axis(counts @ table.T, drawn, axis=1).mean(axis=1))
    return [np.concatenate(side) for side in found]


def _middle(values: Values, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of a family of tests, adjusted so that the chance of any false alarm stays below the level.

    Holm 1979 (jstor 4615733): sorted rising, the i-th of m (i from 1) becomes max over j <= i of (m - j + 1) p_j, at
    most 1. Returned in the order given.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    rising = np.maximum.accumulate(factors * np.asarray(p_values, np.float64)[order])
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(rising, 1.0)
    return [float(value) for value in adjusted]


def _differences(a: Values, b: Values) -> Values:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 1 or first.shape != second.shape or first.size == 0:
        raise DataError(
            expected="one value a query for the same queries in both runs",
            got=f"shapes {list(first.shape)} and {list(second.shape)}",
            consequence="nothing was compared",
            remedy="evaluate both runs on the same data and split",
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError(
            expected="finite values a query",
            got="NaN or infinity",
            consequence="nothing was compared",
            remedy="evaluate the run again",
        )
    return first - second


def _require_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ConfigError(expected="a confidence between 0 and 1", got=str(confidence), remedy="0.95 is usual")


def _block_sizes(total: int, queries: int) -> Iterator[int]:
    most = min(_AT_ONCE, max(1, _CELLS // queries))
    for start in range(0, total, most):
        yield min(most, total - start)


def _at_least_one(what: str, number: int) -> None:
    if number < 1:
        raise ConfigError(expected=f"at least 1 {what}", got=str(number), consequence="nothing was compared")
