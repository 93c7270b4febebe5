"""Tests and intervals against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation import significance
from rankdistill.evaluation.significance import (
    Values,
    bootstrap_interval,
    holm,
    randomisation_test,
    trainings_interval,
)

Pair = tuple[Values, Values]


@pytest.fixture
def pair() -> Pair:
    rng = np.random.default_rng(5)
    base = rng.uniform(size=60)
    return np.clip(base + rng.normal(0.05, 0.2, size=60), 0, 1), base


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.08])
def test_the_p_value_equals_scipys(pair: Pair, shift: float) -> None:
    a, b = pair[0] + shift, pair[1]
    expected = stats.permutation_test(
        (a, b), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert randomisation_test(a, b, 20_000) == pytest.approx(expected, abs=0.015)


def test_the_p_value_of_few_queries_equals_the_enumeration_of_all_signs() -> None:
    differences = np.array([0.4, -0.1, 0.3, 0.2, 0.0, 0.25])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    exact = (np.abs(signs @ differences) >= differences.sum() - 1e-12).mean()
    assert randomisation_test(differences, np.zeros(6), 50_000) == pytest.approx(exact, abs=0.01)


def test_equal_runs_have_p_one_and_the_sign_does_not_matter(
    pair: Pair,
) -> None:
    a, b = pair
    assert randomisation_test(a, a, 1000) == 1.0
    assert randomisation_test(a, b, 5000) == randomisation_test(b, a, 5000)


def test_the_p_value_is_never_zero_and_the_seed_fixes_it(pair: Pair) -> None:
    a, b = pair
    assert randomisation_test(a + 5, b, 999) == pytest.approx(1 / 1000)
    assert randomisation_test(a, b, 2500, seed=3) == randomisation_test(a, b, 2500, seed=3)


def test_under_the_null_hypothesis_one_test_in_twenty_is_below_five_percent() -> None:
    rng = np.random.default_rng(0)
    p_values = [randomisation_test(rng.normal(size=25), rng.normal(size=25), 400, seed) for seed in range(400)]
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def test_the_interval_equals_scipys_percentile_bootstrap(pair: Pair) -> None:
    values = pair[0] - pair[1]
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=2).confidence_interval
    assert bootstrap_interval(values) == pytest.approx((expected.low, expected.high), abs=0.005)


def test_the_interval_widens_with_the_confidence_and_has_no_width_without_variance(
    pair: Pair,
) -> None:
    values = pair[0]
    low, high = bootstrap_interval(values, 0.99)
    inner = bootstrap_interval(values, 0.9)
    assert low < inner[0] < values.mean() < inner[1] < high
    assert bootstrap_interval(np.full(9, 0.25)) == (0.25, 0.25)


def test_holm_equals_the_computation_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9, 0.8]) == [1.0, 1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("a", "b"),
    [([0.1, 0.2], [0.1]), ([], []), ([np.nan, 0.1], [0.1, 0.2]), ([[0.1]], [[0.2]])],
    ids=["lengths", "empty", "nan", "two dimensions"],
)
def test_values_that_cannot_be_paired_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(DataError):
        randomisation_test(np.array(a), np.array(b))


def test_senseless_settings_are_refused(pair: Pair) -> None:
    with pytest.raises(ConfigError, match="permutations"):
        randomisation_test(*pair, permutations=0)
    with pytest.raises(ConfigError, match="resamples"):
        bootstrap_interval(pair[0], resamples=0)
    with pytest.raises(ConfigError, match="confidence"):
        bootstrap_interval(pair[0], confidence=95)


@pytest.mark.parametrize("queries", [60, 10_000])
def test_few_queries_are_drawn_in_blocks_of_a_thousand(queries: int) -> None:
    """The draws, and so the figures, are those that they were."""
    assert list(significance._block_sizes(2500, queries)) == [1000, 1000, 500]


def test_memory_does_not_grow_with_the_queries(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = list(significance._block_sizes(100, 500_000))
    assert sum(sizes) == 100
    assert max(sizes) * 500_000 <= significance._CELLS
    assert set(significance._block_sizes(3, 10**9)) == {1}
    a, b = pair
    wanted = trainings_interval(np.stack([a, a + 0.1]), np.stack([b, b]), resamples=4000)
    monkeypatch.setattr(significance, "_CELLS", 7 * len(a))
    assert trainings_interval(np.stack([a, a + 0.1]), np.stack([b, b]), resamples=4000) == pytest.approx(
        wanted, abs=0.01
    )
    assert bootstrap_interval(a - b) == pytest.approx(bootstrap_interval(a - b, seed=1), abs=0.005)
