"""Measures against computations by hand."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from rankdistill.errors import DataError
from rankdistill.evaluation.measures import MEASURES, TITLES, Qrels, Run, evaluate_run, ranked

QRELS = {"q1": {"a": 2, "b": 1, "c": 0}, "q2": {"d": 1}, "q3": {"e": 0}}


def row(run: Run, qrels: Qrels, query_id: str) -> dict[str, Any]:
    return evaluate_run(run, qrels).per_query.row(by_predicate=pl.col("query_id") == query_id, named=True)


def test_measures_equal_a_computation_by_hand() -> None:
    found = row({"q1": {"x": 9, "b": 8, "c": 7, "a": 6}}, QRELS, "q1")
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert found["ndcg_at_10"] == pytest.approx((1 / math.log2(3) + 2 / math.log2(5)) / ideal)
    assert found["mrr_at_10"] == pytest.approx(1 / 2)
    assert found["map_at_100"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found["recall_at_100"] == 1


def test_cutoffs_cut() -> None:
    run = {"q2": {f"x{rank:03d}": 1000.0 - rank for rank in range(99)} | {"d": 1.0}}
    found = row(run, QRELS, "q2")
    assert (found["ndcg_at_10"], found["mrr_at_10"], found["recall_at_100"]) == (0, 0, 1)
    run["q2"]["x099"] = 2.0
    assert row(run, QRELS, "q2")["recall_at_100"] == 0


def test_a_query_without_results_counts_zero() -> None:
    evaluated = evaluate_run({"q2": {"d": 1.0}}, QRELS)
    assert evaluated.per_query.get_column("query_id").to_list() == ["q1", "q2", "q3"]
    assert evaluated.means == dict.fromkeys(MEASURES, pytest.approx(1 / 3))


def test_a_document_judged_zero_is_not_relevant() -> None:
    assert row({"q3": {"e": 1.0}}, QRELS, "q3") == {"query_id": "q3", **dict.fromkeys(MEASURES, 0.0)}


def test_queries_without_qrels_are_left_out() -> None:
    assert evaluate_run({"q2": {"d": 1.0}, "other": {"d": 1.0}}, {"q2": {"d": 1}}).means["mrr_at_10"] == 1


def test_ties_are_ordered_alike_in_all_measures_whatever_the_order_of_the_run() -> None:
    """ir-measures takes nDCG and RR@10 from two tools with two orders of ties; trec_eval puts the larger id first."""
    for run in ({"a": 1.0, "x": 1.0, "y": 1.0}, {"y": 1.0, "x": 1.0, "a": 1.0}):
        found = row({"q": run}, {"q": {"a": 1}}, "q")
        assert found["mrr_at_10"] == pytest.approx(1 / 3)
        assert found["ndcg_at_10"] == pytest.approx(1 / math.log2(4))
        assert found["map_at_100"] == pytest.approx(1 / 3)


def test_ranked_orders_by_score_then_falling_id() -> None:
    assert ranked({"q": {"a": 1.0, "b": 3.0, "c": 1.0}}) == {"q": {"b": 0.0, "c": -1.0, "a": -2.0}}


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused(score: float) -> None:
    with pytest.raises(DataError, match="query 'q2', document 'd'"):
        evaluate_run({"q2": {"d": score}}, QRELS)


def test_no_qrels_are_refused() -> None:
    with pytest.raises(DataError, match="qrels"):
        evaluate_run({}, {})


def test_every_measure_has_a_title() -> None:
    assert MEASURES.keys() == TITLES.keys()


def test_labels_below_0_are_0_before_a_tool_sees_them() -> None:
    run = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}
    below = evaluate_run(run, {"q": {"a": -2, "b": 1, "c": -1}}).means
    assert below == evaluate_run(run, {"q": {"a": 0, "b": 1, "c": 0}}).means
    assert below["ndcg_at_10"] == pytest.approx(1 / math.log2(3))
