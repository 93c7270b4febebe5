"""One system's scores of one query brought to a scale that other systems share, with a score for what it left out.

A list is cut at some depth, so of a document outside it we know only that it scored no better than the last one in it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

from rankdistill.fusion.base import Ranking


class Scaled(NamedTuple):
    """Scaled scores, and the score of a document that the list does not hold."""

    scores: dict[str, float]
    missing: float


Scale = Callable[[Ranking], Scaled]


def min_max(ranking: Ranking) -> Scaled:
    """`(s - min) / (max - min)`: 1 for the best of the list, 0 for its last; a missing document gets 0 as well.

    Where all scores are equal, as in a list of one, the formula is 0 / 0 and they all get 1: found is better than not.
    """
    if not ranking:
        return Scaled({}, 0.0)
    lowest, highest = min(ranking.values()), max(ranking.values())
    if highest <= lowest:
        return Scaled(dict.fromkeys(ranking, 1.0), 0.0)
    return Scaled({doc_id: (score - lowest) / (highest - lowest) for doc_id, score in ranking.items()}, 0.0)


def z_score(ranking: Ranking) -> Scaled:
    """`(s - mean) / standard deviation` (of the list, as a population); a missing document gets the lowest of the list.

    A missing document must not get the mean, 0: it would overtake the lower half of what was found. Where all scores
    are equal they get 0 and a missing document -1.
    """
    if not ranking:
        return Scaled({}, 0.0)
    mean = statistics.fmean(ranking.values())
    deviation = statistics.pstdev(ranking.values(), mean)
    if min(ranking.values()) == max(ranking.values()) or deviation == 0:
        return Scaled(dict.fromkeys(ranking, 0.0), -1.0)
    scores = {doc_id: (score - mean) / deviation for doc_id, score in ranking.items()}
    return Scaled(scores, min(scores.values()))
