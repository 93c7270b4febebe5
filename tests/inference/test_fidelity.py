"""The figures of the fidelity check, against independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from rankdistill.errors import BackendFidelityError
from rankdistill.evaluation.measures import ndcg_at_10
from rankdistill.inference.fidelity import SamplePair, compare, spearman

PAIRS = [SamplePair(f"q{row // 8}", f"d{row:02d}", row % 3 if row % 2 else None) for row in range(40)]


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(4)
    reference = generator.normal(size=len(PAIRS)).round(1)  # with ties
    return reference, reference + generator.normal(size=len(PAIRS)) * 0.3


def test_the_figures_are_those_of_scipy(scores: tuple[np.ndarray, np.ndarray]) -> None:
    reference, other = scores
    found = compare(PAIRS, reference, other)
    within = [spearmanr(reference[start : start + 8], other[start : start + 8]).statistic for start in range(0, 40, 8)]
    assert found.spearman == pytest.approx(spearmanr(reference, other).statistic)
    assert found.spearman_per_query == pytest.approx(np.mean(within))
    assert f"{found.spearman:.4f} over 40 pairs, {found.spearman_per_query:.4f} within a query" in found.shown
    assert found.max_difference == pytest.approx(np.abs(reference - other).max())
    assert found.mean_difference == pytest.approx(np.abs(reference - other).mean())
    assert (found.pairs, found.queries, found.ndcg_change) == (40, 5, None)


def test_equal_scores_are_perfect_and_queries_of_one_pair_do_not_count() -> None:
    pairs = [SamplePair("a", "1"), SamplePair("a", "2"), SamplePair("b", "1")]
    found = compare(pairs, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert (found.spearman, found.spearman_per_query, found.max_difference) == pytest.approx((1.0, 1.0, 0.0))
    assert compare(pairs[2:], np.array([1.0]), np.array([2.0])).spearman_per_query == 1.0


def test_a_constant_lot_of_scores_agrees_only_with_another() -> None:
    assert spearman(np.zeros(4), np.ones(4)) == 1.0
    assert spearman(np.zeros(4), np.arange(4.0)) == 0.0


def test_the_change_of_ndcg_is_that_of_the_rankings(scores: tuple[np.ndarray, np.ndarray]) -> None:
    reference, other = scores
    qrels: dict[str, dict[str, int]] = {}
    for pair in PAIRS:
        if pair.label is not None:
            qrels.setdefault(pair.query_id, {})[pair.doc_id] = pair.label
    runs = []
    for values in (reference, other):
        run: dict[str, dict[str, float]] = {}
        for pair, value in zip(PAIRS, values, strict=True):
            run.setdefault(pair.query_id, {})[pair.doc_id] = float(value)
        runs.append(ndcg_at_10(run, qrels))
    found = compare(PAIRS, reference, other, ndcg_at_10)
    assert found.ndcg_change == pytest.approx(runs[1] - runs[0])
    assert found.ndcg_change != 0
    unlabelled = [SamplePair(pair.query_id, pair.doc_id) for pair in PAIRS]
    assert compare(unlabelled, reference, other, ndcg_at_10).ndcg_change is None


def test_drift_is_refused_with_its_numbers(scores: tuple[np.ndarray, np.ndarray]) -> None:
    found = compare(PAIRS, *scores)
    found.require(0.5, "openvino-int8")
    with pytest.raises(BackendFidelityError, match=f"{found.spearman:.4f} over 40 sampled pairs") as caught:
        found.require(0.999, "openvino-int8")
    assert "--min-fidelity" in caught.value.remedy


def test_drift_within_queries_alone_is_refused_too() -> None:
    """Queries far apart hide it from the correlation over all pairs."""
    reference = np.array([10.0 * (row // 2) + row % 2 for row in range(20)])
    swapped = reference.reshape(-1, 2)[:, ::-1].reshape(-1)
    found = compare([SamplePair(str(row // 2), str(row)) for row in range(20)], reference, swapped)
    assert found.spearman > 0.98
    with pytest.raises(BackendFidelityError, match=r"-1\.0000 within a query"):
        found.require(0.9, "some back end")
