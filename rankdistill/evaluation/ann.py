"""Recall under approximate search: how far an index must look for the neighbours of one model's queries or another's.

An index of a teacher's documents is built once. A student's query vectors lie a little off the teacher's, often farther
from all documents, and a graph or an inverted list then finds fewer of their true neighbours for the same effort.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rankdistill.data.values import whole
from rankdistill.errors import ConfigError
from rankdistill.evaluation.ann_result import Curve, Point
from rankdistill.evaluation.embedded import Judged, Pairing
from rankdistill.evaluation.measures import Qrels
from rankdistill.indexing.base import NOTHING, Ids, Index, Scores, Vectors
from rankdistill.indexing.distinct import DistinctIndex
from rankdistill.indexing.exact import ExactIndex, exact_of
from rankdistill.indexing.faiss import FaissIndex
from rankdistill.indexing.vectors import distinct_rows, normalised
from rankdistill.progress import Progress

if TYPE_CHECKING:
    pass

DEPTH = 10
TARGETS = (0.95, 0.99)
"""Recalls for which the effort needed is looked for."""

ROUNDING = 1e-6
"""By how much of itself the k-th score may be missed: exact search is in float32."""

ExactScores = Callable[[Vectors, Ids], NDArray[np.float64]]
"""`(queries, ids found for them)` -> their exact scores, minus infinity where the id is `NOTHING`."""


@dataclass(frozen=True)
class Effort:
    """The search parameter that is varied.

    Args:
        name: FAISS's name: `efSearch` of HNSW, `nprobe` of IVF.
        values: rising whole numbers from 1.
    """

    name: str
    values: tuple[int, ...]


def parse_effort(given: str) -> Effort:
    """The parameter and its values, typed as `efSearch=16,32,64`.

    Raises:
        ConfigError: it is not of that form.
    """
    name, _, listed = given.partition("=")
    try:
        return Effort(name, _rising([whole(value, name) for value in listed.split(",")] if name else []))
    except ValueError:
        raise ConfigError(
            expected="a search parameter and its values as NAME=V1,V2,..., such as efSearch=16,32,64 or nprobe=1,4,16",
            got=repr(given),
            consequence="nothing was measured",
            remedy="give a name, an equals sign, and whole numbers from 1 with commas between them",
        ) from None


def effort_of(given: str | Mapping[str, Sequence[int]]) -> Effort:
    """The parameter and its values, as `{"efSearch": [16, 32, 64]}` or as `parse_effort` takes them.

    Raises:
        ConfigError: not one parameter, or a value below 1.
    """
    if isinstance(given, str):
        return parse_effort(given)
    try:
        ((name, values),) = given.items()
        return Effort(name, _rising(values))
    except ValueError:
        raise ConfigError(
            expected="one search parameter and its values, such as {'efSearch': [16, 32, 64]}",
            got=repr(given),
            consequence="nothing was measured",
            remedy="give one name, and whole numbers from 1",
        ) from None


def _rising(values: Sequence[int]) -> tuple[int, ...]:
    """The values, each once; raises ValueError unless there are some, all from 1."""
    found = tuple(sorted(set(values)))
    if not found or found[0] < 1:
        raise ValueError(f"no whole numbers from 1: {list(values)}")
    return found


def open_index(dimension: int, similarity: str, factory: str, effort: Effort) -> FaissIndex:
    """An empty index on which the parameter can be varied.

    Raises:
        ConfigError: FAISS does not take the factory string or the parameter.
        MissingDependencyError: FAISS is not installed.
    """
    return FaissIndex(dimension, similarity, factory, {effort.name: effort.values[0]})


def recall_curves(
    pairings: Sequence[Pairing],
    similarity: str,
    qrels: Qrels,
    factory: str,
    effort: Effort,
    repeats: int = 3,
    progress: Progress = lambda done: None,
    own: Set[str] = frozenset(),
) -> tuple[Curve, ...]:
    """Recall@10 against exact search and nDCG@10 of each pairing at each value of the parameter.

    Args:
        pairings: systems with the same documents, the one that the others are compared with first.
        similarity: `cosine` or `dot`.
        qrels: of the queries.
        factory: FAISS factory string.
        effort: what is varied.
        repeats: searches that the fastest is taken of for the milliseconds; 0 times none.
        progress: called after each search.
        own: queries of which the document of the same id is left out of nDCG@10; recall is that of the index.

    Raises:
        ConfigError: FAISS does not take the factory string or the parameter; the pairings have different documents.
        DataError: there are no qrels.
        MissingDependencyError: FAISS is not installed.
    """
    documents = pairings[0].documents
    if any(pairing.documents is not documents for pairing in pairings):
        raise ConfigError(
            expected="systems that search the same document vectors",
            got=", ".join(pairing.name for pairing in pairings),
            consequence="nothing was measured: there is one index for all",
            remedy="pair the query vectors with one and the same documents",
        )
    approximate = open_index(documents.dimension, similarity, factory, effort)
    searched = DistinctIndex(approximate, distinct_rows(documents.dimension, similarity))
    searched.add(documents.ids, documents.vectors)
    oracle = exact_of(list(documents.ids), documents.vectors, similarity)
    exact = exact_scores(documents.ids, documents.vectors, similarity)
    judged = Judged(qrels, own)
    return tuple(
        _curve(pairing, oracle, approximate, searched, exact, judged, effort, repeats, progress) for pairing in pairings
    )


def _curve(
    pairing: Pairing,
    oracle: ExactIndex,
    approximate: FaissIndex,
    searched: Index[Vectors],
    exact: ExactScores,
    judged: Judged,
    effort: Effort,
    repeats: int,
    progress: Progress,
) -> Curve:
    queries, depth = pairing.queries, judged.depth(DEPTH)
    truth = oracle.search(queries.vectors, depth)
    wanted = exact(queries.vectors, truth[0][:, :DEPTH])

    @cache
    def found(value: int) -> tuple[Ids, Scores]:
        approximate.set_search_parameters({effort.name: value})
        return searched.search(queries.vectors, depth)

    def recall(value: int) -> float:
        return share_of_best(exact(queries.vectors, found(value)[0][:, :DEPTH]), wanted)

    def point(value: int) -> Point:
        ndcg = judged.ndcg_at_10(queries.ids, *found(value))
        taken = _milliseconds(searched, queries.vectors, repeats)
        progress(1)
        return Point(value, recall(value), ndcg, taken)

    points = tuple(point(value) for value in effort.values)
    needed = {str(target): least(recall, effort.values[-1], target) for target in TARGETS}
    return Curve(pairing.name, judged.ndcg_at_10(queries.ids, *truth), points, needed)


def exact_scores(ids: Sequence[str], vectors: Vectors, similarity: str) -> ExactScores:
    """Scores documents for queries in float64, so that equal vectors have equal scores wherever they stand."""
    places = {doc_id: place for place, doc_id in enumerate(ids)}

    def prepared(given: Vectors) -> Vectors:
        return normalised(given) if similarity == "cosine" else given

    def scored(queries: Vectors, found: Ids) -> NDArray[np.float64]:
        scores = np.full(found.shape, -np.inf)
        for row, (query, names) in enumerate(zip(prepared(queries), found, strict=True)):
            there = np.flatnonzero(names != NOTHING)
            rows = prepared(vectors[[places[name] for name in names[there]]]).astype(np.float64)
            scores[row, there] = np.einsum("nd,d->n", rows, query.astype(np.float64))
        return scores

    return scored


def share_of_best(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Share of the best k that was found; of several documents with the k-th score, one is as good as another.

    Args:
        found: exact scores of what was found, `[queries, k]`.
        wanted: those of what exact search finds.
    """
    last = wanted.min(axis=1, keepdims=True)
    return float(np.mean(found >= last - ROUNDING * np.abs(last)))


def least(recall: Callable[[int], float], largest: int, target: float) -> int | None:
    """The smallest whole number from 1 to `largest` at which `recall` reaches `target`, by bisection; None if none.

    Recall is taken to rise with effort; where it wavers, the number found is one at which `target` is reached and
    missed one below.
    """
    if recall(largest) < target:
        return None
    low, high = 0, largest
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if recall(middle) >= target else (middle, high)
    return high


def _milliseconds(index: Index[Vectors], queries: Vectors, repeats: int) -> float | None:
    """The fastest of `repeats` searches for all queries on one thread, divided among them."""
    seconds = []
    with threadpool_limits(1):
        for _ in range(repeats):
            start = time.perf_counter()
            index.search(queries, DEPTH)
            seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds) / len(queries) if seconds else None
