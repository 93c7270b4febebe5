"""Joining the calibrated scores of several teachers, what to do where one is missing, and their weighted mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from rankdistill.errors import ConfigError, StoreError

PAIR = ["query_id", "doc_id"]

Policy = Literal["error", "intersect", "impute"]
"""What to do with a pair that some teachers scored and others did not.

`error`: stop. `intersect`: drop the pair. `impute`: take the teacher's lowest calibrated score of that query, the
reading of "not among what it retrieved"; a teacher without any score of the query has no say in that query's means.
"""

POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True)
class Coverage:
    """What was there, and what became of what was not.

    Args:
        wanted: pairs that at least one teacher scored.
        missing: teacher_id -> how many of those it did not score.
        dropped: pairs left out (`intersect`).
        imputed: scores put in (`impute`), counted over teachers.
        absent: teacher_id -> how many queries it has no score of (`impute`: it has no say there).
    """

    wanted: int
    missing: Mapping[str, int]
    dropped: int
    imputed: int
    absent: Mapping[str, int]

    @classmethod
    def nothing(cls, teacher_ids: Sequence[str]) -> Coverage:
        """The coverage of no pair."""
        return cls(0, dict.fromkeys(teacher_ids, 0), 0, 0, dict.fromkeys(teacher_ids, 0))

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            self.wanted + other.wanted,
            {name: count + other.missing[name] for name, count in self.missing.items()},
            self.dropped + other.dropped,
            self.imputed + other.imputed,
            {name: count + other.absent[name] for name, count in self.absent.items()},
        )

    def to_json(self) -> dict[str, Any]:
        """The fields; `Coverage(**fields)` makes it again."""
        return asdict(self)


def join(
    members: Mapping[str, pl.DataFrame], policy: Policy, names: Mapping[str, str] | None = None
) -> tuple[pl.DataFrame, Coverage]:
    """One row a pair with a column a teacher, named by its id; sorted by query_id, doc_id.

    A score is null only where `impute` finds no score of that teacher for the whole query.

    Args:
        members: teacher_id -> query_id, doc_id, score (calibrated; null counts as missing), sorted, pairs unique.
        policy: what to do with pairs that not every teacher scored.
        names: teacher_id -> what the message calls it.

    Raises:
        StoreError: the policy is `error` and a score is missing.
    """
    table = _aligned(members)
    counts = table.select(pl.col(name).null_count() for name in members).row(0, named=True)
    complete = Coverage(table.height, counts, 0, 0, dict.fromkeys(members, 0))
    lacking = [name for name, count in counts.items() if count]
    if not lacking:
        return table, complete
    if policy == "error":
        raise _missing(table, {(names or {}).get(name, name): counts[name] for name in lacking}, lacking[0])
    if policy == "intersect":
        kept = table.drop_nulls(list(members))
        return kept, Coverage(table.height, counts, table.height - kept.height, 0, complete.absent)
    lowest = [pl.col(name).fill_null(pl.col(name).min().over("query_id")) for name in lacking]
    filled = table.with_columns(lowest)
    left = filled.select(pl.col(name).null_count() for name in members).row(0, named=True)
    absent = {name: filled.filter(pl.col(name).is_null())["query_id"].n_unique() for name in members}
    imputed = sum(counts.values()) - sum(left.values())
    return filled, Coverage(table.height, counts, 0, imputed, absent)


def weighted_mean(table: pl.DataFrame, weights: Mapping[str, float]) -> pl.DataFrame:
    """query_id, doc_id, score (float64): `sum_t w_t s_t / sum_t w_t` over the teachers with a score in the row.

    Args:
        table: as `join` gives it.
        weights: teacher_id -> weight, 0 or more.

    Raises:
        StoreError: a row has no score of a teacher with weight.
    """
    total = pl.sum_horizontal(pl.col(name) * weight for name, weight in weights.items())
    present = pl.sum_horizontal(pl.col(name).is_not_null() * weight for name, weight in weights.items())
    mean = table.select(*PAIR, score=total / present)
    if not mean["score"].is_finite().all():
        query_id, doc_id, _ = mean.filter(~pl.col("score").is_finite()).row(0)
        raise StoreError(
            expected="for every query a score of a teacher whose weight is above 0",
            got=f"none for query {query_id!r}, document {doc_id!r}",
            consequence="nothing was combined",
            remedy="use the policy intersect, or leave out the teacher that alone has this query",
        )
    return mean


Combine = Literal["mean", "best"]
"""How the teachers become one.

`mean`: the weighted mean. `best`: of each query the scores of the teacher that ranks a labelled positive highest, as
several rewrites of one question are chosen from; of equal ones the first, and the mean where no label tells.
"""

COMBINE: tuple[Combine, ...] = get_args(Combine)


def check_combine(name: str) -> Combine:
    """`name`, if it is a way to combine teachers; raises ConfigError otherwise."""
    for one in COMBINE:
        if one == name:
            return one
    raise ConfigError(
        expected=f"a way to combine teachers: {', '.join(COMBINE)}",
        got=repr(name),
        consequence="nothing was read",
        remedy="choose one of them",
    )


def best_of(table: pl.DataFrame, mean: pl.DataFrame, positives: pl.DataFrame) -> pl.DataFrame:
    """query_id, doc_id, score (float64) of each query's best teacher; see `Combine`.

    A positive's rank is 1 + the documents that the teacher puts above it.

    Args:
        table: as `join` gives it.
        mean: as `weighted_mean` gives it, of the same rows; read where no label tells.
        positives: query_id, doc_id of labelled positives.
    """
    names = [name for name in table.columns if name not in PAIR]
    ranks = [pl.col(name).rank("min", descending=True).over("query_id") for name in names]
    ranked = table.select(*PAIR, *ranks).join(positives.unique(PAIR), on=PAIR, how="semi")
    best = ranked.group_by("query_id").agg(pl.col(name).min() for name in names)
    lowest = pl.min_horizontal(names)
    chosen = pl.coalesce(pl.when(pl.col(name) == lowest).then(pl.lit(name)) for name in names)
    whose = best.select("query_id", chosen=chosen)
    rows = table.join(whose, on="query_id", how="left", maintain_order="left").hstack([mean["score"].alias("_mean")])
    picked = pl.coalesce(*(pl.when(pl.col("chosen") == name).then(pl.col(name)) for name in names), pl.col("_mean"))
    return rows.select(*PAIR, score=picked)


def scaled(weights: Sequence[float] | None, count: int) -> list[float]:
    """`count` weights that sum to 1, equal ones for None; raises ConfigError if one is negative or all are 0."""
    given = [1.0] * count if weights is None else [float(weight) for weight in weights]
    if len(given) != count or not all(math.isfinite(one) and one >= 0 for one in given) or not sum(given) > 0:
        raise ConfigError(
            expected=f"{count} weights, 0 or more and not all 0",
            got=str(given),
            consequence="nothing was read",
            remedy="give one weight a teacher, in the order of the teachers",
        )
    return [one / sum(given) for one in given]


def check_policy(name: str) -> Policy:
    """`name`, if it is a policy; raises ConfigError otherwise."""
    for policy in POLICIES:
        if policy == name:
            return policy
    raise ConfigError(
        expected=f"a policy for missing scores: {', '.join(POLICIES)}",
        got=repr(name),
        consequence="nothing was read",
        remedy="choose one of them",
    )


def _aligned(members: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The full join; teachers of the very same pairs, as is usual, are only laid side by side.

    The frames are sorted, so a stable sort of all their rows only merges them, which costs a fraction of a hash join.
    """
    names, frames = list(members), list(members.values())
    if all(_same_pairs(frames[0], other) for other in frames[1:]):
        return frames[0].select(PAIR).hstack([frame["score"].alias(name) for name, frame in members.items()])
    numbered = [frame.with_columns(member=pl.lit(number, pl.Int32)) for number, frame in enumerate(frames)]
    rows = pl.concat(numbered).sort(PAIR, maintain_order=True)
    is_first = rows.select(pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in PAIR).fill_null(True))
    first = is_first.to_series()
    scores = np.full((len(frames), int(first.sum())), np.nan)
    scores[rows["member"].to_numpy(), np.cumsum(first.to_numpy()) - 1] = rows["score"].to_numpy()
    columns = [pl.Series(name, one, nan_to_null=True) for name, one in zip(names, scores, strict=True)]
    return rows.select(PAIR).filter(first).hstack(columns)


def _same_pairs(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.height == other.height and all(bool((one[name] == other[name]).all()) for name in PAIR)


def _missing(table: pl.DataFrame, counts: Mapping[str, int], name: str) -> StoreError:
    query_id, doc_id = table.filter(pl.col(name).is_null()).select(PAIR).row(0)
    shown = ", ".join(f"{teacher} lacks {count:,}" for teacher, count in counts.items())
    return StoreError(
        expected="a score of every teacher for every pair that one of them scored",
        got=f"of the first {table.height:,} pairs {shown}; first query {query_id!r}, document {doc_id!r}",
        consequence="nothing was combined: means over different teachers cannot be compared",
        remedy="score the missing pairs, or choose intersect (drop such pairs) or impute (each teacher's minimum)",
    )
