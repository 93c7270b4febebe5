"""The token table of a static student by least squares: the table whose mean vectors point where the teacher's do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from tokenizers import Tokenizer

SLICE = 2000
"""Texts tokenised at once."""


def bags(
    tokenizer: Tokenizer, texts: Sequence[str], size: int, progress: Callable[[int], None] | None = None
) -> csr_array:
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


def least_squares(
    mean: csr_array, targets: np.ndarray, prior: np.ndarray, ridge: float, rounds: int, iterations: int = 30
) -> np.ndarray:
    """The table whose mean vectors, at unit length, are nearest to `targets`, held to `prior`.

    Each round solves `min_T sum_i |x_i T / n_i - y_i|^2 + ridge * |T - prior|^2 / s^2` with `n_i` the length of `x_i T`
    in the round before and `s` the mean of those lengths: the squared error of the unit vectors, with their lengths
    held. Tokens in many texts move freely, rare ones stay.

    Args:
        mean: rows that take a mean of tokens, float32[n, tokens].
        targets: float32[n, dim], of unit length.
        prior: float32[tokens, dim].
        ridge: strength of the hold, above 0; 1 is the weight of one text that is the token alone.
        rounds: how often the lengths are renewed, 1 or more.
        iterations: steps of conjugate gradients in a round.
    """
    met = np.flatnonzero(mean.sum(axis=0))
    table = prior.copy()
    table[met] = _fit_met(mean[:, met], targets, prior[met], ridge, rounds, iterations)
    return table


def _fit_met(
    mean: csr_array, targets: np.ndarray, prior: np.ndarray, ridge: float, rounds: int, iterations: int
) -> np.ndarray:
    table = prior
    for _ in range(rounds):
        lengths = np.linalg.norm(mean @ table, axis=1)
        scale = float(lengths[lengths > 0].mean()) if (lengths > 0).any() else 1.0
        inverse = np.where(lengths > 0, 1.0 / np.maximum(lengths, scale / 10), 0.0).astype(np.float32)
        table = _solve(mean * inverse[:, None], targets, prior, ridge / scale**2, table, iterations)
    return table


def _solve(
    design: csr_array, targets: np.ndarray, prior: np.ndarray, hold: float, start: np.ndarray, iterations: int
) -> np.ndarray:
    from scipy.sparse.linalg import LinearOperator, cg

    shape, transposed = prior.shape, design.T.tocsr()

    def normal(flat: np.ndarray) -> np.ndarray:
        table = flat.reshape(shape)
        return (transposed @ (design @ table) + hold * table).ravel()

    operator = LinearOperator((prior.size, prior.size), matvec=normal, dtype=np.float32)
    right = (transposed @ targets + hold * prior).ravel()
    diagonal = np.asarray(transposed.multiply(transposed).sum(axis=1)).ravel() + hold
    precondition = LinearOperator(
        operator.shape, matvec=lambda flat: (flat.reshape(shape) / diagonal[:, None]).ravel(), dtype=np.float32
    )
    solution, _ = cg(operator, right, x0=start.ravel(), rtol=1e-4, maxiter=iterations, M=precondition)
    return solution.reshape(shape)
