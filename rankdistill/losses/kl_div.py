"""KL divergence between the teacher's and the student's distributions over the documents of a query."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses.checks import require_pair, require_temperature


def kl_div(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """`mean_b sum_i p_bi (log p_bi - log q_bi)`, `p = softmax(t / T_t)`, `q = softmax(s / T_s)`.

    The order of the documents does not matter. The value is not multiplied by a squared temperature: with two
    temperatures no single factor keeps the gradient's size; change the learning rate instead.

    Args:
        student_scores: [batch, docs], any unit.
        teacher_scores: [batch, docs], raw (logits), without gradient.
        student_temperature: T_s, above 0.
        teacher_temperature: T_t, above 0; below 1 it sharpens the teacher.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`).

    Source: Hinton et al. 2015, arXiv 1503.02531, without its factor T^2; over a candidate list as in DiSCo
    (arXiv 2410.14609).
    """
    require_pair(student_scores, teacher_scores)
    require_temperature("student temperature", student_temperature)
    require_temperature("teacher temperature", teacher_temperature)
    student_logs = (student_scores / student_temperature).log_softmax(dim=1)
    teacher_logs = (teacher_scores / teacher_temperature).log_softmax(dim=1)
    return (teacher_logs.exp() * (teacher_logs - student_logs)).sum(dim=1).mean()
