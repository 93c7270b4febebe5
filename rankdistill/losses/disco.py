"""DiSCo's distillation term: the teacher's scores of a conversation's rewrite, as a distribution over candidates."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.kl_div import kl_div


def disco(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    kl_weight: float = 0.99,
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """`kl_weight * KL(softmax(t / T_t) || softmax(s / T_s))`, the mean over the batch.

    `t` are scores of the documents with a rewrite of the turn, `s` the student's with the conversation itself. The
    other term of DiSCo, `contrastive_weight * contrastive`, is over the documents of the whole batch, which a query's
    own scores do not show; training adds it, as to any loss, and `loss: disco` sets its weight to .01.

    Args:
        student_scores: [batch, docs], dot products or cosines.
        teacher_scores: [batch, docs], raw, in the same unit as the student's, without gradient.
        kl_weight: above 0; .99 in the paper, beside .01 of the contrastive term.
        student_temperature: T_s, above 0; 1 in the paper, whose scores are dot products.
        teacher_temperature: T_t, above 0; likewise.

    Raises:
        LossInputError: the tensors would train the student wrongly, or the weight nothing.

    Source: Lupart et al. 2025, arXiv 2410.14609; the weights are those of the authors' configuration.
    """
    if not kl_weight > 0:
        raise LossInputError(
            expected="a kl_weight above 0",
            got=f"{kl_weight}",
            consequence="the student would learn nothing from its teacher, or the opposite",
            remedy="use a positive weight; the loss `contrastive` learns from labels alone",
        )
    return kl_weight * kl_div(student_scores, teacher_scores, student_temperature, teacher_temperature)
