"""Going through a large table query by query without holding it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

RANGE_ROWS = 400_000
"""Rows of a range; a range holds whole queries, so one query more may come on top."""


def query_ranges(table: pl.LazyFrame, range_rows: int = RANGE_ROWS) -> Iterator[pl.Expr]:
    """Conditions on query_id that cut `table` into ranges of whole queries, in the order of their ids."""
    counts = table.group_by("query_id").len().collect(engine="streaming").sort("query_id")
    numbers = (counts["len"].cum_sum() - 1) // range_rows
    lows = counts.group_by(numbers.alias("number")).agg(pl.col("query_id").min().alias("low")).sort("low")["low"]
    for low, high in zip(lows, [*lows[1:], None], strict=True):
        inside = pl.col("query_id") >= pl.lit(low)
        yield inside if high is None else inside & (pl.col("query_id") < pl.lit(high))
