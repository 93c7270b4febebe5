"""What sparse indexes are given, and what they check.

A sparse index is an `Index[SparseVectors]`. Its score is the dot product (vectors compared by cosine come with unit
length). A document is found only with a score above 0: one that shares no term with the query is no result, so a row of
the result may end in `NOTHING`, and a query without terms finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from rankdistill.errors import DataError, SpaceMismatchError
from rankdistill.indexing.distinct import Digests, Rows, digests_of
from rankdistill.indexing.vectors import check_ids, check_k, refused

SparseVectors: TypeAlias = Any
"""scipy's `csr_array`, float32 `[n, vocabulary]`. A row may be empty."""


def check_new(ids: Sequence[str], vectors: SparseVectors, dimension: int, known: Iterable[str]) -> None:
    """Raise DataError unless `vectors` are finite, `[len(ids), dimension]`, and `ids` are new, unique and not empty."""
    if vectors.shape != (len(ids), dimension):
        expected = f"{len(ids)} ids with vectors of shape [{len(ids)}, {dimension}]"
        raise refused(expected, f"shape {list(vectors.shape)}")
    bad = np.flatnonzero(~np.isfinite(vectors.data))
    if bad.size:
        row = int(np.searchsorted(vectors.indptr, bad[0], side="right")) - 1
        raise refused("finite weights", f"NaN or infinity in the vector of document {ids[row]!r}")
    check_ids(ids, known)


def distinct_rows(dimension: int) -> Rows:
    """How sparse vectors are told apart: by their terms and weights, without the terms of weight 0."""

    def digests(vectors: SparseVectors) -> Digests:
        whole = vectors.astype(np.float32, copy=True)
        whole.sum_duplicates()
        whole.eliminate_zeros()
        terms, weights = whole.indices.astype(np.int64), whole.data
        rows = (slice(*whole.indptr[row : row + 2]) for row in range(whole.shape[0]))
        return digests_of((terms[row], weights[row]) for row in rows)

    return Rows(
        lambda ids, vectors, known: check_new(ids, vectors, dimension, known),
        digests,
        lambda vectors, places: vectors[places],
    )


def check_queries(vectors: SparseVectors, dimension: int, k: int) -> None:
    """Raise unless `vectors` are finite query vectors `[n, dimension]` and `k` is at least 1."""
    check_k(k)
    if vectors.shape[1] != dimension:
        raise SpaceMismatchError(
            expected=f"query vectors over the index's vocabulary, [n, {dimension}]",
            got=f"shape {list(vectors.shape)}",
            consequence="a weight would count for another term, so nothing was searched",
            remedy="encode the queries with the model that the index was built with",
        )
    if not np.isfinite(vectors.data).all():
        raise DataError(
            expected="finite query weights",
            got="NaN or infinity",
            consequence="nothing was searched",
            remedy="check the model that made them",
        )
