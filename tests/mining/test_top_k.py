"""The k best with ties decided by position, against a full sort."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.mining.top_k import top_indices


@pytest.mark.parametrize("k", [1, 3, 10, 99, 100, 200])
@pytest.mark.parametrize("levels", [1, 2, 7, 1000])
def test_agrees_with_a_full_sort_however_many_ties(k: int, levels: int) -> None:
    scores = np.random.default_rng(levels).integers(0, levels, 100).astype(np.float32)
    expected = sorted(range(100), key=lambda position: (-scores[position], position))[:k]
    assert top_indices(scores, k).tolist() == expected


def test_no_scores_no_positions() -> None:
    assert top_indices(np.array([], dtype=np.float32), 5).tolist() == []


def test_minus_infinity_comes_last() -> None:
    assert top_indices(np.array([-np.inf, 1, -np.inf, 2], dtype=np.float32), 3).tolist() == [3, 1, 0]
