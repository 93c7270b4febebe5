"""FLOPS: the expected number of multiplications that an inverted index spends on a pair, made smooth."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.vocabulary_checks import require_weights


def flops(vectors: Float[Tensor, "texts vocabulary"]) -> Float[Tensor, ""]:
    """`sum_j (mean_i w_ij)^2`: entries that are active in many texts cost more than in proportion.

    Args:
        vectors: [texts, vocabulary], term weights w, 0 and above.

    Raises:
        LossInputError: no such tensor (see `rankdistill.losses.vocabulary_checks`).

    Source: Paria et al. 2020, arXiv 2004.05665; for SPLADE Formal et al. 2021, arXiv 2107.05720.
    """
    require_weights(vectors)
    return vectors.mean(dim=0).square().sum()
