"""SinKD's sum: KL divergence for each query's list, the Sinkhorn distance for the lists of the batch together."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.kl_div import kl_div
from rankdistill.losses.sinkhorn import sinkhorn


def sinkd(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    kl_weight: float = 1.0,
    sinkhorn_weight: float = 0.03,
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """`kl_weight * KL(s, t) + sinkhorn_weight * Sinkhorn(s, t)`, both with the same temperatures.

    Args:
        student_scores: [batch, docs], in the teacher's unit.
        teacher_scores: [batch, docs], raw (logits), without gradient.
        kl_weight: 0 or more.
        sinkhorn_weight: 0 or more; not both 0. The distance is a mean over the batch: .03 is .001 of the sum over 32.
        student_temperature: above 0.
        teacher_temperature: above 0; the source has 2.

    Raises:
        LossInputError: the tensors would train the student wrongly, or the weights nothing.

    Source: arXiv 2402.17110, which adds a cross-entropy with the labels; see `sinkhorn`.
    """
    if min(kl_weight, sinkhorn_weight) < 0 or kl_weight + sinkhorn_weight == 0:
        raise LossInputError(
            expected="weights of 0 and above, one of them above 0",
            got=f"kl_weight {kl_weight}, sinkhorn_weight {sinkhorn_weight}",
            consequence="the student would be driven away from its teacher, or not at all",
            remedy="use positive weights",
        )
    temperatures = (student_temperature, teacher_temperature)
    lists = kl_div(student_scores, teacher_scores, *temperatures)
    return kl_weight * lists + sinkhorn_weight * sinkhorn(student_scores, teacher_scores, *temperatures)
