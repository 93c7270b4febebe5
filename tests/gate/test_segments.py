"""Per-query arithmetic against scipy and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rankdistill.gate.concordance import concordance
from rankdistill.gate.evidence import LEVEL, mean_of
from rankdistill.gate.segments import Segments
from rankdistill.gate.temperature import TemperatureSearch, target_of

SIZES = np.array([5, 1, 12, 3])


@pytest.fixture
def values() -> np.ndarray:
    return np.round(np.random.default_rng(0).normal(size=SIZES.sum()) * 3, 1)  # one decimal: there are ties


def parts(values: np.ndarray) -> list[np.ndarray]:
    return np.split(values, np.cumsum(SIZES)[:-1])


def test_sums_and_extremes(values: np.ndarray) -> None:
    segments = Segments(SIZES)
    assert segments.sum(values) == pytest.approx([part.sum() for part in parts(values)])
    assert segments.max(values).tolist() == [part.max() for part in parts(values)]
    assert segments.min(values).tolist() == [part.min() for part in parts(values)]


def test_ranks_are_those_of_scipy(values: np.ndarray) -> None:
    expected = np.concatenate([stats.rankdata(-part) for part in parts(values)])
    assert Segments(SIZES).ranks(values).tolist() == expected.tolist()


def test_softmax_is_float32_and_underflows_as_training_does() -> None:
    shares = Segments(np.array([3, 2])).softmax(np.array([0.0, -50.0, -200.0, 1e6, 1e6]))
    assert shares.dtype == np.float32
    assert shares[2] == 0
    assert 0 < shares[1] < 1e-20
    assert shares[3:].tolist() == [0.5, 0.5]


def test_correlation_of_ranks_is_spearman(values: np.ndarray) -> None:
    segments, other = Segments(SIZES), np.random.default_rng(1).normal(size=len(values))
    found = segments.correlation(segments.ranks(values), segments.ranks(other))
    for size, own, left, right in zip(SIZES, found, parts(values), parts(other), strict=True):
        if size > 1:
            assert own == pytest.approx(stats.spearmanr(left, right).statistic)
        else:
            assert np.isnan(own)


def test_nothing_gives_nothing() -> None:
    segments = Segments(np.array([], np.int64))
    assert len(segments.ranks(np.empty(0))) == len(segments.sum(np.empty(0))) == 0


def test_concordance_counts_pairs_and_half_of_ties(values: np.ndarray) -> None:
    positive = np.random.default_rng(2).random(len(values)) < 0.4
    for own, part, labels in zip(
        concordance(Segments(SIZES), values, positive), parts(values), parts(positive), strict=True
    ):
        pairs = [float(high > low) + 0.5 * (high == low) for high in part[labels] for low in part[~labels]]
        assert (own == pytest.approx(np.mean(pairs))) if pairs else np.isnan(own)


def test_the_interval_is_student_s() -> None:
    sample = np.random.default_rng(3).normal(size=15)
    mean = mean_of(sample)
    expected = stats.t.interval(LEVEL, 14, loc=sample.mean(), scale=stats.sem(sample))
    assert (mean.low, mean.high) == pytest.approx(expected)
    assert not mean.enough
    assert mean_of(sample[:1]).high == np.inf


@pytest.mark.parametrize("scale", [0.01, 1.0, 3000.0])
def test_the_recommended_temperature_reaches_its_target(scale: float) -> None:
    scores = np.random.default_rng(4).normal(size=4000) * scale
    segments = Segments(np.full(200, 20))
    search = TemperatureSearch(float(scores.std()))
    search.update(segments, scores)
    temperature = search.temperature()
    assert temperature is not None
    effective = [np.exp(stats.entropy(np.exp((part - part.max()) / temperature))) for part in np.split(scores, 200)]
    assert np.mean(effective) == pytest.approx(target_of(20), rel=0.05)


def test_constant_scores_have_no_temperature() -> None:
    search = TemperatureSearch(0.0)
    search.update(Segments(np.array([4])), np.ones(4))
    assert search.temperature() is None
