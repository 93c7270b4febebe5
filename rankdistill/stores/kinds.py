"""What a teacher's scores are in: as its fingerprint tells, and as its scores show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

UNKNOWN = "unknown"
"""Where the fingerprint does not tell."""

RANK = "rank"
"""Places in a permutation: an order without a unit."""

CALIBRATED = "calibrated"
"""Scores of several teachers that were put on one scale; they are in no teacher's unit."""

_OF_TEACHER = {"cross_encoder": "logit"}
"""Kinds of teachers whose fingerprints need not tell."""


LOOKED_AT = 8192
"""Scores that tell whether they are ranks."""

_ENOUGH_QUERIES, _ENOUGH_DOCUMENTS = 5, 3

_STEPS = 4
"""Steps of float32 by which scores of the same rank may differ."""


def score_kind_of(fingerprint: Mapping[str, Any]) -> str:
    """One of `teachers.base.ScoreKind`, `calibrated` or `unknown`."""
    if fingerprint.get("calibrate", "none") != "none":
        return CALIBRATED
    return str(fingerprint.get("score_kind") or _OF_TEACHER.get(str(fingerprint.get("kind")), UNKNOWN))


def own_names(teacher_id: str, fingerprint: Mapping[str, Any]) -> frozenset[str]:
    """The names under which a teacher's own ranking may stand among the candidates: its id, its name, its members'."""
    found = {teacher_id, str(fingerprint.get("name") or teacher_id)}
    for member, known in fingerprint.get("members", {}).items():
        found |= own_names(member, known)
    return frozenset(found)


def shown_kind_of(fingerprint: Mapping[str, Any], first: pl.DataFrame) -> str:
    """What the fingerprint tells, but `rank` where a table came from elsewhere and its scores show it.

    Args:
        fingerprint: of the teacher.
        first: query_id, score of some of its queries.
    """
    return RANK if fingerprint.get("kind") == "table" and are_ranks(first) else score_kind_of(fingerprint)


def are_ranks(rows: pl.DataFrame) -> bool:
    """Whether scores depend on nothing but the rank within the query, as those of permutations do (-rank, 1 / rank).

    Runs often come without a word on it. How far a score lies below its query's best must be the same for each rank, to
    a few steps of float32 at the largest score, and must differ from that of every other rank by more than that: scores
    that float32 can hardly tell apart are no ranks. The last query is left out, since it may be cut off; with too few
    queries the answer is no.

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
    if below["tied"].any():
        return False
    ends = below.group_by("rank").agg(low=pl.col("below").min(), high=pl.col("below").max()).sort("rank")
    slack = _STEPS * float(np.finfo(np.float32).eps) * float(whole["score"].abs().max() or 0.0)  # type: ignore[arg-type]
    gaps = ends["low"].to_numpy()[1:] - ends["high"].to_numpy()[:-1]
    return bool((ends["high"] - ends["low"] <= slack).all()) and bool((gaps > 0).all())
