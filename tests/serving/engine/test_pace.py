"""How long batches take is told from a warm-up and corrected by what is seen."""

from __future__ import annotations

import pytest

from rankdistill.serving.engine.pace import Pace, fitted


def test_a_line_is_found_through_the_warm_up() -> None:
    pace = fitted([8, 64, 256], [0.002 + 1e-4 * size for size in (8, 64, 256)])
    assert pace.seconds(1000) == pytest.approx(0.102)
    assert pace.seconds(1000, budget=100) == pytest.approx(0.12)
    assert pace.tokens(0.102) == 1000


def test_a_line_that_falls_or_begins_below_zero_is_none() -> None:
    assert fitted([8, 64], [0.002, 0.001]).tokens(1.0) >= 1
    assert fitted([8, 64], [0.0001, 0.1]).seconds(64) == pytest.approx(0.1001 * 64 / 72, abs=1e-5)
    assert fitted([8, 8], [0.002, 0.004]).seconds(16) == pytest.approx(0.006, abs=1e-5)


def test_slower_batches_are_learnt_whatever_their_size() -> None:
    pace = Pace(0.001, 1e-4)
    for _ in range(100):
        pace.observe(10, 3 * 0.002)
    assert pace.seconds(1000) == pytest.approx(3 * 0.101)
    for _ in range(100):
        pace.observe(1000, 0.101)
    assert pace.seconds(10) == pytest.approx(0.002, rel=1e-3)


def test_a_single_token_is_always_allowed() -> None:
    assert Pace(1.0, 1.0).tokens(0.1) == 1
