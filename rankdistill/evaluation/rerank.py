"""A teacher re-ranking another system, as a system under evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from logging import getLogger
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation.measures import Run
from rankdistill.evaluation.retrieve import Retriever, answer
from rankdistill.fusion.reordering import reordered
from rankdistill.progress import Progress

logger = getLogger(__name__)


class PairScorer(Protocol):
    """What re-ranking needs of a teacher."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that decides the scores."""
        ...

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> NDArray[np.float32]:
        """float32 `[n]` for (query text, document text) pairs."""
        ...


@runtime_checkable
class SelectiveScorer(PairScorer, Protocol):
    """One that has no score for some pairs, such as those of a document without a token that it reads."""

    def score_or_leave(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> NDArray[np.float32]:
        """As `score`; minus infinity where there is no score."""
        ...


class Reranker:
    """A teacher ordering the best documents of another system anew.

    The documents below `depth` follow in the first system's order, so that recall at greater depths stays what the
    first system gives.

    Args:
        dataset: the documents' texts.
        first: the system whose documents are re-ranked.
        teacher: scores pairs.
        name: what tables call it.
        depth: how many documents a query the teacher scores.
        progress: called with the number of pairs just scored.
    """

    def __init__(
        self,
        dataset: Dataset,
        first: Retriever,
        teacher: PairScorer,
        name: str,
        depth: int = 100,
        progress: Progress = lambda done: None,
    ) -> None:
        self.name = name
        self._dataset, self._first, self._teacher, self._depth = dataset, first, teacher, depth
        self._progress = progress

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The first system's, the teacher's, and the depth."""
        return {
            "first": dict(self._first.fingerprint),
            "teacher": dict(self._teacher.fingerprint),
            "depth": self._depth,
        }

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """Scores are the teacher's; below `depth`, smaller than the query's smallest by 1, 2, ..."""
        first = answer(self._first, self._dataset, queries, max(k, self._depth))
        run = rerank(first, queries, self._dataset.contents, self._teacher, self._depth, self._progress)
        return {query_id: _best(found, k) for query_id, found in run.items()}


def rerank(
    found: Run,
    queries: Mapping[str, str],
    contents: Mapping[str, str],
    scorer: PairScorer,
    depth: int = 100,
    progress: Progress = lambda done: None,
) -> Run:
    """Score the best `depth` documents of each query anew; the rest follow in their order.

    Documents that the scorer has no score for come last, as if they were not found, and a warning is logged.

    Args:
        found: query id -> document id -> score, of a first stage.
        queries: query id -> text.
        contents: document id -> text.
        scorer: scores pairs: a teacher or a student of any kind, as `rankdistill.teachers.load` opens them.
        depth: documents a query that are scored.
        progress: called with the number of pairs just scored.

    Returns:
        The same documents; those without a new score have scores smaller than the query's smallest by 1, 2, ...

    Raises:
        DataError: a query or a document of the first stage has no text.
    """
    order = {query_id: sorted(scores, key=scores.__getitem__, reverse=True) for query_id, scores in found.items()}
    pairs = [(query_id, doc_id) for query_id, ids in order.items() for doc_id in ids[:depth]]
    score = scorer.score_or_leave if isinstance(scorer, SelectiveScorer) else scorer.score
    scores = score([_texts(queries, contents, *pair) for pair in pairs], progress)
    scored: dict[str, dict[str, float]] = {query_id: {} for query_id in order}
    for (query_id, doc_id), value in zip(pairs, scores, strict=True):
        scored[query_id][doc_id] = float(value)
    if unscored := int(np.isneginf(scores).sum()):
        logger.warning("%d of %d pairs have no token that the model scores: they rank last", unscored, len(pairs))
    return {query_id: reordered(ids, scored[query_id]) for query_id, ids in order.items()}


def _texts(queries: Mapping[str, str], contents: Mapping[str, str], query_id: str, doc_id: str) -> tuple[str, str]:
    if query_id not in queries or doc_id not in contents:
        raise DataError(
            expected="a text for every query and every document that is to be scored",
            got=f"document {doc_id!r} of query {query_id!r}, one of which has none",
            consequence="nothing was re-ranked",
            remedy="give the texts of the collection that the first stage searched",
        )
    return queries[query_id], contents[doc_id]


def _best(found: Mapping[str, float], k: int) -> dict[str, float]:
    return dict(sorted(found.items(), key=lambda hit: -hit[1])[:k])
