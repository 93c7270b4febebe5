"""Batches keep to the token budget, hold every row once, and waste little."""

from __future__ import annotations

import numpy as np

from rankdistill.inference.batching import by_token_budget


def test_every_row_is_in_one_batch_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(1, 300, 1000)
    batches = list(by_token_budget(lengths, 1024))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    padded = [len(rows) * lengths[rows].max() for rows in batches]
    assert max(padded) <= 1024
    assert sum(padded) < 1.03 * lengths.sum()


def test_a_row_longer_than_the_budget_stands_alone() -> None:
    assert [list(rows) for rows in by_token_budget(np.array([5, 99, 5]), 10)] == [[1], [0, 2]]


def test_no_rows_no_batches() -> None:
    assert list(by_token_budget(np.empty(0, dtype=np.int64), 10)) == []
