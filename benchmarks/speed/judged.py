"""Judged (query, document) pairs of a data set, and how near a back end's scores of them are to float32's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill.data import load
from rankdistill.evaluation.measures import ndcg_at_10
from rankdistill.inference.fidelity import SamplePair, compare

Score = Callable[[list[tuple[str, str]]], np.ndarray]
"""float32[n] of n (query text, document text) pairs."""


@dataclass(frozen=True)
class JudgedPairs:
    """Pairs with labels.

    Args:
        pairs: ids and labels, query after query.
        texts: (query text, document text) of each.
    """

    pairs: list[SamplePair]
    texts: list[tuple[str, str]]

    def spread(self, count: int) -> list[tuple[str, str]]:
        """The texts of at most `count` pairs at even distances: some of every query, as candidates are."""
        places = np.unique(np.linspace(0, len(self.texts) - 1, min(count, len(self.texts))).astype(int))
        return [self.texts[place] for place in places]

    def fidelity(self, exact: np.ndarray, score: Score) -> dict[str, Any]:
        """The figures of the fidelity check, with nDCG@10 over the judged documents.

        Args:
            exact: float32 scores of all pairs.
            score: the back end; it has run every shape that is timed later when this is done.
        """
        return compare(self.pairs, exact, score(self.texts), ndcg_at_10).record


def judged_pairs(data: Path, split: str, most: int, seed: int) -> JudgedPairs:
    """Up to `most` judged pairs of `split`: as many of each query, drawn at random."""
    dataset = load(data, "lenient")
    queries, contents = dataset.queries(split), dataset.contents
    generator = random.Random(seed)
    pairs = []
    for query_id, labels in sorted(dataset.qrels(split).items()):
        known = sorted(doc_id for doc_id in labels if doc_id in contents)
        drawn = generator.sample(known, min(len(known), max(1, most // len(queries))))
        pairs += [SamplePair(query_id, doc_id, labels[doc_id]) for doc_id in sorted(drawn)]
    return JudgedPairs(pairs, [(queries[pair.query_id], contents[pair.doc_id]) for pair in pairs])
