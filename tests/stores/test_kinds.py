"""What scores are in: what fingerprints tell, and permutations that nobody announced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankdistill.stores.kinds import are_ranks, own_names, score_kind_of, shown_kind_of


@pytest.mark.parametrize(
    ("fingerprint", "kind"),
    [
        ({"kind": "table", "score_kind": "dot"}, "dot"),
        ({"kind": "cross_encoder"}, "logit"),
        ({"kind": "table"}, "unknown"),
        ({"kind": "ensemble", "calibrate": "minmax", "score_kind": "probability"}, "calibrated"),
        ({"kind": "ensemble", "calibrate": "none", "score_kind": "logit"}, "logit"),
    ],
)
def test_the_fingerprint_tells(fingerprint: Mapping[str, Any], kind: str) -> None:
    assert score_kind_of(fingerprint) == kind


def rows(score: pl.Expr, queries: int = 8) -> pl.DataFrame:
    """Queries with 3 to 10 documents each, in an order of their own."""
    generator = np.random.default_rng(0)
    found = [
        (f"q{query}", int(rank))
        for query in range(queries)
        for rank in generator.permutation(generator.integers(3, 11)) + 1
    ]
    table = pl.DataFrame(found, schema={"query_id": pl.String, "rank": pl.Int64}, orient="row")
    return table.with_columns(noise=pl.Series(generator.normal(size=len(table)))).select(
        "query_id", score=score.cast(pl.Float32)
    )


@pytest.mark.parametrize(
    "score",
    [
        -pl.col("rank"),
        100 - pl.col("rank"),
        1 / pl.col("rank"),
        1 / (60 + pl.col("rank")),
        -pl.col("rank") * 1e-20,
        1e5 - pl.col("rank") * 1e3,
    ],
)
def test_permutations_are_told_from_their_scores(score: pl.Expr) -> None:
    assert are_ranks(rows(score))
    assert not are_ranks(rows(score, queries=4))


@pytest.mark.parametrize(
    "score",
    [
        pl.col("noise") * 1e-31,
        0.9 + pl.col("noise") * 1e-7,
        pl.lit(1.0) / 3e38 / (1 + pl.col("noise").abs()),
        pl.col("noise"),
        pl.lit(1.0),
        pl.col("noise").round(),
        -pl.col("rank") + 0.01 * pl.col("noise"),
    ],
)
def test_other_scores_are_no_ranks(score: pl.Expr) -> None:
    assert not are_ranks(rows(score))


def test_nothing_is_no_permutation() -> None:
    assert not are_ranks(rows(pl.col("noise")).clear())


def test_only_tables_are_looked_at() -> None:
    ranks = rows(-pl.col("rank"))
    assert shown_kind_of({"kind": "table"}, ranks) == "rank"
    assert shown_kind_of({"kind": "cross_encoder"}, ranks) == "logit"
    assert shown_kind_of({"kind": "ensemble", "calibrate": "rank", "score_kind": "calibrated"}, ranks) == "calibrated"


def test_the_names_of_a_teacher_and_of_its_members() -> None:
    members = {"table-1": {"name": "zephyr"}, "table-2": {}}
    assert own_names("table-1", members["table-1"]) == {"table-1", "zephyr"}
    assert own_names("both", {"members": members}) == {"both", "table-1", "zephyr", "table-2"}
