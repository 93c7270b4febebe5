"""Is a difference between two runs more than chance? Tests and intervals over paired per-query values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError, DataError

PERMUTATIONS = 100_000
RESAMPLES = 10_000
_AT_ONCE = 1000

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
    for size in _block_sizes(permutations):
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
    if not 0 < confidence < 1:
        raise ConfigError(expected="a confidence between 0 and 1", got=str(confidence), remedy="0.95 is usual")
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[rng.integers(0, values.size, size=(size, values.size))].mean(axis=1)
            for size in _block_sizes(resamples)
        ]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
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


def _block_sizes(total: int) -> Iterator[int]:
    for start in range(0, total, _AT_ONCE):
        yield min(_AT_ONCE, total - start)


def _at_least_one(what: str, number: int) -> None:
    if number < 1:
        raise ConfigError(expected=f"at least 1 {what}", got=str(number), consequence="nothing was compared")
