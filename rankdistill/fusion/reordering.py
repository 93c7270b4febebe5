"""A ranking whose best documents a second system scored anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from rankdistill.fusion.base import best_first


def reordered(ids: Sequence[str], scores: Mapping[str, float]) -> dict[str, float]:
    """`ids` by the scores of a second system; those without one follow in their order.

    Their scores are smaller than the smallest by 1, 2, ...; those that the second system looked at and has no score for
    (minus infinity) come last of all. Equal scores keep the order of `ids`.

    Args:
        ids: of the first system, best first.
        scores: of some of them.
    """
    found = {doc_id: scores[doc_id] for doc_id in ids if scores.get(doc_id, -inf) != -inf}
    below = [*(doc_id for doc_id in ids if doc_id not in scores), *_without_score(ids, scores)]
    lowest = min(found.values(), default=0.0)
    return best_first(found | {doc_id: lowest - rank for rank, doc_id in enumerate(below, start=1)})


def _without_score(ids: Sequence[str], scores: Mapping[str, float]) -> Iterable[str]:
    return (doc_id for doc_id in ids if scores.get(doc_id) == -inf)
