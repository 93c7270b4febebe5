"""Filtered search for what cannot filter by itself: it is asked for more until enough of that is allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from rankdistill.indexing.base import Allowed, Ids, Scores
from rankdistill.indexing.documents import named
from rankdistill.indexing.topk import Positions

MARGIN = 1.5
"""How much more is asked for than would do if what is allowed lay evenly."""

AGAIN = 4
"""By how much the depth grows where that was too little."""


def deepened(find: Callable[[int], tuple[Positions, Scores]], allowed: Allowed, width: int) -> tuple[Positions, Scores]:
    """The best `width` allowed documents for each query, `[queries, width]`; -1 and minus infinity end shorter rows.

    As exact as `find` is: in the worst case it is asked for all documents.

    Args:
        find: depth -> positions of the best so many documents, best first, negative where there are no more; and their
            scores.
        allowed: bool `[documents]`.
        width: columns of the result.
    """
    documents, count = len(allowed), int(allowed.sum())
    wanted = min(width, count)
    depth = min(documents, ceil(MARGIN * wanted * documents / max(1, count)) + 10)
    while True:
        positions, scores = find(depth)
        fits = (positions >= 0) & allowed[np.maximum(positions, 0)]
        ended = (positions < 0).any(axis=1) | (positions.shape[1] < depth)
        if depth >= documents or (ended | (fits.sum(axis=1) >= wanted)).all():
            return _first(positions, scores, fits, width)
        depth = min(documents, depth * AGAIN)


def deepened_ids(
    search: Callable[[int], tuple[Ids, Scores]], ids: Sequence[str], allowed: Allowed, k: int
) -> tuple[Ids, Scores]:
    """As `deepened`, for a search that names documents by their ids."""
    place_of = {doc_id: place for place, doc_id in enumerate(ids)}

    def find(depth: int) -> tuple[Positions, Scores]:
        found, scores = search(depth)
        places = [place_of.get(doc_id, -1) for doc_id in found.ravel().tolist()]
        return np.array(places, np.int64).reshape(found.shape), scores

    positions, scores = deepened(find, allowed, min(k, len(ids)))
    return named(positions, ids), scores


def _first(positions: Positions, scores: Scores, fits: Allowed, width: int) -> tuple[Positions, Scores]:
    """The first `width` of each row that fit."""
    found = np.full((len(positions), width), -1, np.int64)
    best = np.full((len(positions), width), -np.inf, np.float32)
    for row, kept in enumerate(fits):
        places = np.flatnonzero(kept)[:width]
        found[row, : len(places)], best[row, : len(places)] = positions[row, places], scores[row, places]
    return found, best
