"""Static students with shorter rows: a table of fewer dimensions and one linear layer behind the mean.

A mean of rows times a matrix is the mean of the rows times it, so the table that was fitted is written as a product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankdistill.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers.sentence_transformer.modules import Dense


def factors(table: np.ndarray, weights: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows [tokens, dimension] and a matrix [dimension, dim] whose product is nearest to `table`.

    It minimises `sum_t (weights_t + m) |table_t - rows_t matrix|^2`, with m a thousandth of the mean weight, so that
    tokens of no text count a little. The matrix has orthonormal rows.

    Args:
        table: float32 [tokens, dim].
        weights: how much of the texts each token is, float [tokens], at least 0.
        dimension: above 0, at most `dim`.

    Raises:
        ConfigError: the dimension is above that of the table.
    """
    if dimension > table.shape[1]:
        raise ConfigError(
            expected=f"a dimension of at most {table.shape[1]}, that of the teacher",
            got=f"{dimension}",
            consequence="no static student was made",
            remedy="set the static student's `dimension` to less, or leave it out",
        )
    share = weights + max(float(weights.mean()) * 1e-3, 1e-12)
    moments = (table * share[:, None]).T.astype(np.float64) @ table
    matrix = np.linalg.eigh(moments).eigenvectors[:, ::-1][:, :dimension].T.astype(np.float32)
    return np.ascontiguousarray(table @ matrix.T), np.ascontiguousarray(matrix)


def linear(matrix: np.ndarray) -> Dense:
    """The module of sentence-transformers that multiplies by `matrix`, float32 [dimension, dim]."""
    import torch
    from sentence_transformers.sentence_transformer.modules import Dense

    layer = Dense(*matrix.shape, bias=False, activation_function=torch.nn.Identity())
    with torch.no_grad():
        layer.linear.weight.copy_(torch.from_numpy(matrix.T.copy()))
    return layer
