"""Sparse weights as whole numbers, as an impact index keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError
from rankdistill.indexing.sparse.base import SparseVectors

FACTOR = 100.0
"""What weights are multiplied with unless told otherwise, as published SPLADE indexes do."""

MAXIMUM = 2**16 - 1
"""Largest whole weight. Anserini writes a term as often as its weight, so larger ones are a mistake in the factor."""

INEXACT = 2**24
"""From this score on Lucene's float32 lacks some whole numbers: two scores that differ may come out as one."""


def quantise(vectors: SparseVectors, factor: float, names: Sequence[str]) -> Any:
    """`vectors` times `factor`, rounded half to even, without what becomes 0: scipy's `csr_array` of int32.

    Args:
        vectors: finite weights, `[n, vocabulary]`.
        factor: above 0.
        names: what each row is, for the error.

    Raises:
        ConfigError: a weight below 0, or one above `MAXIMUM` after quantisation.
    """
    from scipy.sparse import csr_array

    scaled = np.rint(vectors.data.astype(np.float64) * factor)
    bad = np.flatnonzero((scaled < 0) | (scaled > MAXIMUM))
    if bad.size:
        row = int(np.searchsorted(vectors.indptr, bad[0], side="right")) - 1
        weight = vectors.data[bad[0]]
        raise ConfigError(
            expected=f"weights from 0 to {MAXIMUM / factor:g}, so that {factor:g} times each is at most {MAXIMUM:,}",
            got=f"{weight:.6g} in {names[row]}",
            consequence="the weight would be cut, so nothing was done",
            remedy="take another back end: Lucene's impacts cannot be negative"
            if weight < 0
            else f"build the index with a smaller quantisation factor than {factor:g}: --parameter factor=...",
        )
    whole = csr_array((scaled.astype(np.int32), vectors.indices, vectors.indptr), shape=vectors.shape, copy=True)
    whole.eliminate_zeros()
    return whole


def require_exact(scores: NDArray[np.float32], factor: float) -> None:
    """Raise ConfigError unless every whole score that Lucene found is below `INEXACT`, and so all are exact.

    The best of a query tells of all its documents: a sum that reaches `INEXACT` never comes back below it, since no
    weight is below 0 and rounding keeps the order.

    Args:
        scores: Lucene's, `[queries, k]`; the best of each query must be among them.
        factor: that the weights were multiplied with.
    """
    best = scores.max(axis=1, initial=0)
    over = np.flatnonzero(best >= INEXACT)
    if over.size:
        fits = factor * np.sqrt(INEXACT / best.max()) * 0.9
        raise ConfigError(
            expected=f"scores below {INEXACT:,} in whole weights: up to there Lucene's float32 holds each of them",
            got=f"{best[over[0]]:,.0f} for query {over[0]}",
            consequence="documents could come in a wrong order, so nothing was returned",
            remedy=f"build the index with a smaller quantisation factor than {factor:g}: --parameter factor={fits:.2g}",
        )


def require_some(vectors: SparseVectors, whole: Any, factor: float) -> None:
    """Raise ConfigError if `vectors` have weights, but `whole`, what `quantise` made of them, has none."""
    if vectors.nnz and not whole.nnz:
        raise ConfigError(
            expected=f"a weight of {0.5 / factor:g} or more, which {factor:g} times is not rounded to 0",
            got=f"{vectors.data.max():.4g} at most",
            consequence="no query would find a document, so nothing was built",
            remedy=f"build the index with a larger quantisation factor: --parameter factor={FACTOR:g} is usual",
        )


def require_factor(factor: float) -> None:
    """Raise ConfigError unless `factor` is a finite number above 0."""
    if not (np.isfinite(factor) and factor > 0):
        raise ConfigError(
            expected="a quantisation factor above 0",
            got=f"{factor:g}",
            consequence="nothing was built",
            remedy=f"leave it out: {FACTOR:g} is usual",
        )
