"""Batches of one topic: which topic each query is of, and an order of rows in which batches are of one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rankdistill import files, integrity
from rankdistill.errors import ConfigError
from rankdistill.manifest import digest

if TYPE_CHECKING:
    from rankdistill.training.in_batch.teacher import InBatchTeacher

FITTED = 50_000
"""Queries that the topics are made from; the others go to the nearest."""

LOCK_WAIT = 86400.0
"""Seconds to wait for another process of the run that makes the same topics."""


@dataclass(frozen=True)
class Topics:
    """The topics of some queries.

    Args:
        of_query: int64[queries], from 0.
        chain: every topic once, each next to the nearest that had not been named before it.
    """

    of_query: NDArray[np.int64]
    chain: NDArray[np.int64]


def topics_of(teacher: InBatchTeacher, queries: Sequence[str], count: int, seed: int, folder: Path) -> Topics:
    """k-means of the teacher's vectors of `queries`, kept in `folder`: a resumed run has the same.

    Args:
        teacher: knows the queries.
        queries: the texts.
        count: of topics.
        seed: of the first centres.
        folder: where the run keeps such things.

    Raises:
        ConfigError: fewer different queries than topics.

    Source: topic-aware sampling, Hofstätter et al. 2021, arXiv 2104.06967.
    """
    different = len(set(queries))
    if different < count:
        raise ConfigError(
            expected=f"{count:,} different queries or more, for as many topics",
            got=f"{different:,}",
            consequence="nothing was trained",
            remedy="set fewer topics: a batch is to be filled from one",
        )
    name = digest({"teacher": teacher.teacher_id, "queries": list(queries), "topics": count, "seed": seed})[:16]
    path = folder / f"topics-{name}.npz"
    if not integrity.is_kept(path):
        with files.exclusive(folder, LOCK_WAIT):
            if not integrity.is_kept(path):
                made = _cluster(teacher.topic_vectors(queries), count, seed)
                with integrity.making_again(path, folder) as temporary, temporary.open("wb") as file:
                    np.savez(file, of_query=made.of_query, chain=made.chain)
    with np.load(path) as found:
        return Topics(found["of_query"], found["chain"])


def _cluster(vectors: NDArray[np.float32], count: int, seed: int) -> Topics:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    generator = np.random.default_rng(seed)
    total = vectors.shape[0]
    fitted = vectors if total <= FITTED else vectors[np.sort(generator.choice(total, FITTED, replace=False))]
    clusters = KMeans(count, n_init=1, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # queries may have equal vectors: some topics stay empty
        clusters.fit(fitted)
    centres = np.asarray(clusters.cluster_centers_, dtype=np.float64)
    return Topics(clusters.predict(vectors).astype(np.int64), _chain(centres))


def _chain(centres: NDArray[np.float64]) -> NDArray[np.int64]:
    products = centres @ centres.T
    squares = np.diag(products)
    distances = squares[:, None] + squares[None, :] - 2 * products
    chain, left = [0], np.ones(len(centres), dtype=bool)
    left[0] = False
    while left.any():
        chain.append(int(np.where(left, distances[chain[-1]], np.inf).argmin()))
        left[chain[-1]] = False
    return np.array(chain, dtype=np.int64)


@dataclass(frozen=True)
class TopicOrder:
    """The order of a pass's rows in which every `batch` rows of the run are of one topic, as far as they go round.

    What is left of the topics' rows is joined along the chain, so that it fills batches of near topics. A batch that
    the pass before left unfinished begins this one: passes run along the chain forwards and backwards in turn, so that
    it is of near topics too. Every row stands in every pass once, and batches come in random order.

    Args:
        topic_of_row: int64[rows].
        chain: of the topics.
        batch: rows a batch.
        seed: of the run.
    """

    topic_of_row: NDArray[np.int64]
    chain: NDArray[np.int64]
    batch: int
    seed: int

    def __call__(self, number: int) -> NDArray[np.int64]:
        """The rows in the order of pass `number`, from 0; the same number gives the same order."""
        generator = np.random.default_rng((self.seed, number, 1))
        rows = len(self.topic_of_row)
        head = min(-number * rows % self.batch, rows)
        tail = (rows - head) % self.batch
        full, rest = self._batches(generator.permutation(rows), number)
        if len(rest) < head + tail:
            rest = np.concatenate([full.pop(0), rest])
        joined = rest[head : len(rest) - tail]
        full += np.split(joined, range(self.batch, len(joined), self.batch)) if len(joined) else []
        order = generator.permutation(len(full))
        return np.concatenate([rest[:head], *(full[place] for place in order), rest[len(rest) - tail :]])

    def _batches(self, shuffled: NDArray[np.int64], number: int) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
        """Batches of one topic, in the order of the chain; and what is left of the topics, in that order."""
        place = np.empty(len(self.chain), dtype=np.int64)
        place[self.chain[::-1] if number % 2 else self.chain] = np.arange(len(self.chain))
        places = place[self.topic_of_row[shuffled]]
        ordered = shuffled[np.argsort(places, kind="stable")]
        full, rest = [], [np.empty(0, dtype=np.int64)]
        for members in np.split(ordered, np.cumsum(np.bincount(places, minlength=len(self.chain)))[:-1]):
            whole = len(members) // self.batch * self.batch
            full += [members[start : start + self.batch] for start in range(0, whole, self.batch)]
            rest.append(members[whole:])
        return full, np.concatenate(rest)
