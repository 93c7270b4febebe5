"""The first look at a subject: which queries there are, and each teacher's range of scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.gate.subject import Scores, Subject

BLOCK_ROWS = 200_000
"""Rows of scores and candidates that are held at a time (a query is never split)."""

SAMPLED_QUERIES = 1000
"""Queries on which teachers are compared with each other."""

STEP = float(np.finfo(np.float32).eps) / 2
"""Share of the largest magnitude that float32 cannot divide there."""

LEAST_MARGIN = float(np.sqrt(np.finfo(np.float32).tiny))
"""A margin below it has a square that float32 takes for 0 (or for a denormal): about 1.1e-19."""


@dataclass(frozen=True)
class Range:
    """What a teacher's finite scores span; NaN where it has none.

    Args:
        rows: how many there are.
        minimum: the smallest.
        maximum: the largest.
        deviation: their standard deviation.
    """

    rows: int
    minimum: float
    maximum: float
    deviation: float

    @property
    def resolution(self) -> float:
        """Scores that lie no further apart are equal: a step of float32 at the largest of them, or no margin at all."""
        largest = max(abs(self.minimum), abs(self.maximum))
        return max(STEP * largest, LEAST_MARGIN) if np.isfinite(largest) else LEAST_MARGIN

    @property
    def usable_deviation(self) -> float:
        """The deviation; 0 where it is below the resolution."""
        return self.deviation if self.deviation > self.resolution else 0.0

    def levels(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores in whole steps of the resolution: equal where they cannot be told apart."""
        return np.round(scores / self.resolution)


@dataclass(frozen=True)
class Outline:
    """The queries of a subject, in order, and how many rows each has.

    Args:
        queries: query_id, rows (of all teachers and the candidates), sorted.
        rows: rows of all teachers and the candidates.
        ranges: teacher_id -> the span of its scores.
        first_ranks: source -> the best rank of its candidates that are no positives: above 1, where they were drawn
            from a window of ranks.
    """

    queries: pl.DataFrame
    rows: int
    ranges: dict[str, Range]
    first_ranks: dict[str, int]

    @property
    def sampled(self) -> pl.Series:
        """Up to `SAMPLED_QUERIES` query ids, evenly spaced."""
        ids = self.queries["query_id"]
        return ids.gather_every(max(1, -(-len(ids) // SAMPLED_QUERIES)))

    def spans(self, block_rows: int = BLOCK_ROWS) -> Iterator[tuple[str, str, int]]:
        """(first query, last query, rows) of pieces of about `block_rows` rows."""
        if not len(self.queries):
            return
        ids, ends = self.queries["query_id"], np.cumsum(self.queries["rows"].to_numpy())
        pieces = (ends - self.queries["rows"].to_numpy()) // block_rows
        firsts = np.flatnonzero(np.concatenate([[True], pieces[1:] != pieces[:-1]]))
        lasts = np.concatenate([firsts[1:], [len(ids)]]) - 1
        before = 0
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            yield ids[first], ids[last], int(ends[last]) - before
            before = int(ends[last])


def outline(subject: Subject) -> Outline:
    """One streamed pass over the columns query_id and score."""
    counts = [_count(subject.candidates), *(_count(teacher.rows) for teacher in subject.teachers)]
    queries = pl.concat(counts).group_by("query_id").agg(pl.col("rows").sum()).sort("query_id")
    return Outline(
        queries=queries,
        rows=int(queries["rows"].sum()),
        ranges={teacher.teacher_id: _range(teacher) for teacher in subject.teachers},
        first_ranks=_first_ranks(subject.candidates),
    )


def _count(rows: pl.LazyFrame) -> pl.DataFrame:
    return rows.group_by("query_id").agg(pl.len().cast(pl.Int64).alias("rows")).collect(engine="streaming")


def _first_ranks(candidates: pl.LazyFrame) -> dict[str, int]:
    others = candidates.filter((pl.col("label").fill_null(0) <= 0) & pl.col("rank").is_not_null())
    first = others.filter(pl.col("source").is_not_null()).group_by("source").agg(pl.col("rank").min())
    return dict(first.collect(engine="streaming").iter_rows())


def _range(teacher: Scores) -> Range:
    score = pl.col("score").cast(pl.Float64)
    found = (
        teacher.rows.filter(score.is_finite())
        .select(rows=pl.len(), minimum=score.min(), maximum=score.max(), deviation=score.std(ddof=0))
        .collect(engine="streaming")
        .row(0)
    )
    rows, *span = found
    return Range(int(rows), *(float("nan") if value is None else float(value) for value in span))
