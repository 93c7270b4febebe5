"""From candidates and scores to rows: positives by label, policies, counts."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest

from rankdistill.errors import ConfigError, DataError, StoreError
from rankdistill.training import views
from rankdistill.training.false_negatives import FalseNegativeFilters

Candidate = tuple[str, str, int | None]


def frames(rows: list[tuple[str, str, int | None, float | None]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(scores, candidates) of (query, document, label, score or None) rows."""
    table = pl.DataFrame(
        rows,
        schema={"query_id": pl.String, "doc_id": pl.String, "label": pl.Int32, "score": pl.Float32},
        orient="row",
    )
    scores = table.drop("label").drop_nulls("score").unique(["query_id", "doc_id"])
    return scores, table.drop("score").with_columns(source=pl.lit("bm25"))


ONE_QUERY = [("q", "p", 1, 3.0), ("q", "a", None, 5.0), ("q", "b", 0, 1.0), ("q", "c", None, -2.0)]


def negatives_of(view: views.View, row: int) -> list[str]:
    return [view.doc_ids[code] for code in view.negative[view.start[row] : view.start[row + 1]]]


def positives_of(view: views.View) -> list[tuple[str, str]]:
    return [
        (view.query_ids[q], view.doc_ids[d]) for q, d in zip(view.query.tolist(), view.positive.tolist(), strict=True)
    ]


def test_the_positive_is_the_labelled_document_also_when_the_teacher_prefers_another() -> None:
    view = views.build(*frames(ONE_QUERY), negatives=3)
    assert positives_of(view) == [("q", "p")]
    assert view.positive_score.tolist() == [3.0]
    assert negatives_of(view, 0) == ["a", "b", "c"]
    assert view.negative_score.tolist() == [5.0, 1.0, -2.0]


def test_several_positives_make_several_rows_and_none_is_a_negative_of_another() -> None:
    view = views.build(*frames([*ONE_QUERY, ("q", "p2", 2, 0.0)]), negatives=3)
    assert positives_of(view) == [("q", "p"), ("q", "p2")]
    assert negatives_of(view, 0) == negatives_of(view, 1) == ["a", "b", "c"]
    assert (view.report.rows, view.report.queries) == (2, 1)


def test_a_document_from_two_sources_counts_once_with_its_label() -> None:
    doubled = [*ONE_QUERY, ("q", "a", None, 5.0), ("q", "p", None, 3.0)]
    view = views.build(*frames(doubled), negatives=3)
    assert positives_of(view) == [("q", "p")]
    assert negatives_of(view, 0) == ["a", "b", "c"]


def test_row_order_of_the_input_does_not_matter() -> None:
    scores, candidates = frames([*ONE_QUERY, ("r", "a", 1, 2.0), ("r", "b", None, 0.0), ("r", "c", None, 1.0)])
    one = views.build(scores, candidates, negatives=2)
    other = views.build(scores.reverse(), candidates.sample(fraction=1, shuffle=True, seed=3), negatives=2)
    for name in ("query", "positive", "start", "negative", "negative_score"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_query_without_a_positive_is_skipped_and_counted() -> None:
    view = views.build(*frames([*ONE_QUERY, ("u", "a", None, 1.0), ("u", "b", 0, 2.0)]), negatives=1)
    assert view.query_ids == ["q"]
    assert view.report.skipped_unlabelled_queries == 1


def test_the_top_document_becomes_the_positive_only_on_request_and_only_where_there_is_no_label() -> None:
    rows = [*ONE_QUERY, ("u", "a", None, 1.0), ("u", "b", 0, 2.0), ("u", "c", None, 2.0)]
    view = views.build(*frames(rows), negatives=2, unlabelled="top")
    assert positives_of(view) == [("q", "p"), ("u", "b")]
    assert negatives_of(view, 1) == ["a", "c"]
    assert view.report.declared_positives == 1


def test_a_labelled_query_whose_positive_has_no_score_is_not_taken_for_unlabelled() -> None:
    rows = [*ONE_QUERY, ("u", "p", 1, None), ("u", "b", None, 2.0), ("u", "c", None, 2.0)]
    view = views.build(*frames(rows), negatives=1, unlabelled="top", missing="drop")
    assert view.query_ids == ["q"]
    assert view.report.dropped_pairs_without_score == 1


def test_a_missing_score_is_an_error_that_names_the_pair() -> None:
    with pytest.raises(StoreError, match="1 of 5 pairs without one, first query 'q', document 'z'"):
        views.build(*frames([*ONE_QUERY, ("q", "z", None, None)]), negatives=1)


def test_a_positive_without_a_score_is_an_error_or_gets_the_highest_of_its_query() -> None:
    rows = [("q", "p", 1, None), *ONE_QUERY[1:], ("r", "p", 1, 0.5), ("r", "a", None, 9.0), ("r", "b", None, 1.0)]
    with pytest.raises(StoreError, match="positives_without_score: maximum"):
        views.build(*frames(rows), negatives=2)
    view = views.build(*frames(rows), negatives=2, positives_without_score="maximum")
    assert positives_of(view) == [("q", "p"), ("r", "p")]
    assert view.positive_score.tolist() == [5.0, 0.5]
    assert view.report.positives_at_maximum == 1
    assert view.report.to_json()["positives_at_maximum"] == 1
    assert "positives_at_maximum" not in views.build(*frames(ONE_QUERY), negatives=3).report.to_json()
    lacking = [*rows[:1], ("q", "a", None, None), *rows[2:]]
    with pytest.raises(StoreError, match="without one"):
        views.build(*frames(lacking), negatives=2, positives_without_score="maximum")


def test_two_scores_of_one_pair_are_refused() -> None:
    scores, candidates = frames(ONE_QUERY)
    with pytest.raises(StoreError, match="one teacher score"):
        views.build(pl.concat([scores, scores]), candidates, negatives=1)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    scores, candidates = frames(ONE_QUERY)
    broken = scores.with_columns(score=pl.when(pl.col("doc_id") == "a").then(pl.lit(bad)).otherwise("score"))
    with pytest.raises(StoreError, match="finite"):
        views.build(broken, candidates, negatives=1)


def test_rows_with_too_few_negatives_are_skipped_and_counted_or_kept_for_repeating() -> None:
    rows = [*ONE_QUERY, ("r", "p", 1, 1.0), ("r", "a", None, 0.0), ("s", "p", 1, 1.0)]
    skipped = views.build(*frames(rows), negatives=3)
    assert (skipped.query_ids, skipped.report.skipped_rows_with_few_negatives) == (["q"], 2)
    repeated = views.build(*frames(rows), negatives=3, few_negatives="repeat")
    assert (repeated.query_ids, repeated.report.skipped_rows_with_few_negatives) == (["q", "r"], 1)


def test_likely_false_negatives_leave_by_their_margin_to_the_positive() -> None:
    view = views.build(*frames(ONE_QUERY), negatives=1, filters=FalseNegativeFilters(min_margin=2.0))
    assert negatives_of(view, 0) == ["b", "c"]
    assert view.report.dropped_likely_false_negatives == 1


# positives score 4 and 2, negatives 5, 3.9, 3 and -2; the median of the positives is 3
TWO_ROWS = [
    ("q", "p", 1, 4.0), ("q", "a", None, 5.0), ("q", "b", 0, 3.9), ("q", "c", None, 3.0), ("q", "d", None, -2.0),
    ("r", "p", 1, 2.0), ("r", "a", None, 5.0), ("r", "b", 0, 3.9), ("r", "c", None, 3.0), ("r", "d", None, -2.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "first", "second"),
    [
        (FalseNegativeFilters(), "abcd", "abcd"),
        (FalseNegativeFilters(max_score=3.9), "bcd", "bcd"),
        (FalseNegativeFilters(min_margin=1.0), "cd", "d"),
        (FalseNegativeFilters(max_share=0.95), "cd", "d"),
        (FalseNegativeFilters(max_percentile=50), "cd", "cd"),
        (FalseNegativeFilters(max_percentile=100), "bcd", "bcd"),
        (FalseNegativeFilters(max_score=3.9, min_margin=-1.5), "bcd", "cd"),
    ],
)
def test_each_filter_keeps_what_it_says(filters: FalseNegativeFilters, first: str, second: str) -> None:
    view = views.build(*frames(TWO_ROWS), negatives=1, filters=filters)
    assert (negatives_of(view, 0), negatives_of(view, 1)) == (list(first), list(second))
    assert view.report.dropped_likely_false_negatives == 8 - len(first + second)


def test_the_report_says_what_each_filter_alone_would_drop() -> None:
    view = views.build(*frames(TWO_ROWS), negatives=1, filters=FalseNegativeFilters(max_score=3.9, min_margin=-1.5))
    assert view.report.dropped_by_filter == {"max_score": 2, "min_margin": 2}
    assert view.report.dropped_likely_false_negatives == 3


def test_a_share_of_a_score_below_zero_is_refused() -> None:
    with pytest.raises(DataError, match="max_percentile"):
        views.build(
            *frames([*ONE_QUERY, ("q", "p2", 1, -1.0)]), negatives=1, filters=FalseNegativeFilters(max_share=0.9)
        )


def mixed() -> tuple[pl.DataFrame, pl.DataFrame]:
    """One positive, `a` from bm25, `b` from both, `c` and `d` from dense."""
    scores, _ = frames([("q", name, None, float(place)) for place, name in enumerate("pabcd")])
    rows = [("p", "bm25", 1), ("p", "dense", 1), ("a", "bm25", None), ("b", "bm25", None), ("b", "dense", None)]
    rows += [("c", "dense", None), ("d", "dense", 0)]
    table = pl.DataFrame(rows, schema=["doc_id", "source", "label"], orient="row").cast({"label": pl.Int32})
    return scores, table.with_columns(query_id=pl.lit("q"))


def test_every_negative_keeps_the_sources_that_proposed_it() -> None:
    view = views.build(*mixed(), negatives=1)
    names = [[name for bit, name in enumerate(view.sources) if int(mask) >> bit & 1] for mask in view.negative_sources]
    assert dict(zip(negatives_of(view, 0), names, strict=True)) == {
        "a": ["bm25"], "b": ["bm25", "dense"], "c": ["dense"], "d": ["dense"],
    }  # fmt: skip
    assert view.report.negatives_by_source == {"bm25": 1, "dense": 2, "bm25+dense": 1}


def test_negatives_of_chosen_sources_alone() -> None:
    view = views.build(*mixed(), negatives=1, sources=["bm25"])
    assert negatives_of(view, 0) == ["a", "b"]
    assert (view.report.dropped_of_other_sources, view.report.dropped_likely_false_negatives) == (2, 0)
    assert negatives_of(views.build(*mixed(), negatives=1, sources=["bm25", "dense"]), 0) == ["a", "b", "c", "d"]
    with pytest.raises(ConfigError, match="bm25, dense"):
        views.build(*mixed(), negatives=1, sources=["splade"])


def test_nothing_left_is_an_error_that_says_why() -> None:
    with pytest.raises(DataError, match="skipped_unlabelled_queries 1"):
        views.build(*frames([("q", "a", None, 1.0), ("q", "b", 0, 1.0)]), negatives=1)


def test_filters_that_leave_nothing_are_named_as_the_reason() -> None:
    rows = frames([("q", "a", 1, 1.0), ("q", "b", 0, 0.5)])
    with pytest.raises(DataError, match="loosen the filters"):
        views.build(*rows, negatives=1, filters=FalseNegativeFilters(max_score=0.1))


def test_twelve_thousand_queries_with_fifty_candidates_take_seconds() -> None:
    queries, depth = 12_000, 50
    generator = np.random.default_rng(0)
    query = np.repeat(np.arange(queries), depth)
    candidates = pl.DataFrame(
        {
            "query_id": query.astype(str),
            "doc_id": (generator.integers(0, 40, len(query)) + np.tile(np.arange(depth), queries) * 40).astype(str),
            "source": np.tile(["bm25", "dense"], queries * depth // 2),
            "label": np.tile([1] + [0] * (depth - 1), queries),
        }
    )
    scores = candidates.select("query_id", "doc_id", score=pl.Series(generator.normal(size=len(query))))
    started = time.process_time()
    view = views.build(scores, candidates, negatives=4)
    assert time.process_time() - started < 10
    assert view.report.rows == queries
