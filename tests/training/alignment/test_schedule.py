"""The cyclic linear rate."""

from __future__ import annotations

import pytest

from rankdistill.training.alignment.schedule import share_of_peak


def test_each_cycle_falls_linearly_from_the_peak_to_its_end() -> None:
    shares = [share_of_peak(step, 12, 3, 0.1) for step in range(12)]
    assert shares == pytest.approx([1.0, 0.7, 0.4, 0.1] * 3)


def test_the_steps_need_not_be_a_multiple_of_the_cycles() -> None:
    shares = [share_of_peak(step, 10, 3, 0.0) for step in range(11)]
    assert shares == pytest.approx([1, 2 / 3, 1 / 3, 0, 1, 0.5, 0, 1, 0.5, 0, 0])


def test_the_first_steps_warm_up() -> None:
    shares = [share_of_peak(step, 10, 1, 0.1, warmup_steps=3) for step in range(5)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1 - 0.9 * 3 / 9, 1 - 0.9 * 4 / 9])


@pytest.mark.parametrize(("steps", "cycles"), [(1, 1), (2, 3), (1, 5)])
def test_few_steps_stay_within_the_rates(steps: int, cycles: int) -> None:
    assert all(0.1 <= share_of_peak(step, steps, cycles, 0.1) <= 1 for step in range(steps + 1))
