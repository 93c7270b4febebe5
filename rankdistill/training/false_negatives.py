"""Leaving out negatives that the teacher takes for relevant: labels are sparse, so some unjudged documents are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from rankdistill.errors import DataError


@dataclass(frozen=True)
class FalseNegativeFilters:
    """A negative must pass every filter that is set (NV-Retriever, arXiv 2407.15831, compares the first three).

    Args:
        max_score: absolute: `t <= max_score`, in the teacher's unit.
        min_margin: relative by difference: `t+ - t >= min_margin`, in the teacher's unit.
        max_share: relative by ratio: `t <= max_share * t+`; only where every positive scores above 0.
        max_percentile: `t <=` this percentile (0 to 100) of the scores of all positives, whatever the unit.
    """

    max_score: float | None = None
    min_margin: float | None = None
    max_share: float | None = None
    max_percentile: float | None = None

    @property
    def of_all_positives(self) -> bool:
        """Whether what passes depends on the scores of all positives."""
        return self.max_share is not None or self.max_percentile is not None

    def conditions(self, positive_scores: pl.Series) -> Mapping[str, pl.Expr]:
        """Filter -> which rows of (score, positive_score) pass it.

        Args:
            positive_scores: the teacher's scores of all positives, which the percentile is of.

        Raises:
            DataError: `max_share` with a positive that does not score above 0: the share of a negative number is above
                it, so the filter would keep what it should drop.
        """
        score, positive = pl.col("score"), pl.col("positive_score")
        found: dict[str, pl.Expr] = {}
        if self.max_score is not None:
            found["max_score"] = score <= self.max_score
        if self.min_margin is not None:
            found["min_margin"] = positive - score >= self.min_margin
        if self.max_share is not None:
            _require_above_zero(positive_scores)
            found["max_share"] = score <= self.max_share * positive
        if self.max_percentile is not None and len(positive_scores):
            threshold = positive_scores.quantile(self.max_percentile / 100, "linear")
            found["max_percentile"] = score <= threshold
        return found

    def apply(self, table: pl.DataFrame, positive_scores: pl.Series) -> tuple[pl.DataFrame, dict[str, int]]:
        """The rows of `table` (score, positive_score) that pass, and how many each filter alone would drop.

        Raises:
            DataError: see `conditions`.
        """
        conditions = self.conditions(positive_scores)
        if not conditions:
            return table, {}
        dropped = table.select(**{name: (~passes).sum() for name, passes in conditions.items()}).row(0, named=True)
        return table.filter(*conditions.values()), {name: int(count) for name, count in dropped.items()}


NO_FILTER = FalseNegativeFilters()
"""Keeps every negative."""


def _require_above_zero(positive_scores: pl.Series) -> None:
    lowest = positive_scores.min()
    if isinstance(lowest, float) and lowest <= 0:
        raise DataError(
            expected="positives that score above 0, for negatives that must score below a share of that",
            got=f"a positive with the teacher score {lowest:.4g}",
            consequence="nothing was trained: of a logit there are no shares",
            remedy="filter by min_margin or max_percentile, which any unit allows",
        )
