"""A gate between teacher and labels, one a query, from the triangle of student, teacher and label."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import require_no_gradient, require_pair, require_same_device, require_temperature


def tgeo(
    student_scores: Float[Tensor, "batch docs"],
    teacher_scores: Float[Tensor, "batch docs"],
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
    gate: Float[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """`mean_b (w_b KL(p_b || q_b) - (1 - w_b) log q_b0)`, `p = softmax(t / T_t)`, `q = softmax(s / T_s)`.

    Column 0 is the labelled positive, as the training view declares it. Labels are sparse: where the teacher puts
    another document above the labelled one it may be right. `w`, see `triangle_gate`, follows the teacher where that
    leads towards the label too, and the label where it leads away.

    Args:
        student_scores: [batch, docs], logits.
        teacher_scores: [batch, docs], raw (logits), without gradient.
        student_temperature: T_s, above 0.
        teacher_temperature: T_t, above 0.
        gate: [batch], the teacher's share w of each query, from 0 to 1, without gradient; None: `triangle_gate`.

    Raises:
        LossInputError: the tensors would train the student wrongly (see `rankdistill.losses.checks`).

    Source: TGeo-KD, arXiv 2312.15112, where a network learns the ratio of both terms by bilevel optimisation from the
    triangle and from the teacher's mean of each class. Here the ratio is a closed form of the triangle alone.
    """
    require_pair(student_scores, teacher_scores)
    require_temperature("student temperature", student_temperature)
    require_temperature("teacher temperature", teacher_temperature)
    logs = (student_scores / student_temperature).log_softmax(dim=1)
    targets = (teacher_scores / teacher_temperature).log_softmax(dim=1)
    if gate is None:
        gate = triangle_gate(logs.detach().exp(), targets.exp())
    _require_gate(student_scores, gate)
    of_teacher = (targets.exp() * (targets - logs)).sum(dim=1)
    return (gate * of_teacher - (1 - gate) * logs[:, 0]).mean()


def triangle_gate(
    student: Float[Tensor, "batch docs"], teacher: Float[Tensor, "batch docs"]
) -> Float[Tensor, " batch"]:
    """`w_b = (1 + (d(q_b, y) - d(p_b, y)) / d(p_b, q_b)) / 2`; d: total variation, y: all on column 0.

    By the triangle inequality it lies between 0 and 1: 1 where the teacher lies on the straight way from the student to
    the label, 0 where the student lies between both, 1/2 where student and teacher are equal or equally far away.

    Args:
        student: [batch, docs], probabilities q, without gradient.
        teacher: [batch, docs], probabilities p.
    """
    nearer = teacher[:, 0] - student[:, 0]
    apart = (teacher - student).abs().sum(dim=1) / 2
    share = torch.where(apart > torch.finfo(apart.dtype).eps, nearer / apart.clamp_min(1e-30), torch.zeros_like(apart))
    return ((1 + share) / 2).clamp(0, 1)


def _require_gate(student_scores: Tensor, gate: Tensor) -> None:
    require_same_device("gate", student_scores, gate)
    require_no_gradient("gate", gate)
    if gate.shape != student_scores.shape[:1] or not bool(((gate >= 0) & (gate <= 1)).all()):
        raise LossInputError(
            expected=f"a gate from 0 to 1 for each query, shape {list(student_scores.shape[:1])}",
            got=f"shape {list(gate.shape)}, values up to {float(gate.max()) if gate.numel() else float('nan'):g}",
            consequence="one of the two terms would drive the student away from its target",
            remedy="give one share a query, or leave the gate out",
        )
