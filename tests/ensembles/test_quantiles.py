"""Quantiles in bounded memory equal numpy's over everything at once."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from rankdistill.ensembles.quantiles import quantiles, scores_of
from rankdistill.errors import StoreError
from tests.ensembles.stores import write_store

SHARES = [0.0, 0.01, 0.25, 0.5, 0.99, 1.0]

DRAWS = {
    "normal": np.random.default_rng(1).normal(3, 9, size=10_007),
    "of few values": np.random.default_rng(2).integers(-3, 4, size=5000),
    "over many magnitudes": np.random.default_rng(3).normal(size=4001)
    * 10.0 ** np.random.default_rng(4).integers(-30, 30),
    "one": np.array([-2.5]),
    "two": np.array([1e-38, -7.0]),
    "equal": np.full(40, 1 / 3),
    "signed zeros": np.array([0.0, -0.0, 0.0, -0.0, 1.0]),
    "the largest": np.array([3.4e38, -3.4e38, 0.0]),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_they_equal_numpys_whatever_the_parts(name: str, size: int) -> None:
    scores = DRAWS[name].astype(np.float32)
    if size == 1:
        scores = scores[:200]
    parts = [scores[start : start + size] for start in range(0, len(scores), size)]
    expected = np.quantile(scores.astype(np.float64), SHARES)
    assert quantiles(lambda: parts, SHARES) == pytest.approx(expected.tolist(), rel=1e-12)


def test_nothing_has_quantiles_of_0() -> None:
    assert quantiles(lambda: [], [0.01, 0.99]) == [0.0, 0.0]


def test_memory_is_that_of_a_part() -> None:
    def parts() -> list[np.ndarray]:
        return (np.random.default_rng(seed).normal(size=50_000).astype(np.float32) for seed in range(60))

    tracemalloc.start()
    quantiles(parts, [0.01, 0.99])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * 50_000 * 4 / 2


def test_scores_are_read_part_by_part_from_every_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankdistill.ensembles.quantiles.CHUNK_ROWS", 2)
    scores = {(f"q{number}", "d"): float(number) for number in range(11)}
    store = write_store(tmp_path, {"a": scores}, shard_rows=5)
    parts = [part.tolist() for part in scores_of("a", store.shards("a"))]
    assert max(map(len, parts)) == 2
    assert sorted(score for part in parts for score in part) == sorted(scores.values())


def test_a_score_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    store = write_store(tmp_path, {"a": {("q", "d"): float("nan")}})
    with pytest.raises(StoreError, match="finite scores of a"):
        list(scores_of("a", store.shards("a")))
