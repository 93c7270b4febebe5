"""What an index checks about the ids and vectors it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.indexing.base import NOTHING, Vectors
from rankdistill.indexing.distinct import Digests, Rows, digests_of

_DIGESTED_AT_ONCE = 8192
_SMALLEST = 1e-16
"""Length of a vector below which the squares of its numbers are too small for float32 to keep all their digits."""


def check_new(ids: Sequence[str], vectors: Vectors, dimension: int, known: Iterable[str]) -> None:
    """Raise DataError unless `vectors` are finite, `[len(ids), dimension]`, and `ids` are new, unique and not empty."""
    if vectors.ndim != 2 or vectors.shape != (len(ids), dimension):
        raise refused(f"{len(ids)} ids with vectors of shape [{len(ids)}, {dimension}]", f"shape {list(vectors.shape)}")
    for start in range(0, len(ids), _DIGESTED_AT_ONCE):
        check_finite(ids[start : start + _DIGESTED_AT_ONCE], vectors[start : start + _DIGESTED_AT_ONCE])
    check_ids(ids, known)


def check_finite(ids: Sequence[str], vectors: Vectors) -> None:
    """Raise DataError unless `vectors`, one a document of `ids`, are finite."""
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise refused("finite vectors", f"NaN or infinity in the vector of document {ids[bad[0]]!r}")


def distinct_rows(dimension: int, similarity: str) -> Rows:
    """How dense vectors are told apart: by their bytes as they are compared, so that -0 is 0."""

    def digests(vectors: Vectors) -> Digests:
        def block(start: int) -> Vectors:
            part = np.asarray(vectors[start : start + _DIGESTED_AT_ONCE], np.float32)
            return np.ascontiguousarray((normalised(part) if similarity == "cosine" else part) + np.float32(0))

        blocks = (block(start) for start in range(0, len(vectors), _DIGESTED_AT_ONCE))
        return digests_of((row,) for part in blocks for row in part)

    return Rows(
        lambda ids, vectors, known: check_new(ids, vectors, dimension, known),
        digests,
        lambda vectors, places: vectors[places],
    )


def check_ids(ids: Sequence[str], known: Iterable[str]) -> None:
    """Raise DataError unless `ids` are unique, not empty, and none of them is in `known`."""
    seen = set(known)
    for doc_id in ids:
        if doc_id == NOTHING:
            raise refused("document ids that are not empty", "an empty id")
        if doc_id in seen:
            raise refused("every document once", f"document {doc_id!r} twice")
        seen.add(doc_id)


def check_queries(vectors: Vectors, dimension: int, k: int) -> None:
    """Raise unless `vectors` are finite query vectors `[n, dimension]` and `k` is at least 1."""
    check_k(k)
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise SpaceMismatchError(
            expected=f"query vectors of the index's dimension, [n, {dimension}]",
            got=f"shape {list(vectors.shape)}",
            consequence="nothing was searched",
            remedy="encode the queries with the model that the index was built with",
        )
    if not np.isfinite(vectors).all():
        raise DataError(
            expected="finite query vectors",
            got="NaN or infinity",
            consequence="nothing was searched",
            remedy="check the model that made them",
        )


def check_k(k: int) -> None:
    """Raise ConfigError unless `k` is at least 1."""
    if k < 1:
        raise ConfigError(
            expected="k, the number of documents to find, to be at least 1",
            got=str(k),
            consequence="nothing was searched",
            remedy="give a larger k",
        )


def normalised(vectors: Vectors) -> Vectors:
    """Each row at unit length (L2); rows of zeros stay as they are, so that their cosine with anything is 0."""
    with np.errstate(over="ignore", under="ignore"):
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    beyond = np.flatnonzero(~((lengths > _SMALLEST) & (lengths < np.inf)))
    if beyond.size and vectors[beyond].any():  # the squares of such numbers are none of float32
        vectors = vectors.astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)


def refused(expected: str, got: str) -> DataError:
    """The error of documents that cannot be added."""
    return DataError(
        expected=expected,
        got=got,
        consequence="nothing was added to the index",
        remedy="check the corpus and the model, then build the index again",
    )
