"""Calibrations: what makes the scores of different teachers comparable before they are averaged.

Each is a pure function of polars expressions, applied to one teacher's scores over the pairs that this teacher has,
before any join. A query whose scores are all equal (or that has one document) tells nothing about order: from those
that look at one query it gets the neutral value named below, never NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from rankdistill.errors import ConfigError

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack et al. 2009, 10.1145/1571941.1572114)."""

CLIP = (0.01, 0.99)
"""The shares of a teacher's scores whose quantiles `percentile` clips to (CADET, arXiv 2505.19274)."""

MIDDLE = 0.5
"""What a calibration to 0..1 gives where all scores are equal."""

Scope = Literal["none", "query", "store"]
"""Over what a calibration wants the mean and deviation of the reference teacher."""


@dataclass(frozen=True)
class Moments:
    """Mean and population standard deviation, as expressions: columns (per query) or literals (over the store)."""

    mean: pl.Expr
    deviation: pl.Expr


STANDARD = Moments(pl.lit(0.0), pl.lit(1.0))

Bounds = tuple[float, float]
"""The quantiles `CLIP` of all scores of a teacher in the store, in its unit."""


@dataclass(frozen=True)
class Context:
    """What a calibration may look at besides the score.

    Args:
        query: which rows belong together.
        reference: the reference teacher's moments, over the query or the store.
        own: the teacher's own moments over the store.
        bounds: the teacher's, where the calibration is over them.
    """

    query: pl.Expr
    reference: Moments = STANDARD
    own: Moments = STANDARD
    bounds: Bounds = (0.0, 0.0)


Function = Callable[[pl.Expr, Context], pl.Expr]


def keep(score: pl.Expr, context: Context) -> pl.Expr:
    """The raw score."""
    return score


def to_reference(score: pl.Expr, context: Context) -> pl.Expr:
    """`(s - mean_q) / deviation_q * deviation_ref + mean_ref`; `mean_ref` where all scores of a query are equal."""
    mean, deviation = score.mean().over(context.query), score.std(ddof=0).over(context.query)
    standard = pl.when(_spread(score, context) > 0).then((score - mean) / deviation).otherwise(0.0)
    return standard * context.reference.deviation + context.reference.mean


def to_reference_in_store(score: pl.Expr, context: Context) -> pl.Expr:
    """`(s - mean) / deviation * deviation_ref + mean_ref` with moments over all pairs of each teacher."""
    standard = pl.when(context.own.deviation > 0).then((score - context.own.mean) / context.own.deviation)
    return standard.otherwise(0.0) * context.reference.deviation + context.reference.mean


def minmax(score: pl.Expr, context: Context) -> pl.Expr:
    """`(s - min_q) / (max_q - min_q)`: 0 to 1; 0.5 where all scores of a query are equal."""
    spread = _spread(score, context)
    return pl.when(spread > 0).then((score - score.min().over(context.query)) / spread).otherwise(MIDDLE)


def percentile(score: pl.Expr, context: Context) -> pl.Expr:
    """`(clip(s) - low) / (high - low)`, low and high the 1st and 99th percentile of all scores of the teacher: 0 to 1.

    So queries keep what they differ in, as in CADET; 0.5 where both percentiles are equal.
    """
    low, high = context.bounds
    return pl.when(pl.lit(high > low)).then((score.clip(low, high) - low) / (high - low)).otherwise(MIDDLE)


def rank(score: pl.Expr, context: Context) -> pl.Expr:
    """The share of the query's other documents that score lower, equal ones counted half: 0 to 1; 0.5 if alone."""
    others = pl.len().over(context.query) - 1
    lower = score.rank("average").over(context.query) - 1
    return pl.when(others > 0).then(lower / others).otherwise(MIDDLE)


def rrf(score: pl.Expr, context: Context) -> pl.Expr:
    """`1 / (60 + rank)`, rank 1 the best, equal scores sharing their mean rank."""
    return 1.0 / (RRF_K + score.rank("average", descending=True).over(context.query))


@dataclass(frozen=True)
class Calibration:
    """A calibration and what its outcome is.

    Args:
        apply: (score in float64, context) -> calibrated score.
        unit: the outcome's unit, for people.
        reference: over what the reference teacher's moments are taken; `none`: it needs no reference.
        bounded: whether it looks at the teacher's percentiles over the store.
    """

    apply: Function
    unit: str
    reference: Scope = "none"
    bounded: bool = False


CALIBRATIONS: Mapping[str, Calibration] = {
    "none": Calibration(keep, "the teachers' own unit"),
    "zscore": Calibration(to_reference, "standard deviations of the teacher's scores of the query"),
    "minmax": Calibration(minmax, "share of the teacher's range of scores of the query"),
    "percentile": Calibration(percentile, "share of the range between two percentiles of the teacher", bounded=True),
    "rank": Calibration(rank, "share of the query's documents that score lower"),
    "rrf": Calibration(rrf, "reciprocal rank"),
    "affine": Calibration(to_reference, "the reference teacher's unit", "query"),
    "affine-store": Calibration(to_reference_in_store, "the reference teacher's unit", "store"),
}
"""Name -> calibration. To add one: a function above and a line here."""


def named(name: str) -> Calibration:
    """The calibration of that name; raises ConfigError if there is none."""
    if name not in CALIBRATIONS:
        raise ConfigError(
            expected=f"a calibration: {', '.join(CALIBRATIONS)}",
            got=repr(name),
            consequence="nothing was read",
            remedy="choose one of them",
        )
    return CALIBRATIONS[name]


def _spread(score: pl.Expr, context: Context) -> pl.Expr:
    """Range of a query's scores: exactly 0 where they are equal, which a deviation is not always."""
    return score.max().over(context.query) - score.min().over(context.query)
