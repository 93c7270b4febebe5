"""Teachers that rank all documents of a query together, and how such ranks become scores of pairs."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rankdistill.progress import Progress
from rankdistill.teachers.base import ScoreKind, check_scores
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.permutations import permutation_to_scores


@dataclass(frozen=True)
class QueryList:
    """A query and the different documents to rank for it."""

    query: str
    documents: Sequence[str]


@runtime_checkable
class ListTeacher(Protocol):
    """Ranks the documents of a query by looking at several of them at once."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that a ranking depends on besides the query and its documents; JSON values."""
        ...

    @property
    def teacher_id(self) -> str:
        """Short name derived from the fingerprint."""
        ...

    def rank(
        self,
        lists: Sequence[QueryList],
        progress: Progress | None = None,
        replies: MutableMapping[bytes, str] | None = None,
    ) -> list[list[int]]:
        """A permutation for each list: places in its `documents`, the best first.

        Args:
            lists: any number of queries, each with its documents.
            replies: see `ReplyingTeacher`; None: none are known, and none are kept.
            progress: called with the number of documents done since the last call; all lists together count for all.
        """
        ...

    def estimate(self, pairs: int, queries: int, sample: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """What ranking would take, without ranking anything; see `MeteredTeacher`."""
        ...

    def spent(self) -> str:
        """What this object was asked for so far, in words."""
        ...


class RankedPairs:
    """A list teacher as a `PairTeacher`: the pairs of one call with the same query are ranked together.

    A pair's score is the negative of its rank, 0 for the best, as in runs of listwise rerankers. It means something
    only beside the other scores of its query, so a store gives it the pairs of a query in one call. The order of the
    pairs does not matter; the same document twice gets the same score.

    Args:
        teacher: ranks.
    """

    score_kind: ScoreKind = "rank"
    whole_queries = True

    def __init__(self, teacher: ListTeacher) -> None:
        self.teacher = teacher

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The list teacher's."""
        return self.teacher.fingerprint

    @property
    def teacher_id(self) -> str:
        """The list teacher's."""
        return self.teacher.teacher_id

    def estimate(self, pairs: int, queries: int, sample: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """The list teacher's."""
        return self.teacher.estimate(pairs, queries, sample)

    def spent(self) -> str:
        """The list teacher's."""
        return self.teacher.spent()

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Negative ranks, float32[n]: 0, -1, -2, ... within each query."""
        return self.score_replied(pairs, {}, progress)

    def score_replied(
        self, pairs: Sequence[tuple[str, str]], replies: MutableMapping[bytes, str], progress: Progress | None = None
    ) -> np.ndarray:
        """As `score`; see `ReplyingTeacher`."""
        queries, query_rows = distinct([query for query, _ in pairs])
        documents_of = [sorted({pairs[row][1] for row in rows}) for rows in _members(query_rows, len(queries))]
        lists = [QueryList(query, documents) for query, documents in zip(queries, documents_of, strict=True)]
        orders = self.teacher.rank(lists, progress, replies)
        scores_of = [
            dict(zip(documents, permutation_to_scores(order).tolist(), strict=True))
            for documents, order in zip(documents_of, orders, strict=True)
        ]
        if progress is not None:
            progress(len(pairs) - sum(map(len, documents_of)))
        found = [scores_of[row][document] for row, (_, document) in zip(query_rows, pairs, strict=True)]
        return check_scores(self.teacher_id, pairs, np.array(found, dtype=np.float32))


def _members(group_of: np.ndarray, groups: int) -> list[np.ndarray]:
    """The rows of each group."""
    order = np.argsort(group_of, kind="stable")
    return np.split(order, np.searchsorted(group_of[order], np.arange(1, groups))) if groups else []
