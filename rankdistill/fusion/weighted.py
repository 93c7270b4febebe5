"""Weighted sums of scaled scores."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.fusion.base import Ranking, best_first, check_finite, counting
from rankdistill.fusion.scales import Scale


def weighted_sum(rankings: Sequence[Ranking], scale: Scale, weights: Sequence[float] | None = None) -> dict[str, float]:
    """`score(d) = sum over rankings r of w_r * scaled_r(d)` for every document of any ranking; best first.

    Args:
        rankings: of one query, one a system.
        scale: of `rankdistill.fusion.scales`; it also says what a document gets from a ranking without it.
        weights: one a ranking; None: all equal. They are divided by their sum; one of 0 leaves its ranking out.

    Raises:
        ConfigError: weights that do not fit.
        DataError: a score is not finite.
    """
    rankings, weights = counting(rankings, weights)
    check_finite(rankings)
    total = sum(weights)
    fused = dict.fromkeys((doc_id for ranking in rankings for doc_id in ranking), 0.0)
    for ranking, weight in zip(rankings, weights, strict=True):
        scores, missing = scale(ranking)
        for doc_id in fused:
            fused[doc_id] += weight / total * scores.get(doc_id, missing)
    return best_first(fused)
