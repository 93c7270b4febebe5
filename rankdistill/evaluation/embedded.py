"""Queries and documents as vectors: what the measurements of a space need, however the vectors were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from rankdistill.errors import DataError, SpaceMismatchError
from rankdistill.evaluation.measures import Qrels, Run, ndcg_at_10
from rankdistill.indexing.base import NOTHING, Ids, Scores, Vectors
from rankdistill.indexing.vectors import normalised

_CHECKED_AT_ONCE = 8192


@dataclass(frozen=True)
class Embedded:
    """Texts of one side by one model.

    Args:
        ids: of the texts.
        vectors: float32 `[len(ids), dimension]`, in the order of `ids`.

    Raises:
        DataError: another number of vectors than of ids, or a vector that is not finite.
    """

    ids: Sequence[str]
    vectors: Vectors

    def __post_init__(self) -> None:
        endless = sum(
            np.count_nonzero(~np.isfinite(self.vectors[start : start + _CHECKED_AT_ONCE]))
            for start in range(0, len(self.vectors), _CHECKED_AT_ONCE)
        )
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.ids) or endless:
            raise DataError(
                expected=f"finite vectors of {len(self.ids)} texts, [{len(self.ids)}, dimension]",
                got=f"shape {list(self.vectors.shape)}, {endless} not finite",
                consequence="nothing was measured",
                remedy="check the model that made them",
            )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def normalised(self) -> Embedded:
        """The same at unit length."""
        return Embedded(self.ids, normalised(self.vectors))


@dataclass(frozen=True)
class Pairing:
    """Query vectors that search document vectors of the same space.

    Args:
        name: what tables call it.
        queries: by one model.
        documents: by the same model, or by another one of that space.

    Raises:
        SpaceMismatchError: the two have vectors of different length.
    """

    name: str
    queries: Embedded
    documents: Embedded

    def __post_init__(self) -> None:
        if self.queries.dimension != self.documents.dimension:
            raise SpaceMismatchError(
                expected=f"query vectors of the documents' dimension, {self.documents.dimension}",
                got=f"{self.queries.dimension} in {self.name}",
                consequence="nothing was measured: the two cannot be compared",
                remedy="give a query model that was trained to embed into the document model's space",
            )

    def normalised(self) -> Pairing:
        """The same with both sides at unit length."""
        return Pairing(self.name, self.queries.normalised(), self.documents.normalised())

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.queries.dimension


def run_of(query_ids: Sequence[str], found: Ids, scores: Scores, own: Set[str] = frozenset()) -> Run:
    """The run of a search: `found` and `scores` are `[queries, k]`.

    For the queries of `own` the document of their own id is left out.
    """
    rows: Mapping[str, tuple[np.ndarray, np.ndarray]] = dict(
        zip(query_ids, zip(found, scores, strict=True), strict=True)
    )
    return {
        query_id: {
            doc_id: float(score)
            for doc_id, score in zip(*row, strict=True)
            if doc_id != NOTHING and not (doc_id == query_id and query_id in own)
        }
        for query_id, row in rows.items()
    }


@dataclass(frozen=True)
class Judged:
    """What rankings of some queries are measured against.

    Args:
        qrels: query_id -> doc_id -> label.
        own: queries of which the document of the same id is left out.
    """

    qrels: Qrels
    own: Set[str] = frozenset()

    def depth(self, wanted: int) -> int:
        """How many documents must be searched for so that `wanted` are left of each query."""
        return wanted if self.own.isdisjoint(self.qrels) else wanted + 1

    def ndcg_at_10(self, query_ids: Sequence[str], found: Ids, scores: Scores) -> float:
        """Mean nDCG@10 of a search of `depth(10)` documents; arguments as of `run_of`."""
        return ndcg_at_10(run_of(query_ids, found, scores, self.own), self.qrels)
