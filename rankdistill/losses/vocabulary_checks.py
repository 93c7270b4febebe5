"""What every regulariser of sparse vectors refuses: tensors that it would shrink wrongly at a plausible value."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError


def require_weights(vectors: Float[Tensor, "texts vocabulary"]) -> None:
    """Raise LossInputError unless `vectors` is a finite floating [texts, vocabulary] tensor without a negative."""
    if vectors.ndim != 2 or vectors.shape[0] == 0 or not vectors.is_floating_point():
        raise LossInputError(
            expected="term weights of a floating type and shape [texts, vocabulary], of one text or more",
            got=f"{vectors.dtype} of shape {list(vectors.shape)}",
            consequence="the mean would be taken over another axis than the texts",
            remedy="give one row a text and one column a vocabulary entry",
        )
    if not torch.isfinite(vectors).all() or (vectors < 0).any():
        raise LossInputError(
            expected="finite term weights of 0 and above",
            got=f"weights from {vectors.min().item()} to {vectors.max().item()}",
            consequence="negative weights cancel in a mean: the vectors would look sparse and be dense",
            remedy="take the weights behind the activation; a NaN means that the student diverged",
        )
