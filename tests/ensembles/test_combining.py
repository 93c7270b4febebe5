"""What becomes of pairs that only some teachers scored, and how it is counted."""

from __future__ import annotations

import polars as pl
import pytest

from rankdistill.ensembles.combining import Coverage, check_policy, join, scaled, weighted_mean
from rankdistill.errors import ConfigError, StoreError


def frame(*rows: tuple[str, str, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"query_id": pl.String, "doc_id": pl.String, "score": pl.Float64}, orient="row")


A = frame(("q", "d1", 1.0), ("q", "d2", 3.0), ("r", "d1", 5.0))
B = frame(("q", "d2", 7.0), ("q", "d3", 9.0))


def test_error_names_who_lacks_what_and_where() -> None:
    with pytest.raises(StoreError, match=r"a lacks 1, b lacks 2; first query 'q', document 'd3'"):
        join({"a": A, "b": B}, "error")


def test_intersect_keeps_what_every_teacher_scored_and_counts_the_rest() -> None:
    table, coverage = join({"a": A, "b": B}, "intersect")
    assert table.rows() == [("q", "d2", 3.0, 7.0)]
    assert coverage == Coverage(4, {"a": 1, "b": 2}, dropped=3, imputed=0, absent={"a": 0, "b": 0})


def test_impute_takes_the_teachers_minimum_of_that_query() -> None:
    table, coverage = join({"a": A, "b": B}, "impute")
    assert table.rows() == [("q", "d1", 1.0, 7.0), ("q", "d2", 3.0, 7.0), ("q", "d3", 1.0, 9.0), ("r", "d1", 5.0, None)]
    assert coverage == Coverage(4, {"a": 1, "b": 2}, dropped=0, imputed=2, absent={"a": 0, "b": 1})


def test_a_teacher_without_any_score_of_a_query_has_no_say_there() -> None:
    table, _ = join({"a": A, "b": B}, "impute")
    mean = weighted_mean(table, {"a": 0.25, "b": 0.75})
    assert mean["score"].to_list() == [0.25 + 5.25, 0.75 + 5.25, 0.25 + 6.75, 5.0]


def test_a_query_of_a_teacher_without_weight_alone_is_refused() -> None:
    table, _ = join({"a": A, "b": B}, "impute")
    with pytest.raises(StoreError, match="none for query 'r'"):
        weighted_mean(table, {"a": 0.0, "b": 1.0})


@pytest.mark.parametrize("policy", ["error", "intersect", "impute"])
def test_teachers_of_the_same_pairs_lack_nothing(policy: str) -> None:
    other = A.with_columns(score=pl.col("score") * 2)
    table, coverage = join({"a": A, "b": other}, check_policy(policy))
    assert table.equals(A.rename({"score": "a"}).with_columns(b=pl.col("a") * 2))
    assert coverage == Coverage(3, {"a": 0, "b": 0}, 0, 0, {"a": 0, "b": 0})


def test_as_many_pairs_are_not_the_same_pairs() -> None:
    other = frame(("q", "d1", 1.0), ("q", "d9", 3.0), ("r", "d1", 5.0))
    table, coverage = join({"a": A, "b": other}, "intersect")
    assert table["doc_id"].to_list() == ["d1", "d1"]
    assert coverage.wanted == 4


def test_a_null_is_a_missing_score() -> None:
    table, coverage = join({"a": A, "b": A.with_columns(score=pl.lit(None, pl.Float64))}, "intersect")
    assert (table.height, coverage.missing) == (0, {"a": 0, "b": 3})


def test_counts_of_ranges_add_up() -> None:
    _, one = join({"a": A, "b": B}, "impute")
    total = sum([one, one], Coverage.nothing(["a", "b"]))
    assert total == Coverage(8, {"a": 2, "b": 4}, 0, 4, {"a": 0, "b": 2})
    assert Coverage(**total.to_json()) == total


@pytest.mark.parametrize("weights", [[1.0], [1.0, -0.1], [0.0, 0.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_wrong_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="2 weights"):
        scaled(weights, 2)


def test_weights_are_scaled() -> None:
    assert scaled([1, 3], 2) == [0.25, 0.75]
    assert scaled(None, 4) == [0.25] * 4


def test_an_unknown_policy_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="error, intersect, impute"):
        check_policy("drop")
