"""Each calibration against numpy, and what it does where a query tells nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rankdistill.ensembles.calibration import CALIBRATIONS, Context, Moments, named
from rankdistill.errors import ConfigError
from tests.ensembles.oracle import PER_QUERY, percentile

QUERY = Context(pl.col("query_id"), Moments(pl.lit(3.0), pl.lit(2.0)), Moments(pl.lit(1.0), pl.lit(4.0)))


def calibrate(name: str, queries: dict[str, list[float]]) -> dict[str, list[float]]:
    rows = [(query, score) for query, scores in queries.items() for score in scores]
    frame = pl.DataFrame(rows, schema={"query_id": pl.String, "score": pl.Float64}, orient="row")
    low, high = np.percentile(frame["score"].to_numpy(), [1, 99]).tolist()
    context = QUERY if name.startswith("affine") else Context(pl.col("query_id"), bounds=(low, high))
    out = frame.with_columns(out=CALIBRATIONS[name].apply(pl.col("score"), context))
    return {query: out.filter(pl.col("query_id") == query)["out"].to_list() for query in queries}


def test_every_calibration_is_held_against_numpy() -> None:
    assert PER_QUERY.keys() | {"percentile", "affine", "affine-store"} == CALIBRATIONS.keys()


@pytest.mark.parametrize("name", PER_QUERY)
def test_the_formula(name: str) -> None:
    generator = np.random.default_rng(1)
    queries = {f"q{size}": (generator.normal(size=size) * 7 + 100).round(1).tolist() for size in (1, 2, 3, 50, 200)}
    found = calibrate(name, queries)
    for query, scores in queries.items():
        assert found[query] == pytest.approx(PER_QUERY[name](np.array(scores)).tolist(), abs=1e-9)


def test_affine_gives_each_query_the_mean_and_deviation_of_the_reference() -> None:
    found = np.array(calibrate("affine", {"q": [1.0, 5.0, 6.0, 20.0]})["q"])
    assert found.mean() == pytest.approx(3.0)
    assert found.std() == pytest.approx(2.0)
    assert np.argsort(found).tolist() == [0, 1, 2, 3]


def test_affine_over_the_store_moves_all_queries_alike() -> None:
    assert calibrate("affine-store", {"q": [1.0, 5.0], "r": [9.0]}) == {"q": [3.0, 5.0], "r": [7.0]}


@pytest.mark.parametrize("name", CALIBRATIONS)
@pytest.mark.parametrize("scores", [[0.1], [0.1] * 3, [0.1] * 7, [1e-30, 2e-30], [3.4e38, -3.4e38], [0.0, -0.0]])
def test_no_query_gives_nan_or_infinity(name: str, scores: list[float]) -> None:
    assert np.isfinite(calibrate(name, {"q": scores})["q"]).all()


@pytest.mark.parametrize(
    ("name", "neutral"),
    [("zscore", 0.0), ("minmax", 0.5), ("percentile", 0.5), ("rank", 0.5), ("affine", 3.0)],
)
@pytest.mark.parametrize("scores", [[0.1], [0.1] * 3, [1 / 3] * 11])
def test_equal_scores_get_the_neutral_value_exactly(name: str, neutral: float, scores: list[float]) -> None:
    """The deviation of equal floats is not always 0: a tiny one would blow rounding errors up to scores."""
    assert calibrate(name, {"q": scores})["q"] == [neutral] * len(scores)


@pytest.mark.parametrize("name", sorted(set(CALIBRATIONS) - {"percentile"}))
def test_no_calibration_changes_the_order_within_a_query(name: str) -> None:
    scores = np.random.default_rng(5).normal(size=40)
    assert np.argsort(calibrate(name, {"q": scores.tolist()})["q"]).tolist() == np.argsort(scores).tolist()


def test_percentile_is_not_moved_by_an_outlier() -> None:
    scores = np.linspace(0, 1, 200).tolist()
    far, near = (
        calibrate("percentile", {"q": [*scores, 1000.0]})["q"],
        calibrate("percentile", {"q": [*scores, 1.1]})["q"],
    )
    assert far[:150] == pytest.approx(near[:150], abs=0.02)


def test_percentile_clips_and_scales_over_all_queries() -> None:
    generator = np.random.default_rng(1)
    queries = {f"q{size}": (generator.normal(size=size) * 7 + size).tolist() for size in (1, 2, 3, 50, 200)}
    everything = np.concatenate(list(queries.values()))
    found = calibrate("percentile", queries)
    for query, scores in queries.items():
        assert found[query] == pytest.approx(percentile(np.array(scores), everything).tolist(), abs=1e-9)


@pytest.mark.parametrize("name", ["zscore", "minmax", "percentile", "rank", "rrf"])
def test_the_unit_of_the_teacher_does_not_matter(name: str) -> None:
    scores = np.random.default_rng(6).normal(size=30)
    assert calibrate(name, {"q": (scores * 40 - 7).tolist()})["q"] == pytest.approx(
        calibrate(name, {"q": scores.tolist()})["q"]
    )


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="zscore, minmax"):
        named("z-score")
