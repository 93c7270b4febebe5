"""L1: the mean total weight of a text."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.vocabulary_checks import require_weights


def l1(vectors: Float[Tensor, "texts vocabulary"]) -> Float[Tensor, ""]:
    """`mean_i sum_j w_ij`: every unit of weight costs the same, whichever entry carries it.

    Args:
        vectors: [texts, vocabulary], term weights w, 0 and above.

    Raises:
        LossInputError: no such tensor (see `rankdistill.losses.vocabulary_checks`).

    Source: Zamani et al. 2018, "From Neural Re-Ranking to Neural Ranking"; on SPLADE's queries Lassance and Clinchant
    2022, arXiv 2207.03834.
    """
    require_weights(vectors)
    return vectors.sum(dim=1).mean()
