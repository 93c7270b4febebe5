"""Choice of weights."""

from __future__ import annotations

import pytest

from rankdistill.errors import ConfigError
from rankdistill.fusion import Fusion
from rankdistill.fusion.fitting import compositions, fit_weights


def test_the_best_of_all_tenths_is_found() -> None:
    target = (0.2, 0.5, 0.3)

    def quality(tried: Fusion) -> float:
        return -sum((one - other) ** 2 for one, other in zip(tried.weights or (), target, strict=True))

    tried: list[int] = []
    fitted, value = fit_weights(Fusion("z_score"), 3, quality, tried.append)
    assert fitted == Fusion("z_score", target)
    assert value == pytest.approx(0, abs=1e-12)
    assert sum(tried) == 66


def test_of_equal_ones_the_most_even_wins() -> None:
    assert fit_weights(Fusion("min_max"), 2, lambda tried: 1.0)[0].weights == (0.5, 0.5)


def test_compositions_are_complete() -> None:
    found = list(compositions(10, 4))
    assert len(found) == len(set(found)) == 286
    assert {sum(parts) for parts in found} == {10}


def test_one_system_and_too_many_are_refused() -> None:
    for systems in (1, 5):
        with pytest.raises(ConfigError):
            fit_weights(Fusion(), systems, lambda tried: 1.0)
