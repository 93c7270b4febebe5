"""How near a student's vectors are to the teacher's, text by text and as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NEIGHBOURS = 10
WIDEST = 8192
"""Dimensions up to which they are compared with each other; vectors over a vocabulary have more."""

Vectors = NDArray[np.float32]


def describe(student: Vectors, teacher: Vectors) -> dict[str, float]:
    """Cosine quantiles, linear CKA and neighbourhood overlap of two float[n, dim], row by row of the same texts."""
    cosines = (unit(student) * unit(teacher)).sum(axis=1)
    quantiles = {
        f"cosine_p{round(100 * share):02d}": float(value)
        for share, value in zip(QUANTILES, np.quantile(cosines, QUANTILES), strict=True)
    }
    return {
        "cosine_mean": float(cosines.mean()),
        **quantiles,
        "linear_cka": linear_cka(student, teacher),
        f"overlap_at_{NEIGHBOURS}": overlap(student, teacher, NEIGHBOURS),
    }


def linear_cka(student: Vectors, teacher: Vectors) -> float:
    """`|X'Y|_F^2 / (|X'X|_F |Y'Y|_F)` of the centred vectors, in [0, 1]; 1 up to rotation, scale and shift.

    0 where all vectors of one side are equal. Source: Kornblith et al. 2019, arXiv 1905.00414.
    """
    x, y = (vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64) for vectors in (student, teacher))
    if x.shape[1] > WIDEST:
        ours, theirs = x @ x.T, y @ y.T  # |X'Y|^2 = tr(XX' YY'): texts by texts, not terms by terms
        norm = np.linalg.norm(ours) * np.linalg.norm(theirs)
        return float((ours * theirs).sum() / norm) if norm else 0.0
    norm = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / norm) if norm else 0.0


def overlap(student: Vectors, teacher: Vectors, k: int) -> float:
    """Mean share of the `k` nearest other texts, by cosine, that both sides have in common, in [0, 1]."""
    ours, theirs = (_neighbours(vectors, k) for vectors in (student, teacher))
    return float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(ours, theirs, strict=True)]))


def _neighbours(vectors: Vectors, k: int) -> NDArray[np.intp]:
    directions = unit(vectors)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def unit(vectors: Vectors) -> Vectors:
    """Rows of unit length; a zero row stays zero, so its cosines are 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)
