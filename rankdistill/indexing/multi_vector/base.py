"""What multi-vector indexes are given, and what they check.

A multi-vector index is an `Index[TokenVectors]`. A document of which the model scores no token is never found, and a
query without tokens finds nothing, so a row of the result may end in `NOTHING`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.indexing.arrays import read_array, write_array
from rankdistill.indexing.distinct import Digests, Rows, digests_of
from rankdistill.indexing.topk import Positions
from rankdistill.indexing.vectors import check_ids, check_k, refused
from rankdistill.inference.token_vectors import TokenVectors

SIMILARITIES = ("maxsim", "meanmaxsim")
VECTORS_FILE, STARTS_FILE = "token_vectors.npy", "starts.npy"


def check_similarity(similarity: str) -> None:
    """Raise ConfigError unless `similarity` is one of `SIMILARITIES`."""
    if similarity not in SIMILARITIES:
        raise ConfigError(
            expected=f"a similarity of token vectors: {', '.join(SIMILARITIES)}",
            got=repr(similarity),
            consequence="no index was made",
            remedy="give a multi-vector model",
        )


def check_new(ids: Sequence[str], documents: TokenVectors, dimension: int, known: Iterable[str]) -> None:
    """Raise DataError unless there is a finite entry of `dimension` for each of `ids`, which are new and not empty."""
    if len(documents) != len(ids) or documents.dimension != dimension:
        expected = f"{len(ids)} ids with as many texts' token vectors of length {dimension}"
        raise refused(expected, f"{len(documents)} texts with vectors of length {documents.dimension}")
    bad = np.flatnonzero(~np.isfinite(documents.vectors).all(axis=1))
    if bad.size:
        text = int(np.searchsorted(documents.starts, bad[0], side="right")) - 1
        raise refused("finite vectors", f"NaN or infinity in a token of document {ids[text]!r}")
    check_ids(ids, known)


def distinct_rows(dimension: int) -> Rows:
    """How texts' token vectors are told apart: by the bytes of all tokens, in order, -0 taken for 0."""

    def digests(documents: TokenVectors) -> Digests:
        each = (documents[place] for place in range(len(documents)))
        return digests_of((np.ascontiguousarray(one, np.float32) + np.float32(0),) for one in each)

    return Rows(
        lambda ids, documents, known: check_new(ids, documents, dimension, known),
        digests,
        texts_at,
    )


def texts_at(documents: TokenVectors, places: Positions) -> TokenVectors:
    """The token vectors of the texts at `places`, as often as they stand there; copied."""
    lengths = documents.lengths[places]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.arange(starts[-1]) + np.repeat(documents.starts[places] - starts[:-1], lengths)
    return TokenVectors(documents.vectors[rows], starts)


def check_queries(queries: TokenVectors, dimension: int, k: int) -> None:
    """Raise unless `queries` are finite token vectors of length `dimension` and `k` is at least 1."""
    check_k(k)
    if queries.dimension != dimension:
        raise SpaceMismatchError(
            expected=f"token vectors of the index's length, {dimension}",
            got=str(queries.dimension),
            consequence="nothing was searched",
            remedy="encode the queries with the model that the index was built with",
        )
    if not np.isfinite(queries.vectors).all():
        raise DataError(
            expected="finite query vectors",
            got="NaN or infinity",
            consequence="nothing was searched",
            remedy="check the model that made them",
        )


def write_vectors(folder: Path, documents: TokenVectors) -> None:
    """Write the vectors into `folder`."""
    write_array(folder / VECTORS_FILE, documents.vectors)
    write_array(folder / STARTS_FILE, documents.starts)


def read_vectors(folder: Path, mmap: bool) -> TokenVectors:
    """What `write_vectors` wrote; with `mmap`, vectors stay on disk until they are searched."""
    return TokenVectors(read_array(folder / VECTORS_FILE, mmap), read_array(folder / STARTS_FILE, False))
