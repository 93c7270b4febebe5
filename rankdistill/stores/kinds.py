"""What a teacher's scores are in: as its fingerprint tells, and as its scores show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

UNKNOWN = "unknown"
"""Where the fingerprint does not tell."""

CALIBRATED = "calibrated"
"""Scores of several teachers that were put on one scale; they are in no teacher's unit."""

_OF_TEACHER = {"cross_encoder": "logit"}
"""Kinds of teachers whose fingerprints need not tell."""


LOOKED_AT = 8192
"""Scores that tell whether they are ranks."""

_ENOUGH_QUERIES, _ENOUGH_DOCUMENTS = 5, 3


def score_kind_of(fingerprint: Mapping[str, Any]) -> str:
    """One of `teachers.base.ScoreKind`, `calibrated` or `unknown`."""
    if fingerprint.get("calibrate", "none") != "none":
        return CALIBRATED
    return str(fingerprint.get("score_kind") or _OF_TEACHER.get(str(fingerprint.get("kind")), UNKNOWN))


def are_ranks(rows: pl.DataFrame) -> bool:
    """Whether scores depend on nothing but the rank within the query, as those of permutations do (-rank, 1 / rank).

    Runs often come without a word on it. The last query is left out, since it may be cut off; with too few queries the
    answer is no.

    Args:
        rows: query_id, score of some queries.
    """
    if rows.is_empty():
        return False
    size, score = pl.len().over("query_id"), pl.col("score").cast(pl.Float64)
    whole = rows.filter((pl.col("query_id") != rows["query_id"][-1]) & (size >= _ENOUGH_DOCUMENTS))
    if whole["query_id"].n_unique() < _ENOUGH_QUERIES:
        return False
    below = whole.select(
        below=score.max().over("query_id") - score,
        rank=score.rank("ordinal", descending=True).over("query_id"),
        tied=pl.struct("query_id", "score").is_duplicated(),
    )
    apart = below.group_by("rank").agg(apart=pl.col("below").max() - pl.col("below").min())
    return not below["tied"].any() and float(apart["apart"].max() or 0.0) <= 1e-6  # type: ignore[arg-type]
