"""FLOPS that lets rare terms off: they make a document findable and cost an index little."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.vocabulary_checks import require_weights


def idf_flops(vectors: Float[Tensor, "texts vocabulary"], idf: Float[Tensor, " vocabulary"]) -> Float[Tensor, ""]:
    """`sum_j (mean_i w_ij / (1 + idf_j))^2`.

    Args:
        vectors: [texts, vocabulary], term weights w, 0 and above.
        idf: [vocabulary], inverse document frequencies, 0 and above, without gradient.

    Raises:
        LossInputError: no such tensors (see `rankdistill.losses.vocabulary_checks`), or `idf` does not fit.

    Source: the idea of Geng et al. 2024, arXiv 2411.04403. Dividing by `1 + idf` is ours: it is plain FLOPS where the
    idf is 0, and no term is free of cost.
    """
    require_weights(vectors)
    if idf.shape != vectors.shape[1:] or idf.requires_grad or not torch.isfinite(idf).all() or (idf < 0).any():
        raise LossInputError(
            expected=f"a finite idf of 0 and above for each of the {vectors.shape[1]} vocabulary entries, not trained",
            got=f"shape {list(idf.shape)}, requires_grad {idf.requires_grad}",
            consequence="terms would be spared or punished for another term's frequency",
            remedy="count document frequencies with the student's own tokeniser",
        )
    return (vectors.mean(dim=0) / (1 + idf)).square().sum()
