"""A fake system under evaluation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rankdistill.data import Dataset
from rankdistill.evaluation.measures import Run


class FakeRetriever:
    """Scores every document at random, by a seed."""

    def __init__(
        self, dataset: Dataset, seed: int = 0, name: str = "fake", silent: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.fingerprint = {"seed": seed, "silent": sorted(silent)}
        self.calls: list[tuple[list[str], int]] = []
        self._dataset, self._seed, self._silent = dataset, seed, silent

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        self.calls.append((list(queries), k))
        run = {}
        for query_id in queries:
            rng = np.random.default_rng([self._seed, *query_id.encode()])
            scores = rng.integers(0, 9, len(self._dataset.doc_ids)) / 8  # many ties
            best = np.argsort(-scores, kind="stable")[: 0 if query_id in self._silent else k]
            run[query_id] = {self._dataset.doc_ids[doc]: float(scores[doc]) for doc in best}
        return run
