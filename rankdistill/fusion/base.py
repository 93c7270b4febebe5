"""What is fused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rankdistill.errors import ConfigError, DataError

Ranking = Mapping[str, float]
"""doc_id -> score of one query, best first: a document's rank is its place. Two systems need no common unit."""


def best_first(scores: Mapping[str, float]) -> dict[str, float]:
    """`scores` by falling score; equal ones keep the order that they came in."""
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))


def check_weights(weights: Sequence[float], systems: int) -> None:
    """Raise ConfigError unless there is one weight of at least 0 a system, with a finite sum above 0."""
    fit = len(weights) == systems and all(one >= 0 for one in weights) and math.isfinite(sum(weights))
    if not fit or not any(weights):
        raise ConfigError(
            expected=f"{systems} weights of at least 0, one for each system, not all of them 0 and with a finite sum",
            got=", ".join(f"{one:g}" for one in weights) or "none",
            consequence="nothing was fused",
            remedy="give as many weights as systems, in their order",
        )


def counting(rankings: Sequence[Ranking], weights: Sequence[float] | None) -> tuple[Sequence[Ranking], Sequence[float]]:
    """The rankings that count, and their weights: all 1 unless given. A weight of 0 leaves a ranking out altogether.

    Raises:
        ConfigError: weights that do not fit.
    """
    if weights is None:
        return rankings, [1.0] * len(rankings)
    check_weights(weights, len(rankings))
    kept = [(ranking, weight) for ranking, weight in zip(rankings, weights, strict=True) if weight > 0]
    return [ranking for ranking, _ in kept], [weight for _, weight in kept]


def check_finite(rankings: Sequence[Ranking]) -> None:
    """Raise DataError if a score is NaN or infinite: after scaling, every score of that query would be."""
    for ranking in rankings:
        for doc_id, score in ranking.items():
            if not math.isfinite(score):
                raise DataError(
                    expected="finite scores",
                    got=f"{score} for document {doc_id!r}",
                    consequence="nothing was fused: it would spoil the scale of its whole query",
                    remedy="check the run, or fuse by ranks with the method rrf",
                )
