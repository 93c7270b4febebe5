"""Reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.fusion.base import Ranking, best_first, counting

CONSTANT = 60
"""The k of Cormack et al."""


def rrf(rankings: Sequence[Ranking], weights: Sequence[float] | None = None, k: float = CONSTANT) -> dict[str, float]:
    """`score(d) = sum over rankings r that hold d of w_r / (k + rank_r(d))`, ranks from 1; best first.

    Cormack, Clarke and Buettcher, SIGIR 2009, with weights (all 1 there). A ranking without d adds nothing. Only
    ranks count: the scores' units are irrelevant, and so are ties among them.

    Args:
        rankings: of one query, one a system, best first.
        weights: one a ranking; None: all 1. One of 0 leaves its ranking out.
        k: the larger, the less the first ranks stand out.

    Raises:
        ConfigError: weights that do not fit.
    """
    rankings, weights = counting(rankings, weights)
    fused: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, doc_id in enumerate(ranking, start=1):
            fused[doc_id] = fused.get(doc_id, 0.0) + weight / (k + rank)
    return best_first(fused)
