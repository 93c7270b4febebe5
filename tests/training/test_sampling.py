"""Drawing negatives."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.training.config import Sampling
from rankdistill.training.sampling import margin_bins, sample
from rankdistill.training.views import View, ViewReport

BOTH: list[Sampling] = ["uniform", "stratified"]


def make_view(*negative_scores: list[float], positive_score: float = 10.0) -> View:
    """One row a list; negatives are numbered through, positives after them."""
    sizes = [len(scores) for scores in negative_scores]
    total, rows = sum(sizes), len(sizes)
    return View(
        query_ids=[f"q{i}" for i in range(rows)],
        doc_ids=[f"d{i}" for i in range(total + rows)],
        query=np.arange(rows, dtype=np.int32),
        positive=np.arange(total, total + rows, dtype=np.int32),
        positive_score=np.full(rows, positive_score, dtype=np.float32),
        start=np.concatenate([[0], np.cumsum(sizes)]),
        negative=np.arange(total, dtype=np.int32),
        negative_score=np.concatenate(negative_scores).astype(np.float32),
        sources=["bm25"],
        negative_sources=np.ones(total, dtype=np.uint64),
        report=ViewReport(rows, rows, 0, 0, 0, 0, 0),
    )


SKEWED = [9.9, 9.8, 9.7, 9.6, 9.5, 9.4, 9.3, 9.2, 5.0, 0.0]
"""Eight hard negatives close together, one in the middle, one easy."""


@pytest.mark.parametrize("sampling", BOTH)
def test_a_row_starts_with_its_positive_and_draws_its_own_negatives_once_each(sampling: Sampling) -> None:
    view = make_view(SKEWED, [1.0, 2.0, 3.0, 4.0])
    documents, scores = sample(view, 4, sampling, (1,))
    assert documents.shape == scores.shape == (2, 5)
    assert documents[:, 0].tolist() == view.positive.tolist()
    assert set(documents[0, 1:]) <= set(range(10))
    assert len(set(documents[0, 1:].tolist())) == 4
    assert sorted(documents[1, 1:].tolist()) == [10, 11, 12, 13]
    np.testing.assert_array_equal(scores[:, 1:], view.negative_score[documents[:, 1:]])


@pytest.mark.parametrize("sampling", BOTH)
def test_the_same_seed_draws_the_same_and_another_seed_something_else(sampling: Sampling) -> None:
    view = make_view(*[SKEWED] * 20)
    np.testing.assert_array_equal(sample(view, 4, sampling, (1, 2))[0], sample(view, 4, sampling, (1, 2))[0])
    assert (sample(view, 4, sampling, (1, 2))[0] != sample(view, 4, sampling, (1, 3))[0]).any()


@pytest.mark.parametrize("sampling", BOTH)
def test_a_short_row_repeats_its_negatives_evenly(sampling: Sampling) -> None:
    documents, _ = sample(make_view([1.0, 2.0]), 5, sampling, (1,))
    assert sorted(np.bincount(documents[0, 1:]).tolist()) == [2, 3]


def test_uniform_draws_every_negative_equally_often() -> None:
    documents, _ = sample(make_view(*[SKEWED] * 4000), 2, "uniform", (1,))
    counts = np.bincount((documents[:, 1:] % 10).ravel(), minlength=10)
    np.testing.assert_allclose(counts / counts.sum(), 0.1, atol=0.01)


def test_stratified_draws_every_occupied_margin_bin_equally_often() -> None:
    documents, _ = sample(make_view(*[SKEWED] * 4000), 1, "stratified", (1,))
    counts = np.bincount(documents[:, 1] % 10, minlength=10)
    np.testing.assert_allclose(counts[[8, 9]] / 4000, 1 / 3, atol=0.03)
    np.testing.assert_allclose(counts[:8] / 4000, 1 / 24, atol=0.02)


def test_stratified_takes_one_of_each_occupied_bin_before_a_second() -> None:
    documents, _ = sample(make_view(*[SKEWED] * 50), 3, "stratified", (1,))
    assert all({8, 9} < set(row % 10) for row in documents[:, 1:])


def test_margin_bins_are_of_equal_width_over_the_rows_own_range() -> None:
    evenly = [10.0 - step for step in range(11)]
    assert margin_bins(make_view(evenly, [5.0, 4.0])).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 0, 9]


def test_equal_margins_share_one_bin() -> None:
    assert margin_bins(make_view([3.0, 3.0, 3.0])).tolist() == [0, 0, 0]
