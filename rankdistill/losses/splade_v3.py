"""SPLADE-v3's mix: KL divergence for the order of the documents, Margin-MSE for the size of the margins."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.kl_div import kl_div
from rankdistill.losses.margin_mse import Pairs, margin_mse


def splade_v3(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    kl_weight: float = 1.0,
    margin_weight: float = 0.05,
    pairs: Pairs = "positive",
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """`kl_weight * KL(s, t) + margin_weight * MarginMSE(s, t)`; any kind of student, both in the teacher's unit.

    Args:
        student_scores: [batch, docs], in the teacher's unit.
        teacher_scores: [batch, docs], raw (logits), without gradient.
        kl_weight: 0 or more.
        margin_weight: 0 or more; not both 0.
        pairs: which margins are compared; see `margin_mse`.
        student_temperature: of the KL term, above 0.
        teacher_temperature: of the KL term, above 0.

    Raises:
        LossInputError: the tensors would train the student wrongly, or the weights nothing.

    Source: Lassance et al. 2024, arXiv 2403.06789. The weights are parameters here.
    """
    if min(kl_weight, margin_weight) < 0 or kl_weight + margin_weight == 0:
        raise LossInputError(
            expected="weights of 0 and above, one of them above 0",
            got=f"kl_weight {kl_weight}, margin_weight {margin_weight}",
            consequence="the student would be driven away from its teacher, or not at all",
            remedy="use positive weights",
        )
    order = kl_div(student_scores, teacher_scores, student_temperature, teacher_temperature)
    return kl_weight * order + margin_weight * margin_mse(student_scores, teacher_scores, pairs)
