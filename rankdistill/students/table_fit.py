"""The token table of a static student by least squares: the table whose mean vectors point where the teacher's do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rankdistill.progress import Progress

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from tokenizers import Tokenizer

SLICE = 2000
"""Texts tokenised at once."""
ITERATIONS, TOLERANCE = 15, 1e-4
"""Conjugate gradients stop after so many steps or at this relative residual: more fit no held-out text better."""


def bags(tokenizer: Tokenizer, texts: Sequence[str], size: int, progress: Progress | None = None) -> csr_array:
    """How often each token is in each text, float32[n, size], sparse; rows sum to 1 unless a text has no token."""
    from scipy.sparse import csr_array, vstack

    parts = []
    for start in range(0, len(texts), SLICE):
        encodings = tokenizer.encode_batch(list(texts[start : start + SLICE]), add_special_tokens=False)
        lengths = np.array([len(encoding) for encoding in encodings])
        indices = np.concatenate([np.asarray(encoding.ids, dtype=np.int32) for encoding in encodings])
        weights = np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(np.float32)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        part = csr_array((weights, indices, offsets), shape=(len(encodings), size))
        part.sum_duplicates()
        parts.append(part)
        if progress is not None:
            progress(len(encodings))
    return vstack(parts, format="csr") if parts else csr_array((0, size), dtype=np.float32)


def shared_map(mean: csr_array, table: np.ndarray, targets: np.ndarray, ridge: float, normalised: bool) -> np.ndarray:
    """One linear map for all rows of `table`, with which texts come nearest to `targets`, float32[dim, targets' dim].

    What it learns holds for tokens that no text has, too.

    Args:
        mean: rows that take a mean of tokens, float32[n, tokens].
        table: float32[tokens, dim].
        targets: float32[n, targets' dim].
        ridge: strength of the regression's penalty, above 0; 1 is as strong as the vectors themselves.
        normalised: whether texts are compared at unit length.
    """
    X = mean @ table
    if normalised:
        X = X * _inverse_lengths(X)[:, None]
    gram = X.T @ X
    gram[np.diag_indices_from(gram)] += ridge * float(np.trace(gram)) / len(gram)
    return np.linalg.lstsq(gram, X.T @ targets)[0].astype(np.float32)


def least_squares(
    mean: csr_array, targets: np.ndarray, prior: np.ndarray, ridge: float, normalised: bool
) -> np.ndarray:
    """The table near `prior` whose mean vectors are nearest to `targets`, float32[tokens, dim].

    It minimises `sum_i |x_i T / n_i - y_i|^2 + ridge * |T - prior|^2 / s^2`, with `n_i` the length of `x_i prior` where
    vectors are normalised, else 1, and `s` the mean of the `n_i`. Tokens in many texts move freely, those in none stay.

    Args:
        mean: rows that take a mean of tokens, float32[n, tokens].
        targets: float32[n, dim], of unit length where vectors are normalised.
        prior: float32[tokens, dim].
        ridge: strength of the hold, above 0; 1 is the weight of one text that is the token alone.
        normalised: whether texts are compared at unit length.
    """
    met = np.flatnonzero(mean.sum(axis=0))
    table = prior.copy()
    design, start, scale = mean[:, met], prior[met], 1.0
    if normalised:
        inverse = _inverse_lengths(design @ start)
        scale = float(1.0 / inverse[inverse > 0].mean()) if (inverse > 0).any() else 1.0
        design = design * inverse[:, None]
    table[met] = _solve(design, targets, start, ridge / scale**2)
    return table


def _inverse_lengths(vectors: np.ndarray) -> np.ndarray:
    """1 / length of each, 0 for a vector of zeros; lengths far below the others count as a tenth of their mean."""
    lengths = np.linalg.norm(vectors, axis=1)
    floor = lengths.mean() / 10 if len(lengths) else 0.0
    return np.divide(1.0, np.maximum(lengths, floor), out=np.zeros_like(lengths), where=lengths > 0)


def _solve(design: csr_array, targets: np.ndarray, prior: np.ndarray, hold: float) -> np.ndarray:
    """Conjugate gradients on the normal equations of all columns at once, preconditioned by their diagonal."""
    from scipy.sparse.linalg import LinearOperator, cg

    shape, transposed = prior.shape, design.T.tocsr()
    diagonal = np.asarray(transposed.multiply(transposed).sum(axis=1)).ravel() + hold

    def normal(flat: np.ndarray) -> np.ndarray:
        table = flat.reshape(shape)
        return (transposed @ (design @ table) + hold * table).ravel()

    def precondition(flat: np.ndarray) -> np.ndarray:
        return (flat.reshape(shape) / diagonal[:, None]).ravel()

    square = (prior.size, prior.size)
    solution, _ = cg(
        LinearOperator(square, matvec=normal, dtype=np.float32),
        (transposed @ targets + hold * prior).ravel(),
        x0=prior.ravel(),
        rtol=TOLERANCE,
        maxiter=ITERATIONS,
        M=LinearOperator(square, matvec=precondition, dtype=np.float32),
    )
    return np.asarray(solution, dtype=np.float32).reshape(shape)
