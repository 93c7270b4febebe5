"""A source of random vectors, and what searches of it must find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array, random_array

from rankdistill.engines.base import Batch, Leg, LegName
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.sparse.exact import ExactSparseIndex
from rankdistill.indexing.vectors import normalised
from rankdistill.space import Space, SparseSpace

DIMENSION, TERMS = 16, 90


def dense_leg(similarity: str = "cosine", tower: str = "tower") -> Leg:
    return Leg("dense", Space(DIMENSION, True, similarity, {}, tower, 64), "model", 64)


def sparse_leg() -> Leg:
    return Leg("sparse", SparseSpace(TERMS, "words", "dot", {}, "tower", 64), "splade", 64)


def sparse_rows(rows: int, seed: int) -> Any:
    """Random weights; row 3 has none."""
    found = random_array((rows, TERMS), density=0.1, rng=np.random.default_rng(seed), dtype=np.float32).toarray()
    found[3] = 0
    return csr_array(found)


class Killed(Exception):  # noqa: N818 - no error
    """Stands for the end of a process."""


@dataclass
class ArraySource:
    """300 documents with both kinds of vectors; `killed_at` ends a push before that document."""

    legs: Mapping[LegName, Leg] = field(default_factory=lambda: {"dense": dense_leg(), "sparse": sparse_leg()})
    count: int = 300
    identity: str = "source"
    killed_at: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    texts: bool = True
    sent: list[int] = field(default_factory=list)
    contents: str = ""

    def __post_init__(self) -> None:
        self.ids: Sequence[str] = [f"d{number}" for number in range(self.count)]
        self.dense = np.random.default_rng(0).normal(size=(self.count, DIMENSION)).astype(np.float32)
        if "dense" in self.legs and self.legs["dense"].space.similarity == "cosine":
            self.dense = normalised(self.dense)
        self.sparse = sparse_rows(self.count, 1)

    def values(self, row: int) -> dict[str, Any]:
        """Fields of a document; every fifth has none."""
        if row % 5 == 4:
            return {}
        every = {
            "source": ("wiki", "news", "book")[row % 3],
            "year": 1990 + row % 30,
            "price": row / 8,
            "free": row % 2 == 0,
            "day": f"2020-01-{1 + row % 28:02d}",
            "tags": [f"t{row % 4}", "all"],
        }
        return {name: every[name] for name in self.fields}

    def batches(self, start: int, size: int) -> Iterator[Batch]:
        for at in range(start, self.count, size):
            stop = min(at + size, self.count)
            if self.killed_at is not None and stop > self.killed_at:
                raise Killed
            self.sent.append(stop - at)
            rows = range(at, stop)
            yield Batch(
                at,
                self.ids[at:stop],
                self.dense[at:stop] if "dense" in self.legs else None,
                self.sparse[at:stop] if "sparse" in self.legs else None,
                [f"text {row}" for row in rows],
                [self.values(row) for row in rows],
            )

    def queries(self, leg: Leg) -> Any:
        """Five queries of a kind."""
        if leg.name == "sparse":
            return sparse_rows(5, 7)
        return np.random.default_rng(9).normal(size=(5, DIMENSION)).astype(np.float32)

    def oracle(self, leg: Leg, k: int, allowed: Sequence[int] | None = None) -> tuple[Any, Any]:
        """What an exact index of ours finds, among the rows of `allowed`."""
        rows = list(range(self.count)) if allowed is None else list(allowed)
        index: Any = ExactSparseIndex(TERMS)
        vectors = self.sparse
        if leg.name == "dense":
            index, vectors = ExactIndex(DIMENSION, leg.space.similarity), self.dense
        index.add([self.ids[row] for row in rows], vectors[rows])
        return index.search(self.queries(leg), k)
