"""FLOPS of the texts that are not sparse yet."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.vocabulary_checks import require_weights


def l0_flops(vectors: Float[Tensor, "texts vocabulary"], threshold: int) -> Float[Tensor, ""]:
    """`sum_j (1/n sum_{i: |w_i|_0 > threshold} w_ij)^2`, n all texts: a text with few active terms is left alone.

    Args:
        vectors: [texts, vocabulary], term weights w, 0 and above.
        threshold: active terms (weights above 0) up to which a text costs nothing; 0 or more.

    Raises:
        LossInputError: no such tensor (see `rankdistill.losses.vocabulary_checks`), or a negative threshold.

    Source: Shen et al. 2025, arXiv 2504.14839 (the l0 mask).
    """
    require_weights(vectors)
    if threshold < 0:
        raise LossInputError(
            expected="a threshold of 0 active terms or more",
            got=f"{threshold}",
            consequence="it would be plain FLOPS under another name",
            remedy="use flops, or a threshold such as 200",
        )
    dense = (vectors.detach() > 0).sum(dim=1, keepdim=True) > threshold
    return torch.where(dense, vectors, 0).mean(dim=0).square().sum()
