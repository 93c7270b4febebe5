"""Fusion against the formulas in numpy, and the traps: missing documents, lists without spread, ties."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.fusion import METHODS, Fusion, Ranking, rrf
from rankdistill.fusion.scales import min_max, z_score


def random_ranking(seed: int) -> dict[str, float]:
    """Seven of ten documents with scores of any sign, best first."""
    generator = random.Random(seed)
    chosen = generator.sample([f"d{number}" for number in range(10)], 7)
    scores = sorted((generator.gauss(seed, 1 + seed) for _ in chosen), reverse=True)
    return dict(zip(chosen, scores, strict=True))


def dense_reference(rankings: list[Ranking], method: str, weights: np.ndarray) -> dict[str, float]:
    """The same from a [systems, documents] array with NaN for what a list does not hold."""
    names = sorted({doc_id for ranking in rankings for doc_id in ranking})
    table = np.array([[ranking.get(name, np.nan) for name in names] for ranking in rankings])
    if method == "rrf":
        ranks = 1 + (-np.where(np.isnan(table), -np.inf, table)).argsort(axis=1, kind="stable").argsort(axis=1)
        scaled = np.where(np.isnan(table), 0, 1 / (60 + ranks))
    elif method == "min_max":
        low, high = np.nanmin(table, axis=1, keepdims=True), np.nanmax(table, axis=1, keepdims=True)
        scaled = np.nan_to_num((table - low) / (high - low))
    else:
        scaled = (table - np.nanmean(table, axis=1, keepdims=True)) / np.nanstd(table, axis=1, keepdims=True)
        scaled = np.where(np.isnan(scaled), np.nanmin(scaled, axis=1, keepdims=True), scaled)
    if method != "rrf":
        weights = weights / weights.sum()
    return dict(zip(names, (weights @ scaled).tolist(), strict=True))


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.2, 0.0, 3.0)])
def test_every_method_is_its_formula(method: str, weights: tuple[float, ...]) -> None:
    for seed in range(5):
        rankings: list[Ranking] = [random_ranking(seed * 3 + system) for system in range(3)]
        fused = Fusion(method, weights)(rankings)
        counted = [ranking for ranking, weight in zip(rankings, weights, strict=True) if weight]
        expected = dense_reference(counted, method, np.array([weight for weight in weights if weight]))
        assert fused == pytest.approx(expected, abs=1e-12)
        assert list(fused.values()) == sorted(fused.values(), reverse=True)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_weight_of_0_leaves_its_system_out(method: str) -> None:
    one, other = random_ranking(1), random_ranking(2)
    assert list(Fusion(method, (0.0, 1.0))([one, other])) == list(other)


def test_the_example_of_reciprocal_ranks() -> None:
    fused = rrf([{"a": 9.0, "b": 1.0}, {"b": 0.3, "c": 0.2}])
    assert fused == pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62})
    assert list(fused) == ["b", "a", "c"]


def test_ranks_are_places_whatever_the_scores_say() -> None:
    assert rrf([{"a": -math.inf, "b": -math.inf}]) == pytest.approx({"a": 1 / 61, "b": 1 / 62})


def test_a_list_without_spread_still_says_that_its_documents_were_found() -> None:
    for scale in (min_max, z_score):
        for scores in ({"only": 7.0}, {"a": 0.1, "b": 0.1, "c": 0.1}):
            scaled, missing = scale(scores)
            assert len(set(scaled.values())) == 1
            assert min(scaled.values()) > missing
            assert all(math.isfinite(score) for score in scaled.values())


def test_a_missing_document_is_never_above_one_that_was_found() -> None:
    for scale in (min_max, z_score):
        for seed in range(20):
            scaled, missing = scale(random_ranking(seed))
            assert missing <= min(scaled.values())
    low = Fusion("z_score")([{"a": 5.0, "b": 4.0, "c": 1.0}, {"x": 2.0}])
    assert low["c"] == low["b"] - (z_score({"a": 5.0, "b": 4.0, "c": 1.0}).scores["b"] - z_score_of_last()) / 2


def z_score_of_last() -> float:
    """The lowest z-score of 5, 4, 1, by numpy."""
    values = np.array([5.0, 4.0, 1.0])
    return float((1.0 - values.mean()) / values.std())


def test_units_do_not_matter_to_scaled_scores() -> None:
    rankings = [random_ranking(1), random_ranking(2)]
    other = {doc_id: 1e6 * score - 3e5 for doc_id, score in rankings[1].items()}
    for method in ("min_max", "z_score"):
        assert Fusion(method)([rankings[0], other]) == pytest.approx(Fusion(method)(rankings), abs=1e-8)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_system_that_found_nothing_changes_no_order(method: str) -> None:
    ranking = random_ranking(4)
    assert list(Fusion(method)([ranking, {}])) == list(ranking)
    assert Fusion(method)([{}, {}]) == {}


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("weights", [(1.0,), (1.0, 1.0, 1.0), (0.0, 0.0), (-1.0, 2.0), (math.nan, 1.0), (1e308, 1e308)])
def test_weights_that_do_not_fit_are_refused(method: str, weights: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="weights"):
        Fusion(method, weights)([{"a": 1.0}, {"b": 1.0}])


def test_scores_that_are_not_finite_are_refused_where_they_are_read() -> None:
    for method in ("min_max", "z_score"):
        with pytest.raises(DataError, match="finite"):
            Fusion(method)([{"a": math.nan}, {"b": 1.0}])


def test_an_unknown_method_and_a_single_system_are_refused() -> None:
    with pytest.raises(ConfigError, match="rrf, min_max, z_score"):
        Fusion("borda")
    with pytest.raises(ConfigError, match="two systems"):
        Fusion().require_systems(1)
    with pytest.raises(ConfigError, match="constant"):
        Fusion(k=-1)
