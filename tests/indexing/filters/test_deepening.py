"""What cannot filter is asked for more, until enough of it is allowed or there is no more."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.indexing.base import NOTHING, Scores
from rankdistill.indexing.deepening import deepened, deepened_ids
from rankdistill.indexing.documents import named
from rankdistill.indexing.topk import Positions, top_k

COUNT, K = 500, 7


class Ranked:
    """Rankings of documents, of which those with a score of 0 are not found."""

    def __init__(self, matching: float) -> None:
        draw = np.random.default_rng(0)
        self.scores = draw.random((9, COUNT)).astype(np.float32)
        self.scores[draw.random((9, COUNT)) >= matching] = 0
        self.asked: list[int] = []

    def find(self, depth: int) -> tuple[Positions, Scores]:
        self.asked.append(depth)
        places = top_k(self.scores, depth)
        best = np.take_along_axis(self.scores, places, axis=1)
        return np.where(best > 0, places, -1), np.where(best > 0, best, -np.inf).astype(np.float32)


@pytest.mark.parametrize("matching", [1.0, 0.3, 0.01])
@pytest.mark.parametrize("share", [0.0, 0.004, 0.1, 0.9, 1.0])
def test_the_best_allowed_are_found(matching: float, share: float) -> None:
    ranked = Ranked(matching)
    allowed = np.random.default_rng(1).random(COUNT) < share
    found, scores = deepened(ranked.find, allowed, K)
    expected = np.where(allowed & (ranked.scores > 0), ranked.scores, -np.inf)
    for row in range(9):
        places = [place for place in top_k(expected, K)[row].tolist() if np.isfinite(expected[row, place])]
        assert found[row].tolist() == places + [-1] * (K - len(places))
        assert scores[row, : len(places)].tolist() == expected[row, places].tolist()
        assert np.isneginf(scores[row, len(places) :]).all()


def test_documents_that_lie_far_down_are_asked_for_in_few_steps() -> None:
    ranked = Ranked(1.0)
    allowed = np.zeros(COUNT, np.bool_)
    allowed[np.argsort(ranked.scores[0])[:K]] = True  # the worst of the first query
    assert (deepened(ranked.find, allowed, K)[0] >= 0).all()
    assert ranked.asked[-1] == COUNT
    assert len(ranked.asked) <= 3
    assert ranked.asked[0] >= K


def test_documents_are_told_by_their_ids_too() -> None:
    ranked, ids = Ranked(0.5), [f"d{place}" for place in range(COUNT)]
    allowed = np.arange(COUNT) % 10 == 3

    def search(depth: int) -> tuple[np.ndarray, Scores]:
        places, scores = ranked.find(depth)
        return named(places, ids), scores

    found, scores = deepened_ids(search, ids, allowed, K)
    places, theirs = deepened(ranked.find, allowed, K)
    assert (found == named(places, ids)).all()
    assert (scores == theirs).all()
    assert all(name == NOTHING or int(name[1:]) % 10 == 3 for name in found.ravel())
