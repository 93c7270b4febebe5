"""The order of the texts."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.training.alignment.mixture import Mixture

GROUPS = [np.arange(0, 30), np.arange(100, 170), np.arange(1000, 1005)]


def test_a_pass_over_groups_of_their_own_size_holds_every_row_once() -> None:
    mixture = Mixture(GROUPS, [len(rows) for rows in GROUPS], 105, seed=1)
    everything = np.concatenate(GROUPS)
    first, second = mixture.rows(0), mixture.rows(1)
    assert np.array_equal(np.sort(first), everything)
    assert np.array_equal(np.sort(second), everything)
    assert not np.array_equal(first, second)


def test_a_pass_depends_on_nothing_but_its_number() -> None:
    one, other = (Mixture(GROUPS, [1, 1, 1], 50, seed=1) for _ in range(2))
    for number in (0, 1, 2):
        one.rows(number)
    assert np.array_equal(one.rows(2), other.rows(2))
    assert not np.array_equal(Mixture(GROUPS, [1, 1, 1], 50, seed=2).rows(2), other.rows(2))


def test_shares_hold_in_every_batch() -> None:
    mixture = Mixture(GROUPS[:2], [0.25, 0.75], 96, seed=3)
    for batch in mixture.rows(4).reshape(-1, 16):
        assert abs(int((batch < 100).sum()) - 4) <= 2
    assert int((mixture.rows(4) < 100).sum()) == 24


def test_a_small_group_with_a_large_share_is_gone_through_evenly_over_the_passes() -> None:
    mixture = Mixture(GROUPS, [0.3, 0.3, 0.4], 100, seed=3)
    drawn = np.concatenate([mixture.rows(number) for number in range(7)])
    for rows, count in zip(GROUPS, (30, 30, 40), strict=True):
        times = np.array([(drawn == row).sum() for row in rows])
        assert times.max() - times.min() <= 1
        assert times.sum() == 7 * count


@pytest.mark.parametrize(("weights", "length"), [([1, 1, 1], 100), ([1e-9, 5, 2], 17), ([3, 1, 1], 2)])
def test_the_parts_sum_to_the_length(weights: list[float], length: int) -> None:
    assert len(Mixture(GROUPS, weights, length, seed=0).rows(0)) == length
